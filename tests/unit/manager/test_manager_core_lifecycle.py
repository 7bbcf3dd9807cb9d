"""The table of a project's life: its rules, its rows, and its one great promise."""

from collections import defaultdict
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flops_contracts.api.answers import LearnerFailed, ProjectError
from flops_contracts.events import Fragment
from flops_contracts.exit_codes import ExitCode
from flops_contracts.roles import MockStage, Role, Stage
from flops_manager.domain.commands import Announce, Deploy, Remove, Undeploy, UndeployLost
from flops_manager.domain.errors import IllegalTransitionError
from flops_manager.domain.learners import REPLACEABLE, is_left_out
from flops_manager.domain.lifecycle import PREPARE, PROJECTS, RUNS_IN
from flops_manager.domain.lifecycles import always
from flops_manager.domain.mock_lifecycle import MOCKS
from flops_manager.domain.placement import place_project
from flops_manager.domain.project_events import (
    CancelRequested,
    DataStored,
    DeleteRequested,
    ModelLocated,
    Placed,
    RetryRequested,
    StepFailed,
)
from flops_manager.domain.subjects import DIED, REMOVED, Placement
from support.manager_core import (
    ACTORS_BUILT,
    BUILD,
    DEPLOY,
    MODEL_BUILT,
    NOW,
    PLACED,
    PROVIDED,
    SERVING,
    TRAINED,
    a_hierarchical_sla,
    a_mock,
    a_project,
    a_round,
    a_sla,
    two_clusters,
    walked,
)

PATH = (PLACED, ACTORS_BUILT, TRAINED, MODEL_BUILT, SERVING, ModelLocated("http://192.0.2.1:8080"))
TREE = Placed(place_project(a_hierarchical_sla(), two_clusters()))
FOR_GOOD = {Role.OBSERVER, Role.TRACKING_SERVER}


def an_error(stage, reason="it broke", **more):
    return ProjectError(reason, stage, **more)


def groups(rows):
    rows_by_key = defaultdict(list)
    for row in rows:
        rows_by_key[row.stage, row.event].append(row)
    return rows_by_key


def of_rows(part):
    """Return the name of a stage and an event in a test's id; their rows need none."""
    return f"{part[0]}-{part[1].__name__}" if isinstance(part, tuple) else ""


@pytest.mark.parametrize(("key", "rows"), groups(PROJECTS.rows).items(), ids=of_rows)
def test_only_the_last_row_of_a_stage_and_event_is_unconditional(key, rows):
    guards = [row.when for row in rows]

    assert always not in guards[:-1], key


def test_every_stage_that_is_going_can_fail_be_cancelled_and_be_deleted():
    rows = groups(PROJECTS.rows)

    for event in (StepFailed, CancelRequested, DeleteRequested):
        assert {stage for stage, kind in rows if kind is event} >= set(RUNS_IN)


def test_runs_in_knows_every_stage_that_is_still_going():
    assert set(RUNS_IN) == {stage for stage in Stage if not stage.is_final}


def test_a_new_project_announces_itself_and_prepares():
    project, commands = PROJECTS.submitted(a_project())

    assert commands == (Announce(Stage.SUBMITTED, ""), *PREPARE)
    assert {service.role for service in project.services} == FOR_GOOD


def test_the_whole_way_to_a_served_model():
    project, _ = walked(a_project(), *PATH)

    assert [item.stage for item in project.stage_history] == [
        Stage.SUBMITTED,
        Stage.BUILDING_ACTORS,
        Stage.TRAINING,
        Stage.BUILDING_MODEL,
        Stage.SERVING,
        Stage.COMPLETED,
    ]
    assert project.model_address == "http://192.0.2.1:8080"


def test_every_service_is_on_record_before_it_is_deployed():
    project, commands = walked(a_project(), PLACED, ACTORS_BUILT)

    assert Deploy(Role.LEARNER, Stage.TRAINING) in commands
    assert len(project.present(Role.LEARNER)) == 2
    assert len(project.present(Role.AGGREGATOR)) == 1


def test_what_ran_is_stopped_before_the_next_stage_starts():
    _, commands = walked(a_project(), PLACED, ACTORS_BUILT)

    effects = [command for command in commands if isinstance(command, Deploy | Undeploy)]
    assert effects.index(Undeploy(Role.BUILDER, Stage.BUILDING_ACTORS)) < effects.index(
        Deploy(Role.AGGREGATOR, Stage.TRAINING)
    )


def test_the_aggregator_is_deployed_before_the_learners_that_need_its_address():
    _, commands = walked(a_project(), PLACED, ACTORS_BUILT)

    assert commands.index(Deploy(Role.AGGREGATOR, Stage.TRAINING)) < commands.index(
        Deploy(Role.LEARNER, Stage.TRAINING)
    )


def test_a_late_failure_does_not_end_a_later_stage():
    project, _ = walked(a_project(), PLACED, ACTORS_BUILT)
    late = StepFailed(Stage.BUILDING_ACTORS, an_error(Stage.BUILDING_ACTORS))

    with pytest.raises(IllegalTransitionError):
        PROJECTS.transition(project, late, NOW)


def test_a_retry_of_a_training_looks_again_where_learners_can_go():
    failed, _ = walked(
        a_project(),
        PLACED,
        ACTORS_BUILT,
        StepFailed(Stage.TRAINING, an_error(Stage.TRAINING)),
    )
    elsewhere = Placed((*PLACED.placements[:2], Placement(Role.LEARNER, "c", "n", 0, 0, 1)))

    retried, _ = walked(failed, RetryRequested())
    placed, commands = walked(retried, elsewhere)

    assert (retried.stage, retried.error, retried.attempt) == (Stage.TRAINING, None, 1)
    assert [item.node for item in placed.present(Role.LEARNER) if item.attempt == 1] == ["n"]
    assert Deploy(Role.LEARNER, Stage.TRAINING, 1) in commands


def test_a_retried_training_keeps_the_rounds_that_it_goes_on_from():
    trained, _ = walked(a_project(), PLACED, ACTORS_BUILT)
    failed, _ = walked(
        replace(trained, rounds=(a_round(1),)),
        StepFailed(Stage.TRAINING, an_error(Stage.TRAINING)),
    )

    assert walked(failed, RetryRequested())[0].rounds == (a_round(1),)


def test_services_of_a_new_attempt_have_names_of_their_own():
    first, _ = walked(a_project(), PLACED)
    failed, _ = walked(first, StepFailed(Stage.BUILDING_ACTORS, an_error(Stage.BUILDING_ACTORS)))

    retried, _ = walked(failed, RetryRequested(), PLACED)

    names = {item.instance for item in retried.present(Role.BUILDER)}
    assert len(names) == 2
    assert all(name.isalnum() and len(name) <= 30 for name in names)


@pytest.mark.parametrize("stage", RUNS_IN)
def test_a_retry_starts_at_the_stage_that_failed(stage):
    steps = {item: number for number, item in enumerate(RUNS_IN)}
    reached, _ = walked(a_project(), *PATH[: steps[stage]])
    failed, _ = walked(reached, StepFailed(stage, an_error(stage)))

    retried, _ = walked(failed, RetryRequested())

    assert retried.stage is stage
    assert retried.stopped_in is None


def test_a_completed_project_is_not_retried():
    project, _ = walked(a_project(), *PATH)

    with pytest.raises(IllegalTransitionError):
        PROJECTS.transition(project, RetryRequested(), NOW)


def test_a_deleted_project_takes_nothing_any_more():
    project, commands = walked(a_project(), PLACED, DeleteRequested())

    assert commands[-1] == Remove()
    with pytest.raises(IllegalTransitionError):
        PROJECTS.transition(project, ACTORS_BUILT, NOW)


def test_the_aggregators_own_failure_is_not_blamed_on_a_learner():
    training, _ = walked(a_project(), PLACED, ACTORS_BUILT)
    learner = training.present(Role.LEARNER)[0].instance
    unreachable = an_error(Stage.TRAINING, exit_code=ExitCode.AGGREGATOR_UNREACHABLE)

    failed, _ = walked(
        training,
        LearnerFailed(learner, unreachable),
        StepFailed(Stage.TRAINING, an_error(Stage.TRAINING, "MLflow is away", exit_code=33)),
    )

    assert failed.error.reason == "MLflow is away"


def test_too_few_learners_without_a_known_cause_stays_the_reason():
    training, _ = walked(a_project(), PLACED, ACTORS_BUILT)
    too_few = an_error(Stage.TRAINING, "too few", exit_code=ExitCode.TOO_FEW_LEARNERS)

    failed, _ = walked(training, StepFailed(Stage.TRAINING, too_few))

    assert failed.error.reason == "too few"


@dataclass(frozen=True)
class Loss:
    """One of the services that training can lose dies, or fails by a mistake of its own."""

    number: int
    error: ProjectError

    def of(self, project):
        learners = [
            service.instance for service in project.services if service.role in REPLACEABLE
        ] or ["nobody"]
        return LearnerFailed(learners[self.number % len(learners)], self.error)


class Machine:
    """Carries commands out in order, as the worker does, and knows what runs."""

    def __init__(self, sla):
        self.project, self.todo = PROJECTS.submitted(a_project(sla=sla))
        self.running = {}

    def record(self, event):
        event = event.of(self.project) if isinstance(event, Loss) else event
        try:
            self.project, more = PROJECTS.transition(self.project, event, NOW)
        except IllegalTransitionError:
            return
        self.todo += more

    def carry_out(self, count):
        for _ in range(min(count, len(self.todo))):
            command, self.todo = self.todo[0], self.todo[1:]
            if isinstance(command, Deploy):
                self._deploy(command)
            if isinstance(command, Undeploy):
                self._undeploy(command)
            if isinstance(command, UndeployLost):
                self._remove(
                    [
                        service
                        for service in self.project.services
                        if is_left_out(self.project, service)
                    ]
                )

    def _deploy(self, command):
        for item in self.project.present(command.role, command.stage):
            if item.attempt == command.attempt or item.role in FOR_GOOD:
                self.running[item.instance] = item.role

    def _undeploy(self, command):
        services = self.project.present(command.role, command.stage)
        self._remove([item for item in services if item.attempt == command.attempt])

    def _remove(self, services):
        for service in services:
            self.running.pop(service.instance, None)
            self.project = self.project.with_service(replace(service, status=REMOVED))


EVENTS = st.one_of(
    st.sampled_from(
        (*PATH, TREE, CancelRequested(), RetryRequested(), CancelRequested(), RetryRequested())
    ),
    st.sampled_from(list(RUNS_IN)).map(lambda stage: StepFailed(stage, an_error(stage))),
    st.builds(
        Loss,
        st.integers(0, 9),
        st.sampled_from(
            [
                an_error(Stage.TRAINING, error=DIED),
                an_error(Stage.TRAINING, exit_code=ExitCode.USER_CODE_FAILED),
                an_error(Stage.TRAINING, exit_code=ExitCode.TOO_FEW_LEARNERS),
            ]
        ),
    ),
)
SLAS = st.sampled_from(
    [
        a_sla(steps=()),
        a_sla(steps=(BUILD,)),
        a_sla(steps=(BUILD, DEPLOY)),
        a_hierarchical_sla(steps=(), clusters=2),
        a_hierarchical_sla(minimum=1),
    ]
)


@settings(max_examples=400, deadline=None)
@given(sla=SLAS, steps=st.lists(st.tuples(EVENTS, st.integers(0, 4)), max_size=25))
def test_whatever_happens_a_finished_project_leaves_only_its_served_model_running(sla, steps):
    machine = Machine(sla)

    for event, carried_out in steps:
        machine.record(event)
        machine.carry_out(carried_out)
    machine.record(CancelRequested())
    machine.carry_out(1000)

    left = set(machine.running.values()) - FOR_GOOD
    is_served = machine.project.stage is Stage.COMPLETED and machine.project.model_address
    assert left == ({Role.MODEL_SERVER} if is_served else set())


def test_a_mock_goes_from_submitted_to_completed():
    placed = Placed((Placement(Role.MOCK_DATA_PROVIDER, "local", "node-1"),))

    providing, commands = MOCKS.transition(a_mock(), placed, NOW)
    done = DataStored(providing.services[0].instance, PROVIDED.fragments)
    completed, _ = MOCKS.transition(providing, done, NOW)

    assert Deploy(Role.MOCK_DATA_PROVIDER, MockStage.PROVIDING) in commands
    assert providing.services[0].node == "node-1"
    assert (completed.stage, completed.fragments) == (MockStage.COMPLETED, PROVIDED.fragments)


def test_a_mock_on_two_nodes_is_completed_when_both_are_done():
    nodes = (("node-1", 0), ("node-2", 1))
    placed = Placed(
        tuple(Placement(Role.MOCK_DATA_PROVIDER, "local", name, at) for name, at in nodes)
    )
    fragments = tuple(Fragment(f"mnist.{at}.parquet", 5, 9, partition=at) for _, at in nodes)

    providing, _ = MOCKS.transition(a_mock(), placed, NOW)
    first, second = (service.instance for service in providing.services)
    half, _ = MOCKS.transition(providing, DataStored(second, fragments[1:]), NOW)
    whole, commands = MOCKS.transition(half, DataStored(first, fragments[:1]), NOW)

    assert [service.node for service in providing.services] == ["node-1", "node-2"]
    assert (half.stage, half.fragments) == (MockStage.PROVIDING, fragments[1:])
    assert (whole.stage, whole.fragments) == (MockStage.COMPLETED, fragments)
    assert Undeploy(Role.MOCK_DATA_PROVIDER, MockStage.PROVIDING) in commands


def test_a_mock_that_ended_takes_no_late_result():
    failed, _ = MOCKS.transition(
        a_mock(), StepFailed(MockStage.SUBMITTED, an_error(MockStage.SUBMITTED)), NOW
    )

    with pytest.raises(IllegalTransitionError):
        MOCKS.transition(failed, DataStored("mdpx1", PROVIDED.fragments), NOW)


@pytest.mark.parametrize(("key", "rows"), groups(MOCKS.rows).items(), ids=of_rows)
def test_only_the_last_row_of_a_mocks_stage_and_event_is_unconditional(key, rows):
    assert [row.when is always for row in rows] == [False] * (len(rows) - 1) + [True], key
