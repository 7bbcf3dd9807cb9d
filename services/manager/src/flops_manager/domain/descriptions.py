"""From a project or mock to what the orchestrator is told to run: image, environment, place."""

import json

from flops_contracts.names import customer_namespace
from flops_contracts.roles import MockStage, Role, Stage
from flops_manager.domain.deployments import (
    GRID_PORT,
    MEMORY_MB,
    MODEL_PORT,
    OBSERVER_PORT,
    TRACKING_PORT,
    Deployment,
    Installation,
    actors,
    helper,
    observatory,
)
from flops_manager.domain.mocks import Mock
from flops_manager.domain.nodes import BUILDER_ADDON, LEARNER_ADDON
from flops_manager.domain.projects import Project, Service
from flops_manager.domain.services import placements_of, tracking_service


def describe(
    project: Project, service: Service, installation: Installation, address: str = ""
) -> Deployment:
    """Return what to run for ``service``."""
    match service.role:
        case Role.TRACKING_SERVER:
            return describe_tracking(project.owner, installation, address)
        case Role.OBSERVER:
            return _observer(project, service, installation)
        case Role.BUILDER:
            return _builder(project, service, installation)
        case Role.AGGREGATOR | Role.CLUSTER_AGGREGATOR:
            return _aggregator(project, service, installation, address)
        case Role.LEARNER:
            return _learner(project, service, installation)
        case Role.MODEL_SERVER:
            return _model_server(project, service, installation)
        case Role.MANAGER | Role.MOCK_DATA_PROVIDER:
            raise ValueError(f"a project has no {service.role}")


def describe_tracking(owner: str, installation: Installation, address: str) -> Deployment:
    """Return what to run as a customer's tracking server; ``{customer}`` in a URL is filled in."""
    namespace = customer_namespace(owner)
    environment = {
        "FLOPS_BACKEND_STORE_URL": installation.backend_store_url.replace("{customer}", namespace),
        "FLOPS_ARTIFACT_STORE_URL": installation.artifact_store_url.replace(
            "{customer}", namespace
        ),
        "FLOPS_ALLOWED_HOSTS": installation.allowed_hosts,
        "FLOPS_LOG_LEVEL": installation.log_level,
    }
    return Deployment(
        application=observatory(owner),
        name=tracking_service(owner),
        image=installation.image("tracking-server"),
        environment={key: value for key, value in environment.items() if value},
        memory_mb=MEMORY_MB[Role.TRACKING_SERVER],
        is_one_shot=False,
        port=f"{TRACKING_PORT}:{TRACKING_PORT}",
        address=address,
    )


def describe_mock(mock: Mock, service: Service, installation: Installation) -> Deployment:
    """Return what to run as a mock data provider."""
    wanted = mock.sla.mock_data_configuration
    environment = {
        "FLOPS_MOCK_ID": mock.id,
        **_actor(service, MockStage.PROVIDING, installation, installation.log_level),
        "FLOPS_DATASET_NAME": wanted.dataset_name,
        "FLOPS_NUMBER_OF_PARTITIONS": str(wanted.number_of_partitions),
        "FLOPS_DATA_TAG": wanted.data_tag,
        "FLOPS_SPLIT": wanted.split,
        "FLOPS_PARTITIONER": _json(wanted.partitioner),
        "FLOPS_SEED": str(wanted.seed),
        "FLOPS_SOURCE": wanted.source,
    }
    return Deployment(
        application=helper(mock.owner),
        name=service.instance,
        image=installation.image("mock-data-provider"),
        environment=environment,
        memory_mb=MEMORY_MB[Role.MOCK_DATA_PROVIDER],
        cluster=service.cluster,
        node=service.node,
        addon=LEARNER_ADDON,
    )


def _actor(
    service: Service, stage: str, installation: Installation, log_level: str
) -> dict[str, str]:
    return {
        "FLOPS_INSTANCE": service.instance,
        "FLOPS_STAGE": stage,
        "FLOPS_CLUSTER": service.cluster,
        "FLOPS_NODE": service.node,
        "FLOPS_MQTT_URL": installation.mqtt_url,
        "FLOPS_MQTT_PASSWORD": installation.mqtt_password,
        "FLOPS_LOG_LEVEL": log_level,
    }


def _in_project(project: Project, service: Service, installation: Installation) -> dict[str, str]:
    level = "DEBUG" if project.sla.verbose else installation.log_level
    return {
        "FLOPS_PROJECT_ID": project.id,
        **_actor(service, service.stage, installation, level),
    }


def _tracking_url(project: Project) -> str:
    servers = project.present(Role.TRACKING_SERVER)
    return f"http://{servers[0].address}:{TRACKING_PORT}" if servers else ""


def _json(named: object) -> str:
    return json.dumps(vars(named), sort_keys=True, default=dict)


def _observer(project: Project, service: Service, installation: Installation) -> Deployment:
    return Deployment(
        application=observatory(project.owner),
        name=service.instance,
        image=installation.image("project-observer"),
        environment=_in_project(project, service, installation),
        memory_mb=MEMORY_MB[Role.OBSERVER],
        is_one_shot=False,
        port=f"{OBSERVER_PORT}:{OBSERVER_PORT}",
    )


def _builder(project: Project, service: Service, installation: Installation) -> Deployment:
    sla = project.sla
    is_for_model = service.stage == Stage.BUILDING_MODEL
    environment = {
        **_in_project(project, service, installation),
        "FLOPS_BUILD": "model" if is_for_model else "actors",
        "FLOPS_IMAGE_REGISTRY": installation.image_registry,
        **installation.registry_access.environment(),
        "FLOPS_IMAGE_PREFIX": installation.base_image_prefix or installation.image_prefix,
        "FLOPS_IMAGE_TAG": installation.tag(is_devel=sla.use_devel_base_images),
        "FLOPS_ML_MODEL_FLAVOR": sla.ml_model_flavor,
        "FLOPS_SUPPORTED_PLATFORMS": ",".join(sla.supported_platforms),
        "FLOPS_ML_REPO_URL": sla.ml_repo_url,
        "FLOPS_ML_REPO_REF": sla.ml_repo_ref,
        **(_model_build(project) if is_for_model else {}),
    }
    return Deployment(
        application=actors(project),
        name=service.instance,
        image=installation.image("image-builder"),
        environment=environment,
        memory_mb=MEMORY_MB[Role.BUILDER],
        cluster=service.cluster,
        node=service.node,
        addon=BUILDER_ADDON,
    )


def _model_build(project: Project) -> dict[str, str]:
    if project.trained is None or project.images is None:
        raise ValueError("a model is built after training")
    return {
        "FLOPS_MLFLOW_URL": _tracking_url(project),
        "FLOPS_MODEL_URI": project.trained.model_uri,
        "FLOPS_RUN_ID": project.trained.run_id,
        "FLOPS_CUSTOMER": project.owner,
        "FLOPS_ACTORS_IMAGE": project.images.aggregator,
    }


def _aggregator(
    project: Project, service: Service, installation: Installation, address: str
) -> Deployment:
    if project.images is None:
        raise ValueError("actors are started after their images are built")
    sla, training = project.sla, project.sla.training_configuration
    environment = {
        **_in_project(project, service, installation),
        "FLOPS_GRID_TOKEN": project.grid_token,
        "FLOPS_TRAINING_ROUNDS": str(training.training_rounds),
        "FLOPS_LEARNERS": str(sla.learners),
        "FLOPS_MIN_AVAILABLE_CLIENTS": str(training.min_available_clients),
        "FLOPS_MIN_FIT_CLIENTS": str(training.min_fit_clients),
        "FLOPS_MIN_EVALUATE_CLIENTS": str(training.min_evaluate_clients),
        "FLOPS_STRATEGY": _json(sla.strategy),
        "FLOPS_ROUND_TIMEOUT_SECONDS": str(sla.round_timeout_seconds),
        "FLOPS_JOIN_TIMEOUT_SECONDS": str(installation.join_timeout_seconds),
        "FLOPS_MLFLOW_URL": _tracking_url(project),
        "FLOPS_EXPERIMENT_NAME": f"{_repository_name(sla.ml_repo_url)}-{project.id}",
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
        memory_mb=MEMORY_MB[Role.AGGREGATOR],
        address=address,
        cluster=service.cluster,
        node=service.node,
    )


def _learner(project: Project, service: Service, installation: Installation) -> Deployment:
    if project.images is None:
        raise ValueError("actors are started after their images are built")
    aggregators = project.present(Role.AGGREGATOR)
    place = placements_of(project, Role.LEARNER)[service.index]
    environment = {
        **_in_project(project, service, installation),
        "FLOPS_AGGREGATOR_ADDRESS": f"{aggregators[-1].address}:{GRID_PORT}",
        "FLOPS_GRID_TOKEN": project.grid_token,
        "FLOPS_DATA_TAGS": ",".join(project.sla.training_configuration.data_tags),
        "FLOPS_LEARNER_INDEX": str(place.node_index),
        "FLOPS_NODE_LEARNERS": str(place.node_learners),
        "FLOPS_DATA_SPLIT": project.sla.data_split,
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


def _model_server(project: Project, service: Service, installation: Installation) -> Deployment:
    return Deployment(
        application=helper(project.owner),
        name=service.instance,
        image=project.model_image,
        environment=_in_project(project, service, installation),
        memory_mb=MEMORY_MB[Role.MODEL_SERVER],
        is_one_shot=False,
        port=f"{MODEL_PORT}:{MODEL_PORT}",
        cluster=service.cluster,
        node=service.node,
    )


def _repository_name(url: str) -> str:
    name = url.rstrip("/").rsplit("/", 1)[-1].rsplit(":", 1)[-1].removesuffix(".git")
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)
