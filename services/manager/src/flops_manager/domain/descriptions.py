"""The deployments of a project's or mock's services: image, environment, place."""

from flops_contracts.access import StoreAccess
from flops_contracts.names import customer_namespace
from flops_contracts.orders import (
    ACTORS,
    MODEL,
    BuildOrder,
    ModelOrder,
    ObserveOrder,
    ProvideOrder,
    ServeOrder,
    TrackingServerOrder,
)
from flops_contracts.roles import Role, Stage
from flops_manager.domain.deployments import (
    Deployment,
    Installation,
    actors,
    helper,
    memory_mb,
    observatory,
)
from flops_manager.domain.environments import in_mock, in_project, tracking_url
from flops_manager.domain.mocks import Mock
from flops_manager.domain.nodes import BUILDER_ADDON, LEARNER_ADDON
from flops_manager.domain.projects import Project
from flops_manager.domain.services import tracking_service
from flops_manager.domain.subjects import Service
from flops_manager.domain.trainers import describe_aggregator, describe_learner
from flops_runtime.environment import variable_of, write
from flops_runtime.settings import ProcessSettings


def describe(
    project: Project,
    service: Service,
    installation: Installation,
    address: str = "",
    port: int = 0,
) -> Deployment:
    """Return what to run for ``service``, at its own address or published port if it has them."""
    match service.role:
        case Role.TRACKING_SERVER:
            return describe_tracking(project.customer_id, installation, address, port)
        case Role.OBSERVER:
            return _observer(project, service, installation, port)
        case Role.BUILDER:
            return _builder(project, service, installation)
        case Role.AGGREGATOR | Role.CLUSTER_AGGREGATOR:
            return describe_aggregator(project, service, installation, address)
        case Role.LEARNER:
            return describe_learner(project, service, installation)
        case Role.MODEL_SERVER:
            return _model_server(project, service, installation, port)
        case Role.MANAGER | Role.MOCK_DATA_PROVIDER:
            raise ValueError(f"a project has no {service.role}")


def describe_tracking(
    customer_id: str, installation: Installation, address: str, port: int
) -> Deployment:
    """Return what to run as a customer's tracking server; ``{customer}`` in a URL is filled in."""
    namespace = customer_namespace(customer_id)
    stores = StoreAccess(
        installation.backend_store_url.replace("{customer}", namespace),
        installation.artifact_store_url.replace("{customer}", namespace),
    )
    name = tracking_service(customer_id)
    order = TrackingServerOrder(name, installation.allowed_hosts, port)
    environment = {
        **write(stores),
        **write(order),
        variable_of(ProcessSettings, "log_level"): installation.log_level,
    }
    return Deployment(
        application=observatory(customer_id),
        name=name,
        image=installation.image("tracking-server"),
        environment=environment,
        memory_mb=memory_mb(Role.TRACKING_SERVER),
        is_one_shot=False,
        port=port,
        address=address,
    )


def describe_mock(mock: Mock, service: Service, installation: Installation) -> Deployment:
    """Return what to run as a mock data provider."""
    order = ProvideOrder(mock.sla.mock_data_configuration, service.index)
    environment = {
        **in_mock(mock, service, installation),
        **write(installation.data_server),
        **write(order),
    }
    return Deployment(
        application=helper(mock.customer_id),
        name=service.instance,
        image=installation.image("mock-data-provider"),
        environment=environment,
        memory_mb=memory_mb(Role.MOCK_DATA_PROVIDER),
        cluster=service.cluster,
        node=service.node,
        addon=LEARNER_ADDON,
    )


def _observer(
    project: Project, service: Service, installation: Installation, port: int
) -> Deployment:
    return Deployment(
        application=observatory(project.customer_id),
        name=service.instance,
        image=installation.image("project-observer"),
        environment={
            **in_project(project, service, installation),
            **write(ObserveOrder(port)),
        },
        memory_mb=memory_mb(Role.OBSERVER),
        is_one_shot=False,
        port=port,
    )


def _builder(project: Project, service: Service, installation: Installation) -> Deployment:
    sla = project.sla
    is_for_model = service.stage == Stage.BUILDING_MODEL
    order = BuildOrder(
        registry=installation.image_registry,
        flavor=sla.ml_model_flavor,
        build=MODEL if is_for_model else ACTORS,
        ml_repo_url=sla.ml_repo_url,
        ml_repo_ref=sla.ml_repo_ref,
        platforms=sla.supported_platforms,
        counts_privacy=sla.privacy.differential_privacy is not None,
        image_prefix=installation.base_image_prefix or installation.image_prefix,
        image_tag=installation.tag(is_devel=sla.use_devel_base_images),
    )
    environment = {
        **in_project(project, service, installation),
        **write(order),
        **write(installation.registry_access),
        **(write(_model_order(project)) if is_for_model else {}),
    }
    return Deployment(
        application=actors(project),
        name=service.instance,
        image=installation.image("image-builder"),
        environment=environment,
        memory_mb=memory_mb(Role.BUILDER),
        cluster=service.cluster,
        node=service.node,
        addon=BUILDER_ADDON,
    )


def _model_order(project: Project) -> ModelOrder:
    if project.trained is None or project.images is None:
        raise ValueError("a model is built after training")
    return ModelOrder(
        model_uri=project.trained.model_uri,
        run_id=project.trained.run_id,
        customer_id=project.customer_id,
        actors_image=project.images.aggregator,
        mlflow_url=tracking_url(project),
    )


def _model_server(
    project: Project, service: Service, installation: Installation, port: int
) -> Deployment:
    return Deployment(
        application=helper(project.customer_id),
        name=service.instance,
        image=project.model_image,
        environment={**in_project(project, service, installation), **write(ServeOrder(port))},
        memory_mb=memory_mb(Role.MODEL_SERVER, project.sla.ml_model_flavor),
        is_one_shot=False,
        port=port,
        cluster=service.cluster,
        node=service.node,
    )
