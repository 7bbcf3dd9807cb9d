"""Wires the manager. ``build`` does it for real; tests pass adapters of their own to ``wire``."""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from flops_manager.adapters.absent import NoImages, NoStateChanges
from flops_manager.adapters.data_servers import FlightDataServers
from flops_manager.adapters.identities import HttpIdentities
from flops_manager.adapters.images import RegistryAddress, RegistryImages, StoredImages
from flops_manager.adapters.mlflow import MlflowRuns
from flops_manager.adapters.mongo import (
    MongoDatabase,
    MongoEventStore,
    MongoLeases,
    connect,
    mongo_mocks,
    mongo_projects,
)
from flops_manager.adapters.mongo_addresses import MongoAddressBook
from flops_manager.adapters.mongo_heartbeats import MongoHeartbeats
from flops_manager.adapters.mongo_logs import MongoLogStore
from flops_manager.adapters.mqtt import MqttEventBus
from flops_manager.adapters.mqtt_logs import MqttLogFeed
from flops_manager.adapters.oakestra import Oakestra
from flops_manager.adapters.oakestra_hooks import OakestraHooks
from flops_manager.adapters.oakestra_session import Account, OakestraSession
from flops_manager.domain.deadlines import Limits
from flops_manager.domain.deployments import Installation
from flops_manager.domain.lifecycle import PROJECTS
from flops_manager.domain.lifecycles import Lifecycle
from flops_manager.domain.mock_lifecycle import MOCKS
from flops_manager.domain.nodes import PlacementMode
from flops_manager.ports.address_book import AddressBook
from flops_manager.ports.data_servers import DataServers
from flops_manager.ports.event_bus import EventBus
from flops_manager.ports.heartbeats import Heartbeats
from flops_manager.ports.identities import Identities
from flops_manager.ports.images import Images
from flops_manager.ports.leases import Leases
from flops_manager.ports.logs import LogFeed, LogStore
from flops_manager.ports.orchestrator import Orchestrator
from flops_manager.ports.runs import Runs
from flops_manager.ports.state_changes import StateChanges
from flops_manager.ports.stores import EventStore, MockStore, ProjectStore, Records
from flops_manager.settings import Settings
from flops_manager.usecases.addresses import Addresses
from flops_manager.usecases.announcements import Announcements
from flops_manager.usecases.database import Database
from flops_manager.usecases.inbox import Inbox
from flops_manager.usecases.kept_logs import KeptLogs, LogIntake, LogLimits
from flops_manager.usecases.liveness import Liveness
from flops_manager.usecases.mock_steps import MockSteps
from flops_manager.usecases.mocks import Mocks
from flops_manager.usecases.models import Models
from flops_manager.usecases.outbox import Outbox
from flops_manager.usecases.project_steps import ProjectSteps
from flops_manager.usecases.projects import Projects
from flops_manager.usecases.queue import Queue
from flops_manager.usecases.rhythm import Lookout, Rhythm
from flops_manager.usecases.steps import Tools
from flops_manager.usecases.subjects import Subjects
from flops_manager.usecases.survey import Survey
from flops_manager.usecases.tracking import Tracking
from flops_manager.usecases.watch import Watch
from flops_manager.usecases.worker import Subscriptions, Worker
from flops_runtime.reporting import utc_now

Kinds = tuple[tuple[Lifecycle[Any], Records[Any]], ...]


@dataclass(frozen=True)
class Adapters:
    """The outside world, a port each."""

    projects: ProjectStore
    mocks: MockStore
    history: EventStore
    leases: Leases
    addresses: AddressBook
    identities: Identities
    orchestrator: Orchestrator
    changes: StateChanges
    data_servers: DataServers
    images: Images
    runs: Runs
    bus: EventBus
    heartbeats: Heartbeats
    logs: LogStore
    log_feed: LogFeed


@dataclass(frozen=True)
class Options:
    """How the core behaves."""

    installation: Installation
    limits: Limits
    rhythm: Rhythm
    holder: str
    placement: PlacementMode = PlacementMode.AUTO
    logs: LogLimits = field(default_factory=LogLimits)


@dataclass(frozen=True)
class App:
    """The wired core: what the API calls, and what the worker runs."""

    projects: Projects
    mocks: Mocks
    tracking: Tracking
    models: Models
    database: Database
    survey: Survey
    worker: Worker


def build(settings: Settings) -> App:
    """Wire the manager for real; nothing is connected to before it is used."""
    database = connect(settings.mongo_url)
    adapters = Adapters(
        projects=mongo_projects(database),
        mocks=mongo_mocks(database),
        history=MongoEventStore(database),
        leases=MongoLeases(database, utc_now),
        addresses=_address_book(database, settings),
        identities=HttpIdentities(),
        orchestrator=Oakestra(
            OakestraSession(settings.oakestra_url, account_of(settings)), settings.resource_port
        ),
        changes=_changes(settings),
        data_servers=FlightDataServers(
            settings.installation.data_server.token, settings.installation.data_server.ca
        ),
        images=_images(settings),
        runs=MlflowRuns(),
        bus=MqttEventBus(settings.mqtt, utc_now),
        heartbeats=MongoHeartbeats(database),
        logs=MongoLogStore(database),
        log_feed=MqttLogFeed(settings.mqtt),
    )
    options = Options(
        installation=settings.installation,
        limits=settings.limits,
        rhythm=settings.rhythm,
        holder=f"{socket.gethostname()}/{os.getpid()}",
        placement=settings.placement,
        logs=settings.log_limits,
    )
    return wire(adapters, options, utc_now)


def account_of(settings: Settings) -> Account:
    """Return the manager's own account at the root."""
    return Account(
        settings.oakestra_user, settings.oakestra_password, settings.oakestra_organization
    )


def _address_book(database: MongoDatabase, settings: Settings) -> MongoAddressBook:
    return MongoAddressBook(database, utc_now, settings.installation.published_ports)


def _changes(settings: Settings) -> StateChanges:
    """Return the source of state changes; without webhooks there is none."""
    hooks = settings.hooks
    if hooks is None:
        return NoStateChanges()
    return OakestraHooks(hooks.hooks_url, hooks.own_url, settings.bind_address, hooks.port)


def _images(settings: Settings) -> Images:
    """Return where built images are looked up; without store and registry nowhere."""
    if settings.image_store:
        return StoredImages(Path(settings.image_store))
    access = settings.installation.registry_access
    address = access.address or settings.installation.image_registry
    if not address:
        return NoImages()
    return RegistryImages(
        RegistryAddress(
            address, access.user, access.password, access.tls, settings.registry_ca_file
        )
    )


def prepare_store(settings: Settings) -> None:
    """Create the indexes; what exists stays. Raises ``StoreUnavailableError``."""
    database = connect(settings.mongo_url)
    mongo_projects(database).create_indexes()
    mongo_mocks(database).create_indexes()
    MongoEventStore(database).create_indexes()
    _address_book(database, settings).create_indexes()
    MongoHeartbeats(database).create_indexes()
    MongoLogStore(database).create_indexes()
    database.client.close()


def wire(adapters: Adapters, options: Options, now: Callable[[], datetime]) -> App:
    """Wire the core over any adapters."""
    survey = Survey(adapters.orchestrator, adapters.data_servers, options.placement)
    addresses = Addresses(adapters.orchestrator, adapters.addresses, adapters.identities)
    tracking = Tracking(
        adapters.orchestrator, addresses, adapters.leases, options.installation, options.holder
    )
    queue = Queue(adapters.projects, survey, options.limits)
    kinds: Kinds = ((PROJECTS, adapters.projects), (MOCKS, adapters.mocks))
    stores = {role: store for life, store in kinds for role in life.roles}
    kept_logs = KeptLogs(adapters.logs, stores, options.logs, now)
    liveness = Liveness(adapters.heartbeats, now)
    projects = Projects(
        adapters.projects,
        adapters.history,
        adapters.orchestrator,
        survey,
        queue,
        kept_logs,
        liveness,
        now,
    )
    mocks = Mocks(adapters.mocks, adapters.history, kept_logs, liveness, now)
    subjects: tuple[Subjects[Any], ...] = (projects, mocks)
    inbox = Inbox(
        {role: subject for subject in subjects for role in subject.life.roles}, adapters.bus
    )
    subscriptions = Subscriptions(inbox, adapters.bus, LogIntake(adapters.log_feed, kept_logs))
    tools = Tools(
        adapters.orchestrator,
        Announcements(adapters.history, adapters.bus, now),
        adapters.images,
        options.installation,
        now,
    )
    project_steps = ProjectSteps(tools, addresses, queue, tracking, adapters.runs)
    histories = (adapters.history, adapters.heartbeats, adapters.logs)
    rest = options.rhythm.first_rest_seconds
    return App(
        projects=projects,
        mocks=mocks,
        tracking=tracking,
        models=Models(adapters.projects),
        database=Database(projects, mocks),
        survey=survey,
        worker=Worker(
            subscriptions=subscriptions,
            outboxes=(
                Outbox(adapters.projects, histories, project_steps, now, rest),
                Outbox(adapters.mocks, histories, MockSteps(tools, survey), now, rest),
            ),
            watch=Watch(
                kinds,
                adapters.orchestrator,
                adapters.images,
                adapters.bus,
                adapters.heartbeats,
                options.limits,
                now,
            ),
            lookout=Lookout(adapters.changes, options.rhythm),
            leases=adapters.leases,
            holder=options.holder,
            rhythm=options.rhythm,
        ),
    )
