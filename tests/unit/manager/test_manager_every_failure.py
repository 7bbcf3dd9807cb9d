"""Every way in which a project fails, as a table: each names actor, node, stage and reason."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from flops_contracts.declared import dump
from flops_contracts.events import Heartbeat, Kind, RoundStarted
from flops_contracts.exit_codes import ExitCode
from flops_contracts.roles import Role, Stage
from flops_manager.domain.deadlines import Limits
from flops_manager.domain.errors import OrchestratorRefusedError
from flops_manager.domain.states import Health
from flops_manager.domain.subjects import DIED, NOT_STARTED, SILENT
from support.manager_core import ACTORS_BUILT, TRAINED, Core, a_failure

LIMITS = Limits(
    scheduling_seconds=30,
    building_seconds=600,
    joining_seconds=600,
    serving_seconds=600,
    starting_seconds=60,
)
LAST_LINES = ("loading", "Killed")
REPORTED = a_failure(
    "it broke",
    ExitCode.MODEL_UNUSABLE,
    error="ThingError",
    where="m.py:3",
    hint="Repair it.",
    last_lines=LAST_LINES,
)
KILLED = {"health": Health.DEAD, "status": "DEAD", "detail": "exit code 137"}
LOGS = {"logs": "loading\nKilled\n"}
REFUSED = ("The root refused it: 507.", "Ask its operator.")


class Refusing:
    """A root that refuses services whose names begin with a prefix."""

    def __init__(self, orchestrator: Any, prefix: str) -> None:
        self._deploy = orchestrator.deploy
        self._prefix = prefix

    def __call__(self, deployment: Any) -> Any:
        if deployment.name.startswith(self._prefix):
            raise OrchestratorRefusedError(*REFUSED)
        return self._deploy(deployment)


@dataclass(frozen=True)
class Way:
    """A way for the actor of ``role`` to fail its project in ``stage``, and the expected error.

    ``happens`` is called with the core, the project's id and the actor's name as soon as it runs.
    """

    stage: Stage
    role: Role
    happens: Callable[[Core, str, str], object]
    reason: str
    error: str = ""
    exit_code: int | None = None
    last_lines: tuple[str, ...] = ()
    round: int | None = None

    def __str__(self) -> str:
        return f"{self.stage}-{self.role}-{self.reason[:30]}"


def tells(core: Core, project_id: str, name: str) -> None:
    core.say(project_id, name, Kind.FAILED, REPORTED)


def looks(**state: Any) -> Callable[[Core, str, str], object]:
    """Return what makes the orchestrator show it so, however often it is deployed."""
    return lambda core, _, name: core.orchestrator.destine(name, **state)


def waits(status: str) -> Callable[[Core, str, str], object]:
    """Return what keeps it from running, however often it is deployed."""

    def happens(core: Core, project_id: str, name: str) -> None:
        core.orchestrator.destine(name, health=Health.WAITING, status=status)
        while core.project(project_id).stage is not Stage.FAILED:
            core.clock.pass_seconds(31)
            core.until_looked_at()

    return happens


def is_deleted(core: Core, project_id: str, name: str) -> None:
    while core.project(project_id).stage is not Stage.FAILED:
        core.orchestrator.undeploy(None, name)
        core.clock.pass_seconds(6)
        core.until_looked_at()


def falls_silent(core: Core, project_id: str, name: str) -> None:
    core.orchestrator.destine(name, **LOGS)
    while core.project(project_id).stage is not Stage.FAILED:
        if core.project(project_id).service(name).job_id:
            core.say(project_id, name, Kind.HEARTBEAT, Heartbeat("fit 2"))
        core.clock.pass_seconds(31)
        core.until_looked_at()


def never_says_a_word(core: Core, project_id: str, name: str) -> None:
    core.orchestrator.destine(name, **LOGS)
    while core.project(project_id).stage is not Stage.FAILED:
        core.clock.pass_seconds(61)
        core.until_looked_at()


def begins_again_and_again(core: Core, project_id: str, name: str) -> None:
    for _ in range(4):
        core.say(project_id, name, Kind.STARTED)


def takes_too_long(core: Core, project_id: str, name: str) -> None:
    core.until_looked_at()
    core.say(project_id, name, Kind.HEARTBEAT, Heartbeat("busy"))
    core.bus.hearing_since = lambda: None
    core.clock.pass_seconds(20_000)


def in_round_two(happens: Callable[[Core, str, str], object]) -> Callable[[Core, str, str], object]:
    def later(core: Core, project_id: str, name: str) -> None:
        aggregator = core.until_running(project_id, Role.AGGREGATOR)[0]
        core.say(project_id, aggregator, Kind.ROUND_STARTED, RoundStarted(2, 3))
        happens(core, project_id, name)

    return later


BUILDING, TRAINING = Stage.BUILDING_ACTORS, Stage.TRAINING
MODEL, SERVING = Stage.BUILDING_MODEL, Stage.SERVING
BUILDER, AGGREGATOR = Role.BUILDER, Role.AGGREGATOR
LEARNER, SERVER = Role.LEARNER, Role.MODEL_SERVER

WHEREVER = (
    (BUILDING, BUILDER),
    (TRAINING, AGGREGATOR),
    (TRAINING, LEARNER),
    (MODEL, BUILDER),
    (SERVING, SERVER),
)

WAYS = (
    *(
        way
        for at in WHEREVER
        for way in (
            Way(*at, tells, "it broke", "ThingError", ExitCode.MODEL_UNUSABLE, LAST_LINES),
            Way(
                *at,
                looks(health=Health.UNPLACEABLE, status="NO_WORKER_CAPACITY"),
                "could not be placed: NO_WORKER_CAPACITY",
            ),
            Way(*at, waits("CLUSTER_SCHEDULED"), "is still CLUSTER_SCHEDULED after", "", None),
        )
    ),
    *(
        way
        for at in WHEREVER
        if at[1] is not LEARNER
        for way in (
            Way(*at, looks(**KILLED, **LOGS), "DEAD (exit code 137)", DIED, 137, LAST_LINES),
            Way(*at, waits("NODE_SCHEDULED"), "is still NODE_SCHEDULED after", NOT_STARTED),
            Way(*at, is_deleted, "is gone from the orchestrator", DIED),
            Way(*at, falls_silent, "last reported state: fit 2", SILENT, None, LAST_LINES),
            Way(*at, never_says_a_word, "No answer from the", SILENT, None, LAST_LINES),
            Way(*at, begins_again_and_again, "was restarted 3 times"),
            Way(*at, takes_too_long, "last reported: busy"),
        )
    ),
    Way(
        TRAINING,
        LEARNER,
        in_round_two(tells),
        "it broke",
        "ThingError",
        ExitCode.MODEL_UNUSABLE,
        LAST_LINES,
    ),
    Way(
        TRAINING,
        AGGREGATOR,
        in_round_two(looks(**KILLED, **LOGS)),
        "DEAD (exit code 137)",
        DIED,
        137,
        LAST_LINES,
        round=2,
    ),
    *(
        Way(
            *at,
            looks(health=Health.ENDED, status="COMPLETED", **LOGS),
            "ended without a result, as if all were well",
            last_lines=LAST_LINES,
        )
        for at in WHEREVER
        if at[1] is not LEARNER
    ),
)


def run_until(core: Core, way: Way) -> tuple[str, str]:
    """Bring a project to where ``way`` happens; return its id and the actor's name."""
    minimum = {"learners": 2, "minimum": 2}
    if way.stage is BUILDING:
        project_id = core.submit(**minimum)
    elif way.stage is SERVING:
        project_id, _ = core.reach_serving(**minimum)
    else:
        project_id, aggregator, _ = core.reach_training(**minimum)
        if way.stage is MODEL:
            core.say(project_id, aggregator, Kind.TRAINED, TRAINED)
            core.until_stage(project_id, MODEL)
    return project_id, core.until_running(project_id, way.role)[0]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_failure_names_its_actor_node_stage_and_cause(way):
    core = Core(limits=LIMITS)
    with core.working():
        project_id, name = run_until(core, way)

        way.happens(core, project_id, name)

        project = core.until_stage(project_id, Stage.FAILED)
    error = dump(project)["error"]
    assert way.reason in error["reason"]
    assert (error["stage"], error["role"]) == (way.stage, way.role)
    assert error["instance"].startswith(name.split("x")[0])
    assert error["hint"]
    assert error["at"]
    assert error["node"] == project.service(error["instance"]).node
    assert (error["error"], error["exit_code"]) == (way.error, way.exit_code)
    assert tuple(error["last_lines"]) == way.last_lines
    if way.round:
        assert error["round"] == way.round


@pytest.mark.parametrize(
    ("stage", "role", "prefix"),
    [
        (BUILDING, BUILDER, "bld"),
        (TRAINING, AGGREGATOR, "agg"),
        (TRAINING, LEARNER, "lrn1"),
    ],
)
def test_a_deployment_that_is_refused_names_the_service_it_was_for(stage, role, prefix):
    core = Core(limits=LIMITS)
    core.orchestrator.deploy = Refusing(core.orchestrator, prefix)
    with core.working():
        project_id = core.submit(learners=2, minimum=2)
        if stage is TRAINING:
            builder = core.until_running(project_id, BUILDER)[0]
            core.say(project_id, builder, Kind.ACTORS_BUILT, ACTORS_BUILT)

        error = core.until_stage(project_id, Stage.FAILED).error

    assert (error.reason, error.hint) == REFUSED
    assert (error.stage, error.role) == (stage, role)
    assert error.instance.startswith(prefix)
    assert error.node == "node-1"
