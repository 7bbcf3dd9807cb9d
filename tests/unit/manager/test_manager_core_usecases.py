"""The use cases of callers, without a worker."""

import threading

import pytest

from flops_contracts.roles import Role, Stage
from flops_manager.domain.errors import (
    AlreadyExistsError,
    IllegalTransitionError,
    KeyReusedError,
    ModelNotFoundError,
    NotAllowedError,
    OrchestratorUnavailableError,
    SubjectNotFoundError,
)
from flops_manager.ports.stores import Record
from flops_manager.usecases.addresses import Addresses
from flops_manager.usecases.caller import Caller
from flops_manager.usecases.tracking import Tracking
from support.manager_core import (
    ADMIN,
    ANNA,
    INSTALLATION,
    TRAINED,
    Core,
    a_mock_sla,
    a_project,
    a_sla,
)
from support.memory.addresses import MemoryAddressBook
from support.memory.identities import MemoryIdentities

BEN = Caller("ben")


def an_impatient_tracking(core):
    leases = core.adapters.leases
    addresses = Addresses(core.orchestrator, MemoryAddressBook(), MemoryIdentities())
    return Tracking(core.orchestrator, addresses, leases, INSTALLATION, "here", patience_seconds=0)


@pytest.fixture
def core():
    return Core()


def test_submitting_creates_nothing_yet_but_what_is_to_be_done(core):
    project = core.app.projects.submit(a_sla(), ANNA)

    assert project.stage is Stage.SUBMITTED
    assert core.orchestrator.applications == set()
    assert core.adapters.projects.busy() == [project.id]


def test_the_same_key_returns_the_first_project(core):
    first = core.app.projects.submit(a_sla(), ANNA, "once")

    again = core.app.projects.submit(a_sla(), ANNA, "once")

    assert again == first
    assert core.app.projects.submit(a_sla(), ANNA, "twice").id != first.id
    assert len({core.app.projects.submit(a_sla(), ANNA).id for _ in range(3)}) == 3


def test_the_same_key_returns_the_first_mock(core):
    first = core.app.mocks.submit(a_mock_sla(), ANNA, "once")

    assert core.app.mocks.submit(a_mock_sla(), ANNA, "once") == first


def test_the_same_key_with_another_sla_is_refused(core):
    first = core.app.projects.submit(a_sla(), ANNA, "once")
    core.app.mocks.submit(a_mock_sla(), ANNA, "once")

    with pytest.raises(KeyReusedError, match=f"it made the project {first.id}"):
        core.app.projects.submit(a_sla(learners=7), ANNA, "once")
    with pytest.raises(KeyReusedError, match="it made the mock "):
        core.app.mocks.submit(a_mock_sla("other"), ANNA, "once")


def test_a_key_that_serves_a_project_and_a_mock_makes_two_things(core):
    project = core.app.projects.submit(a_sla(), ANNA, "once")
    mock = core.app.mocks.submit(a_mock_sla(), ANNA, "once")

    assert project.id != mock.id


def test_keys_of_customers_whose_names_look_alike_do_not_meet(core):
    slashed = core.app.projects.submit(a_sla(customerID="anna/a"), ADMIN, "b")

    assert core.app.projects.submit(a_sla(), ADMIN, "a/b").id != slashed.id


def test_a_key_whose_project_is_being_deleted_is_a_conflict_and_not_missing(core):
    project = core.app.projects.submit(a_sla(), ANNA, "once")
    mock = core.app.mocks.submit(a_mock_sla(), ANNA, "once")
    core.app.projects.delete(project.id, ANNA)
    core.app.mocks.delete(mock.id, ANNA)

    with pytest.raises(AlreadyExistsError, match="project of this Idempotency-Key is being del"):
        core.app.projects.submit(a_sla(), ANNA, "once")
    with pytest.raises(AlreadyExistsError, match="mock of this Idempotency-Key is being del"):
        core.app.mocks.submit(a_mock_sla(), ANNA, "once")


def test_nobody_submits_in_the_name_of_others_but_an_admin(core):
    with pytest.raises(NotAllowedError):
        core.app.projects.submit(a_sla(), BEN)
    with pytest.raises(NotAllowedError):
        core.app.mocks.submit(a_mock_sla(), BEN)

    assert core.app.projects.submit(a_sla(), ADMIN).customer_id == "anna"


def test_what_belongs_to_others_is_not_found(core):
    project_id = core.submit()

    with pytest.raises(SubjectNotFoundError):
        core.app.projects.get(project_id, BEN)
    with pytest.raises(SubjectNotFoundError):
        core.app.projects.cancel(project_id, BEN)
    assert core.app.projects.get(project_id, ADMIN).id == project_id


def test_a_list_shows_ones_own_and_an_admins_all(core):
    core.submit()
    core.app.projects.submit(a_sla(customerID="ben"), BEN)

    assert core.app.projects.list(ANNA).total == 1
    assert core.app.projects.list(ADMIN).total == 2
    assert core.app.projects.list(ANNA, Stage.FAILED).items == ()


def test_a_check_says_what_is_fine_and_creates_nothing(core):
    findings = core.app.projects.check(a_sla(), ANNA)

    assert [(finding.check, finding.is_ok) for finding in findings] == [
        ("nodes", True),
        ("data", True),
        ("placement", True),
    ]
    assert core.app.projects.list(ADMIN).total == 0


def test_a_check_counts_the_learners_of_a_node(core):
    findings = core.app.projects.check(a_sla(learners=2), ANNA)

    assert "2 learners on " in findings[-1].message


def test_a_check_says_what_is_missing(core):
    findings = core.app.projects.check(a_sla(tags=("cifar",)), ANNA)

    assert not findings[-1].is_ok
    assert "'cifar'" in findings[-1].message
    assert findings[-1].hint


def test_a_reset_is_for_admins(core):
    with pytest.raises(NotAllowedError):
        core.app.database.reset(ANNA)


def test_a_model_is_found_once_its_project_trained_one(core):
    project = a_project(trained=TRAINED, model_address="http://192.0.2.1:8080")
    core.adapters.projects.add(Record(project))
    core.adapters.projects.add(Record(a_project("aaaaaaaaaaaa")))

    (model,) = core.app.models.list(ANNA).items

    assert model == core.app.models.get(project.id, ANNA)
    assert (model.name, model.accuracy, model.address) == ("m", 0.9, "http://192.0.2.1:8080")
    with pytest.raises(ModelNotFoundError):
        core.app.models.get("aaaaaaaaaaaa", ANNA)
    with pytest.raises(ModelNotFoundError):
        core.app.models.get(project.id, BEN)


def test_a_tracking_server_is_deployed_once(core):
    first = core.app.tracking.url_for(ANNA)

    again = core.app.tracking.url_for(ADMIN, "anna")

    assert first == again
    assert (first.url[:17], first.is_running) == ("http://192.0.2.1:", True)
    assert len(core.orchestrator.deployed) == 1


def test_nobody_sees_the_tracking_server_of_others(core):
    with pytest.raises(NotAllowedError):
        core.app.tracking.url_for(BEN, "anna")


def test_a_tracking_server_that_is_being_deployed_is_not_deployed_twice(core):
    core.adapters.leases.acquire("tracking/anna", "somebody else", 60)

    with pytest.raises(OrchestratorUnavailableError, match="right now"):
        an_impatient_tracking(core).url_for(ANNA)

    assert core.orchestrator.deployed == []


def test_two_threads_of_one_process_do_not_deploy_a_tracking_server_at_once(core):
    tracking, deploy = an_impatient_tracking(core), core.orchestrator.deploy

    def deploy_while_another_thread_asks(deployment):
        with pytest.raises(OrchestratorUnavailableError, match="right now"):
            tracking.ensure("anna")
        return deploy(deployment)

    core.orchestrator.deploy = deploy_while_another_thread_asks

    assert tracking.ensure("anna").job_id
    assert len(core.orchestrator.deployed) == 1


def test_who_asks_while_a_tracking_server_is_deployed_is_answered_a_little_later(core):
    core.adapters.leases.acquire("tracking/anna", "somebody else", 60)
    release = threading.Timer(0.1, core.adapters.leases.release, ("tracking/anna", "somebody else"))
    release.start()

    assert core.app.tracking.url_for(ANNA).is_running


def test_what_is_being_deleted_may_be_deleted_again_and_is_not_found(core):
    project_id = core.submit()
    mock_id = core.app.mocks.submit(a_mock_sla(), ANNA).id

    core.app.projects.delete(project_id, ANNA)
    core.app.projects.delete(project_id, ANNA)
    core.app.mocks.delete(mock_id, ANNA)
    core.app.mocks.delete(mock_id, ANNA)

    with pytest.raises(SubjectNotFoundError):
        core.app.projects.get(project_id, ANNA)
    assert core.app.mocks.list(ADMIN).total == 0


def test_only_the_owner_deletes(core):
    project_id = core.submit()
    mock_id = core.app.mocks.submit(a_mock_sla(), ANNA).id

    with pytest.raises(SubjectNotFoundError, match=f"There is no project {project_id}."):
        core.app.projects.delete(project_id, BEN)
    with pytest.raises(SubjectNotFoundError, match=f"There is no mock {mock_id}."):
        core.app.mocks.delete(mock_id, BEN)

    assert core.project(project_id).id == project_id
    assert core.app.mocks.get(mock_id, ANNA).id == mock_id


def test_refusals_are_written_for_people(core):
    core.adapters.projects.add(Record(a_project("aaaaaaaaaaaa", stage=Stage.COMPLETED)))

    with pytest.raises(IllegalTransitionError) as retry:
        core.app.projects.retry("aaaaaaaaaaaa", ANNA)
    with pytest.raises(IllegalTransitionError) as cancel:
        core.app.projects.cancel("aaaaaaaaaaaa", ANNA)
    with pytest.raises(SubjectNotFoundError) as missing:
        core.app.projects.get("nope", ANNA)

    assert retry.value.reason == (
        "Project aaaaaaaaaaaa is completed; only one that failed or was cancelled can be retried."
    )
    assert cancel.value.reason == "Project aaaaaaaaaaaa has ended already: it is completed."
    assert missing.value.reason == "There is no project nope."


def test_logs_are_live_or_stored(core):
    with core.working():
        project_id = core.submit()
        builder = core.until_running(project_id, Role.BUILDER)[0]
        core.orchestrator.change_state(builder, logs="cloning\nresolving\n")
        (live,) = core.app.projects.logs(project_id, ANNA, "builder")
        core.app.projects.cancel(project_id, ANNA)
        gone = core.until_stage(project_id, Stage.CANCELLED)

    (stored,) = core.app.projects.logs(project_id, ANNA, builder)
    assert gone.customer_id == "anna"
    assert (live.is_live, live.lines) == (True, ("cloning", "resolving"))
    assert (stored.instance, stored.lines) == (builder, ("cloning", "resolving"))
