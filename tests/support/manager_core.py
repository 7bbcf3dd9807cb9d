"""The manager's core over memory adapters, and values for its tests."""

import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from flops_contracts.api.answers import TagStats
from flops_contracts.events import (
    Actor,
    ActorImages,
    ActorsBuilt,
    DataProvided,
    Empty,
    Event,
    Failure,
    Fragment,
    Kind,
    ModelBuilt,
    ModelServing,
    RoundCompleted,
    Trained,
)
from flops_contracts.roles import MockStage, Role, Stage
from flops_contracts.sla_documents import read_mock_sla, read_project_sla
from flops_manager.bootstrap import Adapters, Options, wire
from flops_manager.domain.deadlines import Limits
from flops_manager.domain.deployments import Installation
from flops_manager.domain.lifecycle import PROJECTS
from flops_manager.domain.mocks import Mock
from flops_manager.domain.nodes import BUILDER_ADDON, LEARNER_ADDON, Landscape, Node, PlacementMode
from flops_manager.domain.placement import place_project
from flops_manager.domain.project_events import Placed
from flops_manager.domain.projects import Project
from flops_manager.usecases.caller import Caller
from flops_manager.usecases.rhythm import Rhythm
from support.memory.addresses import MemoryAddressBook
from support.memory.bus import MemoryEventBus
from support.memory.changes import MemoryStateChanges
from support.memory.heartbeats import MemoryHeartbeats
from support.memory.identities import MemoryIdentities
from support.memory.images import MemoryImages
from support.memory.logs import MemoryLogFeed, MemoryLogStore
from support.memory.orchestrator import MemoryDataServers, MemoryOrchestrator
from support.memory.runs import MemoryRuns
from support.memory.stores import MemoryEventStore, MemoryLeases, MemoryRecords, memory_mocks
from support.waiting import until

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ANNA = Caller("anna")
ADMIN = Caller("Admin", is_admin=True)

BUILD = "build_image_for_trained_model"
DEPLOY = "deploy_trained_model_image"

INSTALLATION = Installation(
    image_prefix="images.test",
    image_tag="1",
    mqtt_url="mqtt://flops@broker:9027",
    mqtt_password="only-for-this-test",
    image_registry="registry.test:5073",
    backend_store_url="sqlite:///{customer}.db",
    artifact_store_url="/artifacts/{customer}",
)

IMAGES = ActorImages("registry.test/learner:1", "registry.test/aggregator:1")
ACTORS_BUILT = ActorsBuilt(IMAGES, "c0ffee", "3.11", "lock")
TRAINED = Trained("run1", "exp1", "models:/m/1", "m", "1", 2, 3, 0.5, 0.9)
MODEL_BUILT = ModelBuilt("registry.test/anna/trained_model:run1")


def a_sla(steps=(BUILD, DEPLOY), learners=2, minimum=1, tags=("mnist",), rounds=3, **more):
    return read_project_sla(
        {
            "customerID": "anna",
            "ml_repo_url": "https://git.example/anna/mnist-sklearn.git",
            "ml_model_flavor": "sklearn",
            "training_configuration": {
                "data_tags": list(tags),
                "training_rounds": rounds,
                "min_available_clients": minimum,
                "min_fit_clients": minimum,
                "min_evaluate_clients": minimum,
            },
            "post_training_steps": list(steps),
            "learners": learners,
            **more,
        }
    )


def a_hierarchical_sla(minimum=2, cycles=2, clusters=1, **more):
    training = {
        "mode": "hierarchical",
        "data_tags": ["mnist"],
        "training_cycles": cycles,
        "training_rounds": 3,
        "min_available_clients": minimum,
        "min_fit_clients": minimum,
        "min_evaluate_clients": minimum,
        "min_clusters": clusters,
    }
    return a_sla(training_configuration=training, **more)


def two_clusters(rows=None):
    """Return two clusters of two nodes each, with data on all of them."""
    nodes = (
        a_node("node-1", "east"),
        a_node("node-2", "east"),
        a_node("node-3", "west"),
        a_node("node-4", "west"),
    )
    return a_landscape(nodes, rows or {node.name: {"mnist": 1000} for node in nodes})


def a_project(project_id="0123456789ab", **changes):
    """Return a project as it is right after its submission, but for ``changes``."""
    sla = changes.pop("sla", None) or a_sla()
    project = Project(
        id=project_id,
        customer_id="anna",
        sla=sla,
        stage=Stage.SUBMITTED,
        created_at=NOW,
        updated_at=NOW,
        grid_token="token",
    )
    return replace(PROJECTS.submitted(project)[0], **changes)


def a_mock_sla(tag="mnist", partitions=3, nodes=1):
    return read_mock_sla(
        {
            "customerID": "anna",
            "mock_data_configuration": {
                "dataset_name": "mnist",
                "number_of_partitions": partitions,
                "data_tag": tag,
                "source": "builtin:mnist5k",
                "nodes": nodes,
            },
        }
    )


def a_mock(mock_id="ba9876543210", **changes):
    mock = Mock(
        id=mock_id,
        customer_id="anna",
        sla=a_mock_sla(),
        stage=MockStage.SUBMITTED,
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(mock, **changes)


def a_node(name="node-1", cluster="local", vcpus=4, memory_mb=8000, addons=None):
    number = name.rsplit("-", 1)[-1]
    both = frozenset({LEARNER_ADDON, BUILDER_ADDON})
    return Node(
        cluster=cluster,
        name=name,
        address=f"192.0.2.{number}",
        addons=both if addons is None else frozenset(addons),
        vcpus=vcpus,
        memory_mb=memory_mb,
    )


def a_landscape(nodes=None, rows=None):
    """Return nodes with ``rows`` by node name and tag."""
    nodes = nodes if nodes is not None else (a_node(),)
    rows = rows if rows is not None else {"node-1": {"mnist": 4500}}
    data = {
        node.label: {tag: TagStats(count, 1, count * 100) for tag, count in rows[node.name].items()}
        for node in nodes
        if node.name in rows
    }
    return Landscape(tuple(nodes), data)


PLACED = Placed(place_project(a_sla(), a_landscape()))


def walked(project, *events):
    """Return the project after ``events``, and all commands on the way."""
    commands = ()
    for event in events:
        project, more = PROJECTS.transition(project, event, NOW)
        commands += more
    return project, commands


def an_event(project, instance, kind, payload=None, **changes):
    """Return an event of the service ``instance`` of a project (or mock)."""
    service = next(item for item in services_of(project) if item.instance == instance)
    event = Event(
        event_id=uuid4().hex,
        project_id=project.id,
        actor=Actor(service.role, instance, service.cluster, service.node),
        stage=service.stage,
        kind=kind,
        at=NOW,
        payload=payload if payload is not None else Empty(),
    )
    return replace(event, **changes)


def services_of(subject):
    return subject.services


class MovableClock:
    def __init__(self):
        self.time = NOW

    def __call__(self):
        return self.time

    def pass_seconds(self, seconds):
        self.time += timedelta(seconds=seconds)


class CountingProjects(MemoryRecords):
    """A store that counts the queries for active projects."""

    def __init__(self):
        super().__init__(Project.noun)
        self.looks = 0

    def active(self, ended_after):
        self.looks += 1
        return super().active(ended_after)


class Core:
    """A wired manager whose outside is in memory; ``working`` runs its worker."""

    placement = PlacementMode.AUTO
    rhythm = Rhythm(poll_seconds=0.01, watch_seconds=0.02, lease_seconds=0.3, settle_seconds=0.0)

    def __init__(self, limits=None, landscape=None):
        self.clock = MovableClock()
        landscape = landscape or a_landscape()
        self.orchestrator = MemoryOrchestrator(landscape.nodes)
        addresses = {node.label: node.data_address for node in landscape.nodes}
        self.data_servers = MemoryDataServers(
            {addresses[label]: stats for label, stats in landscape.data.items()}
        )
        self.changes = MemoryStateChanges()
        self.images = MemoryImages()
        self.identities = MemoryIdentities()
        self.runs = MemoryRuns()
        self.bus = MemoryEventBus()
        self.adapters = Adapters(
            projects=CountingProjects(),
            mocks=memory_mocks(),
            history=MemoryEventStore(),
            leases=MemoryLeases(self.clock),
            addresses=MemoryAddressBook(),
            identities=self.identities,
            orchestrator=self.orchestrator,
            changes=self.changes,
            data_servers=self.data_servers,
            images=self.images,
            runs=self.runs,
            bus=self.bus,
            heartbeats=MemoryHeartbeats(),
            logs=MemoryLogStore(),
            log_feed=MemoryLogFeed(),
        )
        self.limits = limits or Limits()
        self.app = self.another("worker-1")

    def another(self, holder):
        """Return a second manager over the same outside."""
        options = Options(INSTALLATION, self.limits, self.rhythm, holder, self.placement)
        return wire(self.adapters, options, self.clock)

    @contextmanager
    def working(self, app=None):
        worker = (app or self.app).worker
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            until(lambda: worker.is_active, what="the worker is active")
            yield self
        finally:
            worker.stop()
            thread.join(300)

    def until_looked_at(self):
        """Wait until the worker has looked at the orchestrator twice: once from now on."""
        looks = self.adapters.projects.looks
        until(lambda: self.adapters.projects.looks > looks + 1, what="the worker looked")

    def submit(self, **sla):
        return self.app.projects.submit(a_sla(**sla), ANNA).id

    def project(self, project_id):
        return self.app.projects.get(project_id, ADMIN)

    def announced_stages(self, project_id):
        """Return the stages that the history has, in order."""
        documents = (event.document for event in self.app.projects.events(project_id, ANNA))
        return [
            document["payload"]["stage"]
            for document in documents
            if document["kind"] == Kind.STAGE_CHANGED
        ]

    def running(self):
        return {item.split("x")[0] for item in self.orchestrator.running()}

    def until_stage(self, project_id, stage):
        return until(
            lambda: self.project(project_id).stage is stage and self.project(project_id),
            what=f"{project_id} is {stage}, not {self.project(project_id).stage}",
        )

    def until_running(self, project_id, role, count=1):
        """Wait until the project's services of ``role`` are deployed; return their names."""

        def deployed():
            services = [item for item in self.project(project_id).present(role) if item.job_id]
            return [item.instance for item in services] if len(services) >= count else []

        return until(deployed, what=f"{count} {role} run")

    def say(self, project_id, instance, kind, payload=None, **changes):
        event = an_event(self.project(project_id), instance, kind, payload, **changes)
        self.bus.say(event)
        return event

    def reach_training(self, **sla):
        project_id = self.submit(**sla)
        builder = self.until_running(project_id, Role.BUILDER)[0]
        self.say(project_id, builder, Kind.ACTORS_BUILT, ACTORS_BUILT)
        learners = self.until_running(project_id, Role.LEARNER, a_sla(**sla).learners)
        aggregator = self.until_running(project_id, Role.AGGREGATOR)[0]
        return project_id, aggregator, learners

    def reach_serving(self, **sla):
        project_id, aggregator, _ = self.reach_training(**sla)
        self.say(project_id, aggregator, Kind.TRAINED, TRAINED)
        builder = self.until_running(project_id, Role.BUILDER)[0]
        self.say(project_id, builder, Kind.MODEL_BUILT, MODEL_BUILT)
        return project_id, self.until_running(project_id, Role.MODEL_SERVER)[0]


def a_round(number=1, rounds=3):
    return RoundCompleted(number, rounds, 0.5, 0.8, 1.5)


def a_failure(reason="it broke", exit_code=1, **more):
    return Failure(reason, exit_code, **more)


OBSERVATORY = {"obs", "trk"}
"""What runs as long as a project is there, as ``Core.running`` names it."""

SERVING = ModelServing(8080)
PROVIDED = DataProvided("mnist", (Fragment("mnist.0a.parquet", 1500, 1000, {"0": 150}),))
