"""The demo's clusters and SLAs, in each mode of training."""

from dataclasses import dataclass
from typing import Any, Final

from flops_contracts.sla import Mode

TAG: Final = "mnist"
HELD_OUT_TAG: Final = "mnist-held-out"
NODE_VCPUS: Final = 4
NODE_MEMORY_MB: Final = 4096
"""For placement only: processes are not limited to them."""

NUMERALS: Final = {1: "one", 2: "two", 3: "three", 4: "four"}


@dataclass(frozen=True)
class Plan:
    """The size of a demo; ``learners`` are those of one cluster.

    Without ``clusters`` this machine is one cluster with one node.
    """

    mode: Mode
    partitions: int
    learners: int
    rounds: int
    cycles: int = 1
    clusters: tuple[str, ...] = ()
    nodes_per_cluster: int = 1

    @property
    def nodes(self) -> int:
        """The number of nodes that the data are spread over."""
        return max(1, len(self.clusters)) * self.nodes_per_cluster

    @property
    def fits(self) -> int:
        """How often each learner trains."""
        return self.cycles * self.rounds

    @property
    def story(self) -> str:
        """A sentence that announces the training."""
        if not self.clusters:
            return "Train: build the actors, train in rounds, build and serve the model"
        clusters = f"{NUMERALS[len(self.clusters)]} clusters of {NUMERALS[self.learners]} learners"
        return f"Train in {clusters}: build the actors, train in cycles, build and serve the model"

    @property
    def topology(self) -> list[dict[str, Any]]:
        """The clusters for local-oakestra; empty for its default."""
        return [
            {
                "cluster": cluster,
                "nodes": [
                    {
                        "name": f"{cluster}-{number + 1}",
                        "vcpus": NODE_VCPUS,
                        "memory_mb": NODE_MEMORY_MB,
                    }
                    for number in range(self.nodes_per_cluster)
                ],
            }
            for cluster in self.clusters
        ]

    def data_sla(self, customer_id: str) -> dict[str, Any]:
        """Return the mock SLA of the training data, spread over all nodes."""
        sla = mock_sla(customer_id, TAG, "train", self.partitions)
        if self.nodes > 1:
            sla["mock_data_configuration"]["nodes"] = self.nodes
        return sla

    def held_out_sla(self, customer_id: str) -> dict[str, Any]:
        """Return the mock SLA of the test data, which are on the first node."""
        return mock_sla(customer_id, HELD_OUT_TAG, "test", 1)

    def project_sla(self, customer_id: str, repository: str) -> dict[str, Any]:
        """Return the project SLA: sklearn, both post-training steps."""
        training = {
            "mode": self.mode.value,
            "data_tags": [TAG],
            "training_rounds": self.rounds,
            "min_available_clients": self.learners,
            "min_fit_clients": self.learners,
            "min_evaluate_clients": self.learners,
        }
        if self.clusters:
            training |= {"training_cycles": self.cycles, "min_clusters": len(self.clusters)}
        return {
            "customerID": customer_id,
            "ml_repo_url": repository,
            "ml_model_flavor": "sklearn",
            "training_configuration": training,
            "post_training_steps": ["build_image_for_trained_model", "deploy_trained_model_image"],
        }


PLANS: Final = {
    Mode.CLASSIC: Plan(Mode.CLASSIC, partitions=3, learners=2, rounds=3),
    Mode.HIERARCHICAL: Plan(
        Mode.HIERARCHICAL,
        partitions=4,
        learners=2,
        rounds=2,
        cycles=2,
        clusters=("east", "west"),
        nodes_per_cluster=2,
    ),
}


def mock_sla(customer_id: str, tag: str, split: str, partitions: int) -> dict[str, Any]:
    """Return the mock SLA for the digits that FLOps ships."""
    return {
        "customerID": customer_id,
        "mock_data_configuration": {
            "dataset_name": "mnist",
            "source": "builtin:mnist5k",
            "split": split,
            "number_of_partitions": partitions,
            "data_tag": tag,
        },
    }
