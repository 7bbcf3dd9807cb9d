"""What the mock data provider is told."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marshmallow import ValidationError

from flops_contracts.declared import load
from flops_contracts.roles import Role
from flops_contracts.sla import MockDataConfiguration, PartitionerChoice
from flops_runtime.environment import BadSettingsError, Environment
from flops_runtime.settings import ActorSettings, ProcessSettings

DATA_SERVER = "172.17.0.1:11027"
"""Where NodeEngine's data server is for every container of a node: the bridge of docker."""


@dataclass(frozen=True)
class Settings:
    """Which dataset to split how, and where to send it."""

    actor: ActorSettings
    request: MockDataConfiguration
    data_server_address: str = DATA_SERVER
    data_server_token: str = field(default="", repr=False)
    data_server_ca: str = ""
    node_index: int = 0
    builtin_datasets: Path = Path()
    load_timeout_seconds: float = 1800.0

    @classmethod
    def from_env(cls, environment: Environment) -> "Settings":
        """Read them all; raise ``BadSettingsError``."""
        settings = cls(
            actor=ActorSettings.from_env(environment, Role.MOCK_DATA_PROVIDER),
            request=_request(environment),
            data_server_address=environment.text(
                "FLOPS_DATA_SERVER_ADDRESS", DATA_SERVER, help="host:port of the data server."
            ),
            data_server_token=environment.text(
                "FLOPS_DATA_SERVER_TOKEN", "", help="Token that the data server wants."
            ),
            data_server_ca=environment.text(
                "FLOPS_DATA_SERVER_CA",
                "",
                help="Certificate authority of the data server (PEM); turns TLS on.",
            ),
            node_index=environment.whole(
                "FLOPS_NODE_INDEX", 0, help="Which of FLOPS_NODES this one is, from 0."
            ),
            builtin_datasets=_builtin(environment),
            load_timeout_seconds=_load_timeout(environment),
        )
        environment.check()
        return settings


@dataclass(frozen=True)
class SplitSettings:
    """What ``python -m flops_mock_data_provider split FOLDER`` is told."""

    process: ProcessSettings
    request: MockDataConfiguration
    builtin_datasets: Path
    load_timeout_seconds: float

    @classmethod
    def from_env(cls, environment: Environment) -> "SplitSettings":
        """Read them all; raise ``BadSettingsError``."""
        settings = cls(
            process=ProcessSettings.from_env(environment),
            request=_request(environment),
            builtin_datasets=_builtin(environment),
            load_timeout_seconds=_load_timeout(environment),
        )
        environment.check()
        return settings


def _builtin(environment: Environment) -> Path:
    return environment.path(
        "FLOPS_BUILTIN_DATASETS", "", help="Folder with the files of builtin datasets."
    )


def _load_timeout(environment: Environment) -> float:
    return environment.seconds(
        "FLOPS_DATASET_TIMEOUT_SECONDS",
        Settings.load_timeout_seconds,
        help="How long loading the dataset may take.",
    )


def _request(environment: Environment) -> MockDataConfiguration:
    return MockDataConfiguration(
        dataset_name=environment.text("FLOPS_DATASET_NAME", help="Name of the dataset."),
        data_tag=environment.text("FLOPS_DATA_TAG", help="Tag to store the data under."),
        number_of_partitions=environment.whole(
            "FLOPS_NUMBER_OF_PARTITIONS", 1, help="How many fragments to make.", minimum=1
        ),
        split=environment.text("FLOPS_SPLIT", "train", help="Split of the dataset."),
        partitioner=_partitioner(
            environment.document(
                "FLOPS_PARTITIONER",
                {"name": "IidPartitioner"},
                help="Partitioner of Flower Datasets: name and parameters.",
            )
        ),
        seed=environment.whole(
            "FLOPS_SEED", 42, help="Seed of shuffling and partitioning.", minimum=-(2**53)
        ),
        source=environment.text(
            "FLOPS_SOURCE", "", help="Empty for the hub, builtin:<name>, or a path."
        ),
        nodes=environment.whole(
            "FLOPS_NODES", 1, help="How many nodes the partitions are spread over.", minimum=1
        ),
    )


def _partitioner(document: Any) -> PartitionerChoice:
    try:
        return load(PartitionerChoice, document)
    except ValidationError as error:
        raise BadSettingsError(f"FLOPS_PARTITIONER: {error.messages}") from error
