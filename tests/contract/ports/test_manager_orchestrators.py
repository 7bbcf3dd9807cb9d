"""The promises of the manager's orchestrators: in memory, and over Oakestra's API."""

import pytest

from flops_manager.adapters.oakestra import Oakestra
from flops_manager.adapters.oakestra_session import Account, OakestraSession
from flops_manager.domain.deployments import ApplicationKey, Deployment
from flops_manager.domain.errors import (
    OrchestratorRefusedError,
    OrchestratorUnavailableError,
    ServiceAddressTakenError,
)
from flops_manager.domain.nodes import BUILDER_ADDON, LEARNER_ADDON
from flops_manager.domain.states import Health
from support.broker import free_port
from support.local_oakestra import Client, World
from support.manager_core import a_node
from support.memory.orchestrator import MemoryOrchestrator
from support.waiting import until

PROJECT = ApplicationKey("proj0123456789ab", "c0123456789ab")
OTHER = ApplicationKey("helper", "c0123456789ab")
SLEEP = "import threading; print('here I am', flush=True); threading.Event().wait()"


class OrchestratorContract:
    """The promises of every orchestrator. Subclasses supply ``orchestrator`` and ``image``."""

    def deployment(self, image, name="svc1", application=PROJECT, **changes):
        return Deployment(**{"application": application, "name": name, "image": image, **changes})

    def test_a_deployed_service_runs(self, orchestrator, image):
        deployed = orchestrator.deploy(self.deployment(image))

        state = until(lambda: self.running_state(orchestrator))
        assert state.job_id == deployed.job_id
        assert state.public_address

    def test_deploying_twice_finds_the_first(self, orchestrator, image):
        first = orchestrator.deploy(self.deployment(image, address="10.30.200.7"))

        again = orchestrator.deploy(self.deployment(image, address="10.30.200.8"))

        assert again == first
        assert first.address == "10.30.200.7"
        assert list(orchestrator.states(PROJECT)) == ["svc1"]

    def test_an_address_is_given_once(self, orchestrator, image):
        orchestrator.deploy(self.deployment(image, address="10.30.200.7"))

        with pytest.raises(ServiceAddressTakenError):
            orchestrator.deploy(self.deployment(image, "svc2", address="10.30.200.7"))

        assert list(orchestrator.states(PROJECT)) == ["svc1"]

    def test_an_undeployed_service_is_gone_and_may_be_undeployed_again(self, orchestrator, image):
        job_id = orchestrator.deploy(self.deployment(image)).job_id

        orchestrator.undeploy(PROJECT, "svc1", job_id)
        orchestrator.undeploy(PROJECT, "svc1", job_id)

        assert orchestrator.states(PROJECT) == {}

    def test_a_service_is_undeployed_by_its_name_alone(self, orchestrator, image):
        orchestrator.deploy(self.deployment(image))

        orchestrator.undeploy(PROJECT, "svc1")
        orchestrator.undeploy(PROJECT, "svc1")

        assert orchestrator.states(PROJECT) == {}

    def test_the_address_of_a_removed_service_is_free_again(self, orchestrator, image):
        orchestrator.deploy(self.deployment(image, address="10.30.200.7"))
        orchestrator.undeploy(PROJECT, "svc1")

        deployed = orchestrator.deploy(self.deployment(image, "svc2", address="10.30.200.7"))

        assert deployed.address == "10.30.200.7"

    def test_applications_keep_their_services_apart(self, orchestrator, image):
        orchestrator.deploy(self.deployment(image))
        orchestrator.deploy(self.deployment(image, "svc2", OTHER))

        assert list(orchestrator.states(PROJECT)) == ["svc1"]
        assert list(orchestrator.states(OTHER)) == ["svc2"]

    def test_an_unknown_application_has_no_services(self, orchestrator):
        assert orchestrator.states(PROJECT) == {}

    def test_a_removed_application_takes_its_services_along(self, orchestrator, image):
        orchestrator.create_application(PROJECT)
        orchestrator.create_application(PROJECT)
        orchestrator.deploy(self.deployment(image))

        orchestrator.remove_application(PROJECT)
        orchestrator.remove_application(PROJECT)

        assert orchestrator.states(PROJECT) == {}

    def test_a_removed_application_may_come_back(self, orchestrator, image):
        orchestrator.create_application(PROJECT)
        orchestrator.remove_application(PROJECT)

        orchestrator.deploy(self.deployment(image))

        assert list(orchestrator.states(PROJECT)) == ["svc1"]

    def test_nodes_say_where_they_are_and_what_they_can(self, orchestrator):
        (node,) = orchestrator.nodes()

        assert (node.cluster, node.name) == ("local", "node-1")
        assert node.addons == {LEARNER_ADDON, BUILDER_ADDON}
        assert node.address
        assert node.memory_mb > 0

    def running_state(self, orchestrator):
        state = orchestrator.states(PROJECT).get("svc1")
        return state if state and state.health is Health.RUNNING else None


class TestMemoryOrchestrator(OrchestratorContract):
    @pytest.fixture
    def orchestrator(self):
        return MemoryOrchestrator((a_node(),))

    @pytest.fixture
    def image(self):
        return "image"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("oakestra"), FLOPS_LOCAL_REPORT_SECONDS="60")
    try:
        yield world.start()
    finally:
        world.end()


def oakestra(world):
    return Oakestra(OakestraSession(world.url, Account("Admin", "Admin")))


class TestOakestra(OrchestratorContract):
    @pytest.fixture
    def orchestrator(self, world):
        orchestrator = oakestra(world)
        yield orchestrator
        orchestrator.remove_application(PROJECT)
        orchestrator.remove_application(OTHER)

    @pytest.fixture
    def image(self, world):
        return world.image("sleeper", SLEEP)

    def test_logs_and_the_end_of_a_service_are_seen(self, orchestrator, world):
        image = world.image("failing", "print('what a pity', flush=True); raise SystemExit(3)")

        orchestrator.deploy(self.deployment(image))

        state = until(
            lambda: (state := orchestrator.states(PROJECT)["svc1"]).health is Health.DEAD and state
        )
        assert "what a pity" in state.logs
        assert "3" in state.detail

    def test_a_one_shot_that_ends_well_has_ended(self, orchestrator, world):
        image = world.image("short", "print('done')")

        orchestrator.deploy(self.deployment(image))

        until(lambda: orchestrator.states(PROJECT)["svc1"].health is Health.ENDED)

    def test_a_service_goes_to_the_node_that_was_chosen(self, orchestrator, image):
        orchestrator.deploy(self.deployment(image, cluster="elsewhere", node="node-9"))

        state = until(lambda: orchestrator.states(PROJECT)["svc1"])
        assert (state.health, state.status) == (Health.UNPLACEABLE, "TargetClusterNotActive")

    def test_what_asks_for_too_much_is_unplaceable(self, orchestrator, image):
        orchestrator.deploy(self.deployment(image, memory_mb=10_000_000))

        assert orchestrator.states(PROJECT)["svc1"].health is Health.UNPLACEABLE

    def test_undeploying_leaves_no_instance_though_the_root_skips_every_second(
        self, orchestrator, world, image
    ):
        client = Client(world)
        job_id = orchestrator.deploy(self.deployment(image)).job_id
        for _ in range(3):
            client.deploy(job_id)
        until(lambda: len(world.running()) == 4)

        orchestrator.undeploy(PROJECT, "svc1", job_id)

        until(lambda: not world.left())

    def test_an_application_is_removed_with_every_instance(self, orchestrator, world, image):
        client = Client(world)
        job_id = orchestrator.deploy(self.deployment(image)).job_id
        client.deploy(job_id)
        client.deploy(job_id)
        until(lambda: len(world.running()) == 3)

        orchestrator.remove_application(PROJECT)

        until(lambda: not world.left())

    def test_an_application_that_somebody_else_deleted_is_made_again(self, world, image):
        first, second = oakestra(world), oakestra(world)
        first.create_application(PROJECT)
        second.remove_application(PROJECT)

        first.deploy(self.deployment(image))

        assert list(first.states(PROJECT)) == ["svc1"]
        first.remove_application(PROJECT)

    def test_a_wrong_password_is_refused(self, world):
        with pytest.raises(OrchestratorRefusedError, match="password"):
            Oakestra(OakestraSession(world.url, Account("Admin", "wrong"))).states(PROJECT)

    def test_a_token_that_is_no_longer_accepted_is_replaced(self, world):
        session = OakestraSession(world.url, Account("Admin", "Admin"))
        orchestrator = Oakestra(session)
        orchestrator.create_application(PROJECT)
        session._token = "not.a.token"

        assert orchestrator.states(PROJECT) == {}
        orchestrator.remove_application(PROJECT)

    def test_a_token_that_runs_out_soon_is_refreshed(self, world):
        now = [0.0]
        session = OakestraSession(world.url, Account("Admin", "Admin"), lambda: now[0])
        session.get("/api/user/Admin")
        first = session._token

        now[0] = 10_000.0
        session.get("/api/user/Admin")

        assert session._token not in {"", first}

    def test_an_orchestrator_that_is_away_is_said_to_be(self):
        away = Oakestra(
            OakestraSession(f"http://127.0.0.1:{free_port()}", Account("Admin", "Admin"))
        )

        with pytest.raises(OrchestratorUnavailableError):
            away.nodes()
