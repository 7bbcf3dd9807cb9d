"""What aggregators and learners are told: whom to dial, whom to expect, and how to train.

A classic project has one aggregator. In hierarchical mode it is the root of a tree: below it is
an aggregator in each cluster, below that the cluster's learners. Each grid has a token of its own,
so that a learner can join its own cluster's aggregator and nothing else.
"""

import hmac
from dataclasses import dataclass
from hashlib import sha256

from flops_contracts.roles import Role
from flops_contracts.sla import HIGHEST_ACCURACY, BestBy, Compression, Parametrised
from flops_manager.domain.deployments import (
    GRID_PORT,
    Deployment,
    Installation,
    actors,
    memory_mb,
)
from flops_manager.domain.environments import (
    at_data_servers,
    in_project,
    json_of,
    privacy_of,
    tracking_url,
)
from flops_manager.domain.grid_keys import aggregator_name, learner_name, member
from flops_manager.domain.nodes import LEARNER_ADDON
from flops_manager.domain.projects import Project
from flops_manager.domain.services import placements_of
from flops_manager.domain.subjects import Service


@dataclass(frozen=True)
class Grid:
    """How one aggregator works with its own clients: learners, or the clusters' aggregators.

    Without ``settle_seconds`` it knows itself how long to wait for the rest when enough are there.
    """

    token: str
    rounds: int
    clients: int
    min_available: int
    min_fit: int
    min_evaluate: int
    strategy: Parametrised
    round_timeout_seconds: int
    join_timeout_seconds: int
    settle_seconds: int | None = None
    take_first: int = 0
    checkpoint_every_rounds: int = 1
    compression: Compression = Compression.NONE
    best_by: BestBy = HIGHEST_ACCURACY

    def environment(self) -> dict[str, str]:
        """Return it as the aggregator is told."""
        settle = self.settle_seconds
        return {
            **({} if settle is None else {"FLOPS_SETTLE_SECONDS": str(settle)}),
            "FLOPS_GRID_TOKEN": self.token,
            "FLOPS_TRAINING_ROUNDS": str(self.rounds),
            "FLOPS_LEARNERS": str(self.clients),
            "FLOPS_MIN_AVAILABLE_CLIENTS": str(self.min_available),
            "FLOPS_MIN_FIT_CLIENTS": str(self.min_fit),
            "FLOPS_MIN_EVALUATE_CLIENTS": str(self.min_evaluate),
            "FLOPS_STRATEGY": json_of(self.strategy),
            "FLOPS_ROUND_TIMEOUT_SECONDS": str(self.round_timeout_seconds),
            "FLOPS_JOIN_TIMEOUT_SECONDS": str(self.join_timeout_seconds),
            "FLOPS_TAKE_FIRST": str(self.take_first),
            "FLOPS_CHECKPOINT_EVERY_ROUNDS": str(self.checkpoint_every_rounds),
            "FLOPS_COMPRESSION": self.compression,
            "FLOPS_BEST_BY": f"{self.best_by.metric} {self.best_by.direction}",
        }


def describe_aggregator(
    project: Project, service: Service, installation: Installation, address: str
) -> Deployment:
    """Return what to run as the project's aggregator, or as that of a cluster."""
    if project.images is None:
        raise ValueError("actors are started after their images are built")
    sla = project.sla
    is_root_of_tree = project.is_hierarchical and service.role is Role.AGGREGATOR
    grid = _of_clusters if is_root_of_tree else _of_learners
    environment = {
        **in_project(project, service, installation),
        **grid(project, service, installation).environment(),
        **_parent(project, service),
        **_identity(project, service, installation),
        **privacy_of(sla),
        **({"FLOPS_LEADS_CLUSTERS": "on"} if is_root_of_tree else {}),
        "FLOPS_MLFLOW_URL": tracking_url(project),
        "FLOPS_EXPERIMENT_NAME": experiment_of(project),
        "FLOPS_MODEL_NAME": _repository_name(sla.ml_repo_url),
        "FLOPS_ML_MODEL_FLAVOR": sla.ml_model_flavor,
        "FLOPS_ML_REPO_URL": sla.ml_repo_url,
        "FLOPS_COMMIT": project.commit,
    }
    return Deployment(
        application=actors(project),
        name=service.instance,
        image=project.images.aggregator,
        environment=environment,
        memory_mb=memory_mb(service.role, sla.ml_model_flavor),
        address=address,
        cluster=service.cluster,
        node=service.node,
    )


def describe_learner(project: Project, service: Service, installation: Installation) -> Deployment:
    """Return what to run as a learner."""
    if project.images is None:
        raise ValueError("actors are started after their images are built")
    place = placements_of(project, Role.LEARNER)[service.index]
    environment = {
        **in_project(project, service, installation),
        **at_data_servers(installation),
        "FLOPS_AGGREGATOR_ADDRESS": _dialled(_aggregator_of(project, service)),
        "FLOPS_GRID_TOKEN": _token(project, service.cluster if project.is_hierarchical else ""),
        **_identity(project, service, installation),
        **privacy_of(project.sla),
        "FLOPS_DATA_TAGS": ",".join(project.sla.training_configuration.data_tags),
        "FLOPS_LEARNER_INDEX": str(place.node_index),
        "FLOPS_NODE_LEARNERS": str(place.node_learners),
        "FLOPS_DATA_SPLIT": project.sla.data_split,
        "FLOPS_CUSTOMER": project.customer_id,
    }
    needs = project.sla.resource_constraints
    return Deployment(
        application=actors(project),
        name=service.instance,
        image=project.images.learner,
        environment=environment,
        memory_mb=needs.memory,
        vcpus=needs.vcpus,
        storage_mb=needs.storage,
        cluster=service.cluster,
        node=service.node,
        addon=LEARNER_ADDON,
    )


def _of_learners(project: Project, service: Service, installation: Installation) -> Grid:
    """Return the grid of a classic aggregator, or of a cluster's."""
    sla, training = project.sla, project.sla.training_configuration
    is_cluster = service.role is Role.CLUSTER_AGGREGATOR
    return Grid(
        token=_token(project, service.cluster if is_cluster else ""),
        rounds=training.training_rounds,
        clients=sla.learners,
        min_available=training.min_available_clients,
        min_fit=training.min_fit_clients,
        min_evaluate=training.min_evaluate_clients,
        strategy=sla.strategy,
        best_by=sla.strategy.best_by,
        round_timeout_seconds=sla.round_timeout_seconds,
        join_timeout_seconds=installation.join_timeout_seconds,
        take_first=training.take_first_clients,
        checkpoint_every_rounds=training.checkpoint_every_rounds,
        compression=training.compression,
    )


def _of_clusters(project: Project, _service: Service, installation: Installation) -> Grid:
    """Return the grid of a tree's root: its rounds are cycles, and it averages the clusters."""
    sla, training = project.sla, project.sla.training_configuration
    return Grid(
        token=_token(project, ""),
        rounds=training.training_cycles,
        clients=len(placements_of(project, Role.CLUSTER_AGGREGATOR)),
        min_available=training.min_clusters,
        min_fit=training.min_clusters,
        min_evaluate=training.min_clusters,
        strategy=Parametrised("FedAvg"),
        best_by=sla.strategy.best_by,
        round_timeout_seconds=sla.cycle_timeout_seconds,
        # A cluster's aggregator may itself wait so long for its learners.
        join_timeout_seconds=2 * installation.join_timeout_seconds,
        # Clusters start at their own pace; all of them are worth waiting for, once.
        settle_seconds=installation.join_timeout_seconds,
        compression=training.compression,
    )


def _parent(project: Project, service: Service) -> dict[str, str]:
    """Return whom a cluster's aggregator dials; a root dials nobody."""
    if service.role is not Role.CLUSTER_AGGREGATOR:
        return {}
    return {
        "FLOPS_ROLE": service.role,
        "FLOPS_PARENT_ADDRESS": _dialled(project.present(Role.AGGREGATOR)),
        "FLOPS_PARENT_TOKEN": _token(project, ""),
    }


def _identity(project: Project, service: Service, installation: Installation) -> dict[str, str]:
    """Return the actor's certificate and key, if the grids speak TLS."""
    if not installation.grid_tls_secret:
        return {}
    root = aggregator_name(project)
    name, expects = root, ""
    if service.role is Role.CLUSTER_AGGREGATOR:
        name, expects = aggregator_name(project, service.cluster), root
    elif service.role is Role.LEARNER:
        cluster = service.cluster if project.is_hierarchical else ""
        name, expects = learner_name(project), aggregator_name(project, cluster)
    return member(installation.grid_tls_secret, project, name, expects).environment()


def _aggregator_of(project: Project, learner: Service) -> tuple[Service, ...]:
    if not project.is_hierarchical:
        return project.present(Role.AGGREGATOR)
    return tuple(
        one
        for one in project.present(Role.CLUSTER_AGGREGATOR)
        if one.cluster == learner.cluster and one.attempt == learner.attempt
    )


def _dialled(aggregators: tuple[Service, ...]) -> str:
    return f"{aggregators[-1].address}:{GRID_PORT}"


def _token(project: Project, cluster: str) -> str:
    """Return what clients show at the project's aggregator, or at that of one of its clusters."""
    if not cluster:
        return project.grid_token
    return hmac.new(project.grid_token.encode(), cluster.encode(), sha256).hexdigest()[:32]


def experiment_of(project: Project) -> str:
    """Return the name of the project's experiment in MLflow."""
    return f"{_repository_name(project.sla.ml_repo_url)}-{project.id}"


def _repository_name(url: str) -> str:
    name = url.rstrip("/").rsplit("/", 1)[-1].rsplit(":", 1)[-1].removesuffix(".git")
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)
