"""Projects without a place fail in time, with the reason and a hint: a manager at a real API."""

import json
import sys
from contextlib import contextmanager
from dataclasses import replace

import pytest

from flops_contracts.bundles import Bundle, write_bundle
from flops_contracts.events import Kind
from flops_contracts.ports import DATA_SERVER_PORT
from flops_contracts.roles import Role, Stage
from flops_flight.client import DataServer
from flops_manager.adapters.data_servers import FlightDataServers
from flops_manager.adapters.oakestra import Oakestra
from flops_manager.adapters.oakestra_hooks import OakestraHooks
from flops_manager.adapters.oakestra_session import Account, OakestraSession
from flops_manager.domain.deadlines import Limits
from flops_manager.domain.nodes import PlacementMode
from flops_runtime.settings import ProcessSettings
from support.broker import free_port
from support.data_plane import a_data_server, a_table
from support.inner_root import inner_root
from support.local_oakestra import Client
from support.manager_core import ACTORS_BUILT, IMAGES, Core
from support.waiting import until

LEARNER, BUILDER = "FLOps-learner", "image-builder"
STAY = (sys.executable, "-c", "import signal; signal.pause()")
RUNNABLE = [
    *(f"images.test/{name}:1" for name in ("image-builder", "project-observer", "tracking-server")),
    *(IMAGES.aggregator, IMAGES.learner),
]


def a_topology(*addons, memory_mb=8000):
    """Return a cluster with a node for each set of addons."""
    nodes = [
        {"name": f"w{number}", "vcpus": 4, "memory_mb": memory_mb, "addons": list(node_addons)}
        for number, node_addons in enumerate(addons, 1)
    ]
    return [{"cluster": "west", "nodes": nodes}]


BOTH = a_topology([LEARNER, BUILDER])


class Manager(Core):
    """A core whose orchestrator is a root's API."""

    def __init__(self, root, oakestra, placement):
        super().__init__(Limits())
        self.root = root
        self.adapters = replace(
            self.adapters, orchestrator=oakestra, data_servers=FlightDataServers()
        )
        self.placement = placement
        self.app = self.another("worker-1")

    def failed(self, project_id):
        """Return why the project failed."""
        return self.until_stage(project_id, Stage.FAILED).error

    def placed(self, project_id):
        """Return where the project's learners go, once that is decided."""
        project = until(lambda: self.if_placed(project_id), what="it is placed")
        return [
            placement.node for placement in project.placements if placement.role is Role.LEARNER
        ]

    def if_placed(self, project_id):
        project = self.project(project_id)
        return project if project.placements else None

    def service(self, project_id, role):
        """Return the document of the first service of a role."""
        project = until(lambda: self.with_job(project_id, role), what=f"a {role}")
        return Client(self.root).service(project.present(role)[0].job_id)

    def with_job(self, project_id, role):
        project = self.project(project_id)
        return project if any(service.job_id for service in project.present(role)) else None


class Patient(Core):
    """A core that hardly ever looks at its orchestrator by itself."""

    rhythm = replace(Core.rhythm, watch_seconds=300, heard_watch_seconds=300)

    def __init__(self, root):
        super().__init__(Limits())
        port = free_port()
        hooks = f"http://{root.network}.0.1:11011"
        self.adapters = replace(
            self.adapters,
            orchestrator=Oakestra(OakestraSession(root.url, Account("Admin", "Admin"))),
            changes=OakestraHooks(hooks, f"http://127.0.0.1:{port}", "127.0.0.1", port),
        )
        self.app = self.another("worker-1")


class Forgetful(Oakestra):
    """Believes in a node that left its cluster a moment ago."""

    def nodes(self):
        return tuple(replace(node, name="w9") for node in super().nodes())


@contextmanager
def managing(folder, topology=BOTH, placement=PlacementMode.AUTO, kind=Oakestra, **settings):
    environment = {
        "FLOPS_LOCAL_TOPOLOGY": json.dumps(topology),
        **{f"FLOPS_LOCAL_{key.upper()}": value for key, value in settings.items()},
    }
    for reference in RUNNABLE:
        write_bundle(folder / "images", Bundle(reference, STAY, {}, "/"))
    with inner_root(folder, environment) as root:
        oakestra = kind(OakestraSession(root.url, Account("Admin", "Admin")))
        manager = Manager(root, oakestra, placement)
        with manager.working():
            yield manager


@pytest.mark.parametrize(
    ("topology", "words", "switch"),
    [
        (a_topology([BUILDER]), "No active node has the addon FLOps-learner", "addon FLOps on"),
        (a_topology([LEARNER]), "No active node has the addon image-builder", "imageBuilder on"),
    ],
    ids=["learner", "builder"],
)
def test_a_missing_addon_fails_the_project_with_how_to_switch_it_on(
    tmp_path, topology, words, switch
):
    with managing(tmp_path, topology) as manager:
        error = manager.failed(manager.submit())

    assert words in error.reason
    assert switch in error.hint


def test_learners_that_fit_nowhere_fail_the_project_with_what_fits(tmp_path):
    with managing(tmp_path) as manager:
        error = manager.failed(manager.submit(resource_constraints={"memory": 9000, "vcpus": 1}))

    assert "9000 MB" in error.reason
    assert "room for 0 (0 on west/w1)" in error.reason
    assert "resource_constraints" in error.hint


def test_nodes_that_are_too_small_for_a_builder_fail_the_project(tmp_path):
    with managing(tmp_path, a_topology([LEARNER, BUILDER], memory_mb=600)) as manager:
        error = manager.failed(manager.submit())

    assert "The builder needs" in error.reason
    assert error.hint


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("NoActiveClusterWithCapacity", "ask for less"),
        ("TargetClusterNotActive", "has not reported for 30 s"),
    ],
)
def test_what_the_scheduler_refuses_fails_the_project_with_its_word_and_a_hint(
    tmp_path, status, words
):
    with managing(tmp_path, scheduler=status) as manager:
        error = manager.failed(manager.submit())

    assert f"could not be placed: {status}" in error.reason
    assert error.role is Role.BUILDER
    assert words in error.hint


def test_a_scheduler_that_never_answers_fails_the_project_after_two_minutes(tmp_path):
    with managing(tmp_path, scheduler="silent") as manager:
        project_id = manager.submit()
        until(lambda: manager.with_job(project_id, Role.BUILDER), what="the builder is asked for")
        manager.clock.pass_seconds(121)

        error = manager.failed(project_id)

    assert "is still REQUESTED after 121 s" in error.reason
    assert "gives no answer" in error.hint


def test_a_node_that_is_gone_fails_the_project_though_its_cluster_never_says_so(tmp_path):
    with managing(tmp_path, kind=Forgetful) as manager:
        project_id = manager.submit()
        until(lambda: manager.with_job(project_id, Role.BUILDER), what="the builder is asked for")
        manager.clock.pass_seconds(121)

        error = manager.failed(project_id)

    assert "is still CLUSTER_SCHEDULED" in error.reason
    assert "full or gone" in error.hint


TWO = a_topology([LEARNER], [BUILDER])


def test_at_a_current_root_the_builder_is_sent_to_a_node_with_its_addon(tmp_path):
    with managing(tmp_path, TWO) as manager:
        document = manager.service(manager.submit(), Role.BUILDER)

    assert document["constraints"] == [{"type": "direct", "cluster": "west", "node": "w2"}]


def test_at_a_root_of_2024_the_builder_asks_for_its_addon_and_gets_it(tmp_path):
    with managing(tmp_path, TWO, constraints="all") as manager:
        document = manager.service(manager.submit(), Role.BUILDER)

    assert {"type": "addons", "needs": [BUILDER]} in document["constraints"]
    assert document["instance_list"][0]["host_ip"] == f"{manager.root.network}.1.2"


def test_by_addons_nothing_is_asked_for_directly_even_at_a_current_root(tmp_path):
    with managing(tmp_path, TWO, PlacementMode.ADDONS) as manager:
        document = manager.service(manager.submit(), Role.BUILDER)

    assert document["constraints"] == [{"type": "addons", "needs": [BUILDER]}]


def test_direct_placement_at_a_root_of_2024_fails_and_says_what_is_closed(tmp_path):
    with managing(tmp_path, TWO, PlacementMode.DIRECT, constraints="all") as manager:
        error = manager.failed(manager.submit())

    assert "no cluster reports the names of its workers" in error.reason
    assert "FLOPS_CLUSTER_RESOURCE_PORT" in error.hint


def test_learners_ask_for_what_the_sla_says(tmp_path):
    with managing(tmp_path) as manager:
        project_id = manager.submit(resource_constraints={"memory": 700, "vcpus": 1, "storage": 5})
        builder = until(lambda: manager.with_job(project_id, Role.BUILDER)).present(Role.BUILDER)[0]
        manager.say(project_id, builder.instance, Kind.ACTORS_BUILT, ACTORS_BUILT)
        document = manager.service(project_id, Role.LEARNER)

    assert (document["memory"], document["vcpus"], document["storage"]) == (700, 1, 5)


def test_a_death_that_the_root_reports_is_noticed_long_before_the_next_look(tmp_path):
    dies = (sys.executable, "-c", "raise SystemExit(3)")
    write_bundle(tmp_path / "images", Bundle("images.test/image-builder:1", dies, {}, "/"))
    with inner_root(tmp_path, {}) as root, Patient(root).working() as manager:
        until(lambda: manager.adapters.changes.is_heard, what="it listens to changes")

        error = manager.until_stage(manager.submit(), Stage.FAILED).error

    assert "DEAD (exit code 3)" in error.reason


@contextmanager
def data_on(folder, root, number, tag, rows):
    """Serve data from a node, at its own address and the port that the NodeEngine gives."""
    process = ProcessSettings(bind_address=f"{root.network}.1.{number}", status_port=0)
    folder.mkdir()
    with a_data_server(folder, process=process, flight_port=DATA_SERVER_PORT):
        with DataServer(f"{root.network}.1.{number}:{DATA_SERVER_PORT}") as client:
            client.upload(tag, a_table(rows))
        yield


def test_learners_go_where_data_servers_say_that_the_data_are(tmp_path):
    both = [LEARNER, BUILDER]
    with (
        managing(tmp_path, a_topology(both, both, both)) as manager,
        data_on(tmp_path / "1", manager.root, 1, "other", 500),
        data_on(tmp_path / "2", manager.root, 2, "mnist", 10),
        data_on(tmp_path / "3", manager.root, 3, "mnist", 20),
    ):
        project_id = manager.submit(learners=3)

        assert manager.placed(project_id) == ["w2", "w3", "w3"]


def test_where_no_data_server_answers_learners_are_spread_over_all_learner_nodes(tmp_path):
    with managing(tmp_path, a_topology([LEARNER, BUILDER], [LEARNER], [BUILDER])) as manager:
        assert manager.placed(manager.submit(learners=2)) == ["w1", "w2"]
