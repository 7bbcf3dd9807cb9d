"""What a learner is told by its environment."""

from dataclasses import dataclass, field

from flops_contracts.privacy import NO_PRIVACY, Privacy
from flops_contracts.roles import Role
from flops_contracts.sla import DataSplit
from flops_grid.wire.tls import TlsFiles
from flops_runtime.environment import Environment
from flops_runtime.settings import ActorSettings, privacy_from


@dataclass(frozen=True)
class Settings:
    """Where the aggregator and the data are, and which share of the data is this learner's."""

    actor: ActorSettings
    aggregator_address: str
    grid_token: str = field(repr=False)
    data_tags: tuple[str, ...]
    learner_index: int
    node_learners: int
    data_server_address: str
    data_split: DataSplit
    aggregator_timeout_seconds: float
    tls: TlsFiles
    data_server_token: str = field(default="", repr=False)
    data_server_ca: str = ""
    customer: str = ""
    privacy: Privacy = NO_PRIVACY

    @classmethod
    def from_env(cls, environment: Environment) -> "Settings":
        """Read them; the caller calls ``environment.check()``."""
        split = environment.text(
            "FLOPS_DATA_SPLIT",
            DataSplit.EXCLUSIVE,
            help="Whether the learners of a node share its data out or all use all of it.",
            choices=tuple(DataSplit),
        )
        return cls(
            actor=ActorSettings.from_env(environment, Role.LEARNER),
            aggregator_address=environment.text(
                "FLOPS_AGGREGATOR_ADDRESS", help="Aggregator to learn for: host:port."
            ),
            grid_token=environment.text(
                "FLOPS_GRID_TOKEN", help="What the project's learners show its aggregator."
            ),
            data_tags=environment.items(
                "FLOPS_DATA_TAGS", (), help="Tags of the data to train on."
            ),
            learner_index=environment.whole(
                "FLOPS_LEARNER_INDEX", 0, help="Number of this learner on its node, from 0."
            ),
            node_learners=environment.whole(
                "FLOPS_NODE_LEARNERS", 1, help="How many learners of the project it has.", minimum=1
            ),
            data_server_address=environment.text(
                "FLOPS_DATA_SERVER_ADDRESS",
                "172.17.0.1:11027",
                help="Data server of this node: host:port.",
            ),
            data_split=DataSplit(split) if split in set(DataSplit) else DataSplit.EXCLUSIVE,
            aggregator_timeout_seconds=environment.seconds(
                "FLOPS_AGGREGATOR_TIMEOUT_SECONDS",
                300,
                help="How long the aggregator may be out of reach, all in one go.",
            ),
            tls=TlsFiles.from_env(environment),
            data_server_token=environment.text(
                "FLOPS_DATA_SERVER_TOKEN", "", help="Token that the data server wants."
            ),
            data_server_ca=environment.text(
                "FLOPS_DATA_SERVER_CA",
                "",
                help="Certificate authority of the data server (PEM); turns TLS on.",
            ),
            customer=environment.text(
                "FLOPS_CUSTOMER", "", help="Whose project it is, for data that not all may use."
            ),
            privacy=privacy_from(environment),
        )
