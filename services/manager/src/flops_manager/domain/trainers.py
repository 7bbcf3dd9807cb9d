"""The deployments of aggregators and learners: which peers they have, and how to train.

A classic project has one aggregator. In hierarchical mode it is the root of a tree: below it is
an aggregator in each cluster, below that the cluster's learners. Each grid has a token of its own,
so that a learner can join its own cluster's aggregator and nothing else.
"""

import hmac
from hashlib import sha256

from flops_contracts.access import GridAccess, ParentAccess
from flops_contracts.orders import LearnOrder, TrackOrder, TrainOrder
from flops_contracts.ports import GRID_PORT
from flops_contracts.roles import Role
from flops_contracts.sla import Parametrised
from flops_manager.domain.deployments import Deployment, Installation, actors, memory_mb
from flops_manager.domain.environments import in_project, tracking_url
from flops_manager.domain.grid_keys import aggregator_name, identity, learner_name
from flops_manager.domain.nodes import LEARNER_ADDON
from flops_manager.domain.projects import Project
from flops_manager.domain.services import placements_of
from flops_manager.domain.subjects import Service
from flops_runtime.environment import write


def describe_aggregator(
    project: Project, service: Service, installation: Installation, address: str
) -> Deployment:
    """Return what to run as the project's aggregator, or as that of a cluster."""
    if project.images is None:
        raise ValueError("actors are started after their images are built")
    sla = project.sla
    is_root_of_tree = project.is_hierarchical and service.role is Role.AGGREGATOR
    order = _over_clusters if is_root_of_tree else _over_learners
    track = TrackOrder(
        url=tracking_url(project),
        experiment=experiment_of(project),
        model_name=_repository_name(sla.ml_repo_url),
        flavor=sla.ml_model_flavor,
        ml_repo_url=sla.ml_repo_url,
        commit=project.commit,
    )
    environment = {
        **in_project(project, service, installation),
        **write(order(project, installation)),
        **write(track),
        **write(GridAccess(_token(project, _cluster_of(service)))),
        **_parent(project, service),
        **_identity(project, service, installation),
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
    sla = project.sla
    order = LearnOrder(
        aggregator_address=_dialled(_aggregator_of(project, service)),
        data_tags=sla.training_configuration.data_tags,
        learner_index=place.node_index,
        node_learners=place.node_learners,
        data_split=sla.data_split,
        customer_id=project.customer_id,
        privacy=sla.privacy,
    )
    environment = {
        **in_project(project, service, installation),
        **write(order),
        **write(installation.data_server),
        **write(GridAccess(_token(project, service.cluster if project.is_hierarchical else ""))),
        **_identity(project, service, installation),
    }
    needs = sla.resource_constraints
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


def _over_learners(project: Project, installation: Installation) -> TrainOrder:
    """Return the order of a classic aggregator, or of a cluster's."""
    sla, training = project.sla, project.sla.training_configuration
    return TrainOrder(
        rounds=training.training_rounds,
        clients=sla.learners,
        min_available=training.min_available_clients,
        min_fit=training.min_fit_clients,
        min_evaluate=training.min_evaluate_clients,
        strategy=Parametrised(sla.strategy.name, sla.strategy.parameters),
        round_timeout_seconds=sla.round_timeout_seconds,
        join_timeout_seconds=installation.join_timeout_seconds,
        take_first=training.take_first_clients,
        checkpoint_every_rounds=training.checkpoint_every_rounds,
        compression=training.compression,
        best_by=sla.strategy.best_by,
        privacy=sla.privacy,
    )


def _over_clusters(project: Project, installation: Installation) -> TrainOrder:
    """Return the order of a tree's root: its rounds are cycles, and it averages the clusters."""
    sla, training = project.sla, project.sla.training_configuration
    return TrainOrder(
        rounds=training.training_cycles,
        clients=len(placements_of(project, Role.CLUSTER_AGGREGATOR)),
        min_available=training.min_clusters,
        min_fit=training.min_clusters,
        min_evaluate=training.min_clusters,
        strategy=Parametrised("FedAvg"),
        round_timeout_seconds=sla.cycle_timeout_seconds,
        # A cluster's aggregator may itself wait so long for its learners.
        join_timeout_seconds=2 * installation.join_timeout_seconds,
        # Clusters start at their own pace; all of them are worth waiting for, once.
        settle_seconds=installation.join_timeout_seconds,
        compression=training.compression,
        best_by=sla.strategy.best_by,
        privacy=sla.privacy,
        leads_clusters=True,
    )


def _cluster_of(service: Service) -> str:
    """Return the cluster whose aggregator this is; empty for the project's."""
    return service.cluster if service.role is Role.CLUSTER_AGGREGATOR else ""


def _parent(project: Project, service: Service) -> dict[str, str]:
    """Return how a cluster's aggregator reaches the root; a root has no parent."""
    if service.role is not Role.CLUSTER_AGGREGATOR:
        return {}
    return write(ParentAccess(_dialled(project.present(Role.AGGREGATOR)), _token(project, "")))


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
    return write(identity(installation.grid_tls_secret, project, name, expects))


def _aggregator_of(project: Project, learner: Service) -> tuple[Service, ...]:
    if not project.is_hierarchical:
        return project.present(Role.AGGREGATOR)
    return tuple(
        service
        for service in project.present(Role.CLUSTER_AGGREGATOR)
        if service.cluster == learner.cluster and service.attempt == learner.attempt
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
