"""The source of the rows for ``load_dataset``.

The learner sets it with ``use``; users who try a repository without FLOps set it by environment.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode
from flops_contracts.sla import DataSplit

OnLoaded = Callable[[int, int, tuple[str, ...]], None]
"""Called with rows, bytes and columns once the data are loaded."""


class NoDataSourceError(FlopsError):
    """No source is set, because this process is not a learner of FLOps."""

    exit_code = ExitCode.BAD_SETTINGS


@dataclass(frozen=True)
class DataSource:
    """A learner's data server, and the share of its data that is this learner's.

    ``shared`` learners each get all rows with the data tags; the others get disjoint shares.
    Data beyond ``memory_bytes`` are mapped from disk; 0 is half of the free memory.
    ``trace`` returns the trace that the data server's part belongs to.
    """

    server_address: str
    data_tags: tuple[str, ...]
    project_id: str = ""
    learner_index: int = 0
    node_learners: int = 1
    shared: bool = False
    on_loaded: OnLoaded | None = None
    token: str = field(default="", repr=False)
    ca: str = ""
    connect_timeout_seconds: float = 60.0
    memory_bytes: int = 0
    customer_id: str = ""
    trace: Callable[[], str] = lambda: ""


@dataclass(frozen=True)
class FileSource:
    """A Parquet file instead of a data server, to try a repository."""

    path: Path


_chosen: list[DataSource | FileSource] = []


def use(source: DataSource | FileSource) -> None:
    """Set the source of ``load_dataset`` for every thread."""
    _chosen[:] = [source]


def current() -> DataSource | FileSource:
    """Return the source that was set with ``use``, or that of the environment.

    Raises ``NoDataSourceError`` if there is none.
    """
    if _chosen:
        return _chosen[-1]
    return source_from(os.environ)  # noqa: TID251 - repositories run without a FLOps process, too


def source_from(variables: Mapping[str, str]) -> DataSource | FileSource:
    """Read a source from ``FLOPS_...`` variables; raise ``NoDataSourceError``."""
    if file := variables.get("FLOPS_DATASET_FILE"):
        return FileSource(Path(file))
    missing = [
        name for name in ("FLOPS_DATA_SERVER_ADDRESS", "FLOPS_DATA_TAGS") if not variables.get(name)
    ]
    if missing:
        raise NoDataSourceError(
            f"load_dataset() has no data source: {', '.join(missing)} not set",
            hint=(
                "FLOps sets them for its learners. To try a repository without it, set "
                "FLOPS_DATASET_FILE to a Parquet file, or start a data server, send it data, and "
                "set FLOPS_DATA_SERVER_ADDRESS=host:port and FLOPS_DATA_TAGS=tag,tag."
            ),
        )
    project_id = variables.get("FLOPS_PROJECT_ID", "")
    split = variables.get("FLOPS_DATA_SPLIT", DataSplit.EXCLUSIVE)
    tags = variables["FLOPS_DATA_TAGS"].split(",")
    try:
        return DataSource(
            server_address=variables["FLOPS_DATA_SERVER_ADDRESS"],
            data_tags=tuple(tag.strip() for tag in tags if tag.strip()),
            project_id=project_id,
            learner_index=int(variables.get("FLOPS_LEARNER_INDEX", "0")),
            node_learners=int(variables.get("FLOPS_NODE_LEARNERS", "1")),
            shared=split == DataSplit.SHARED or not project_id,
            token=variables.get("FLOPS_DATA_SERVER_TOKEN", ""),
            ca=_authority(variables),
            memory_bytes=int(variables.get("FLOPS_DATASET_MEMORY_MB", "0")) * 10**6,
            customer_id=variables.get("FLOPS_CUSTOMER", ""),
        )
    except ValueError as error:
        raise NoDataSourceError(
            f"FLOPS_LEARNER_INDEX, _NODE_LEARNERS or _DATASET_MEMORY_MB: {error}"
        ) from error


def _authority(variables: Mapping[str, str]) -> str:
    file = variables.get("FLOPS_DATA_SERVER_CA_FILE", "")
    content = Path(file).read_text(encoding="utf-8") if file else ""
    return variables.get("FLOPS_DATA_SERVER_CA", "") or content
