"""Inspects an ML repository with the image-builder of this checkout; deploys nothing."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from flops_cli.errors import LocalSuiteError
from flops_cli.local.images import BUILDER, PREFIX, build_settings, register
from flops_cli.local.places import Places
from flops_cli.sources import find_sources
from flops_contracts.api.answers import Finding
from flops_contracts.declared import load

INSPECT_SECONDS: Final = 1800.0
"""Nearly all of it is for downloading packages that are not in this machine's cache."""

SAMPLE_ROWS: Final = 200


@dataclass(frozen=True)
class Repository:
    """A repository to inspect, a folder or git URL, and what its project requires."""

    url: str
    ref: str = ""
    flavor: str = "sklearn"
    platforms: tuple[str, ...] = ()


def inspect_repository(
    places: Places, repository: Repository, rows: Path | None, variables: Mapping[str, str]
) -> tuple[Finding, ...]:
    """Return the findings of the installed image-builder; ``rows`` is a Parquet file.

    Raises ``LocalSuiteError`` if the inspection does not finish.
    """
    register(places)
    settings = {
        "FLOPS_ML_REPO_URL": repository.url,
        "FLOPS_ML_REPO_REF": repository.ref,
        "FLOPS_ML_MODEL_FLAVOR": repository.flavor,
        "FLOPS_SUPPORTED_PLATFORMS": ",".join(repository.platforms),
        "FLOPS_IMAGE_STORE": str(places.images),
        "FLOPS_IMAGE_PREFIX": PREFIX,
        "FLOPS_IMAGE_REGISTRY": "inspection",
        "FLOPS_SAMPLE_ROWS": str(rows or ""),
        "FLOPS_LOG_LEVEL": "WARNING",
    }
    foreign = {name: value for name, value in variables.items() if not name.startswith("FLOPS_")}
    env = {
        **foreign,
        **build_settings(variables),
        **{name: value for name, value in settings.items() if value},
    }
    argv = [str(places.python(BUILDER)), "-m", "flops_image_builder", "inspect"]
    try:
        ended = subprocess.run(
            argv, env=env, capture_output=True, text=True, timeout=INSPECT_SECONDS, check=False
        )
        return tuple(load(Finding, finding) for finding in json.loads(ended.stdout))
    except subprocess.TimeoutExpired as error:
        message = f"the inspection took longer than {INSPECT_SECONDS:.0f} s"
        raise LocalSuiteError(message) from error
    except ValueError as error:
        lines = ended.stderr.splitlines()[-10:]
        raise LocalSuiteError("the inspection ended unexpectedly", errors=lines) from error


def take_sample(data: Path, folder: Path) -> Path:
    """Write the first rows of ``data`` to a Parquet file; raise ``UnreadableFileError``."""
    reader = find_sources(data)[0].read(lambda _: None)
    batches = []
    left = SAMPLE_ROWS
    for batch in reader:
        batches.append(batch.slice(0, left))
        left -= batches[-1].num_rows
        if left <= 0:
            break
    target = folder / "sample.parquet"
    pq.write_table(pa.Table.from_batches(batches, reader.schema), target)
    return target
