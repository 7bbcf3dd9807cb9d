"""Random processes of random projects are killed or frozen, and the promise is checked.

``make test-chaos SEED=7 RUNS=5`` repeats a seed; without one, the seed is drawn and printed. A run
is one project: it completes with what an undisturbed one results in, or fails with a cause that
names the victim; it ends in time, and leaves nothing behind.
"""

import os
import random
import secrets
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass

import psutil
import pytest

from flops_cli.errors import RefusedError
from flops_contracts.roles import Stage
from support.chaos import (
    ACTORS,
    ENDS_WITHIN_SECONDS,
    TRAININGS,
    actors,
    finish,
    is_over,
    runs,
    tracked,
)
from support.suite import a_project_sla
from support.waiting import until

SEED = os.environ.get("SEED") or secrets.token_hex(4)
RUNS = int(os.environ.get("RUNS") or 3)
OURS = ("manager-api", "manager-worker", "broker", "store")
"""What an operator's supervisor starts again; a local-oakestra that ends takes all with it."""

NEIGHBOURS = ("flops_tracking_server", "flops_ml_data_server", "flops_project_observer")
"""What projects need beside their actors; the orchestrator, or the node, starts it again."""

ACTOR_SECONDS = 6
GONE_WITHIN_SECONDS = 60
ROUNDS_COME_WITHIN_SECONDS = 20
CANCELLED_WITHIN_SECONDS = 20


@dataclass(frozen=True)
class Blow:
    """A signal to an actor, some seconds after the submission or after the actor has begun."""

    victim: str
    number: signal.Signals
    after_seconds: float

    @classmethod
    def drawn(cls, draw, usual_seconds):
        victim = draw.choice((*OURS, *NEIGHBOURS, *ACTORS, *ACTORS))
        freezes = victim in ACTORS and draw.random() < 0.3
        number = signal.SIGSTOP if freezes else signal.SIGKILL
        within = ACTOR_SECONDS if victim in ACTORS else 0.9 * usual_seconds
        return cls(victim, number, round(draw.uniform(0, within), 1))

    def strike(self, world, project_id):
        """Send the signal when the moment has come; return whether a process was struck."""
        if self.victim in ACTORS:
            until(
                lambda: is_over(world, project_id) or actors(self.victim, project_id),
                ENDS_WITHIN_SECONDS,
                f"{self.victim} begins",
            )
        pass_seconds(self.after_seconds)
        if self.victim in OURS:
            kill_and_start(world, self.victim, self.number)
            return True
        for process in self._processes(world, project_id)[:1]:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(self.number)
                return True
        return False

    def _processes(self, world, project_id):
        if self.victim in ACTORS:
            return actors(self.victim, project_id)
        return [child for child in world.children() if runs(child, self.victim)]


def kill_and_start(world, name, number=signal.SIGKILL):
    """Kill a child of the suite, and start it again as its operator's supervisor would."""
    child = next(child for child in world.suite.children if child.name == name)
    os.kill(child.pid, number)
    until(lambda: child.exit_code() is not None, 10, f"{name} is dead")
    child.start()


def with_rounds(world, project_id, count):
    """Return the project once it has so many rounds; the last may come after its result."""
    until(
        lambda: len(world.client.project(project_id).rounds) >= count,
        ROUNDS_COME_WITHIN_SECONDS,
        f"{count} rounds",
    )
    return world.client.project(project_id)


def pass_seconds(seconds):
    """Wait, because the seed draws the moment of a blow."""
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() >= end, 2 * seconds + 5, "the moment has come")


def log(line):
    sys.stderr.write(f"\n{line}\n")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("run", range(RUNS))
def test_a_disturbed_project_keeps_the_promise(world, repository, undisturbed, run):
    draw = random.Random(f"{SEED}/{run}")
    mode = draw.choice(("classic", "classic", "hierarchical"))
    reference, usual_seconds = undisturbed(mode)
    blow = Blow.drawn(draw, usual_seconds)
    log(f"SEED={SEED} run {run}: {mode}, {blow}")
    sla = a_project_sla(repository, training_configuration=TRAININGS[mode], learners=2)
    submitted = time.monotonic()
    project_id = world.client.submit_project(sla)

    struck = blow.strike(world, project_id)

    project = finish(world, project_id)
    seconds = time.monotonic() - submitted
    log(f"struck: {struck}; {project.stage} after {seconds:.0f} s; {project.failure}")
    if project.stage is Stage.FAILED:
        assert project.failure.reason
    else:
        assert project.stage is Stage.COMPLETED
        project = with_rounds(world, project_id, len(reference.rounds))
        assert project.rounds[-1].accuracy == pytest.approx(reference.rounds[-1].accuracy, abs=0.1)
        assert tracked(world, project) == {
            round_.round: round_.accuracy for round_ in project.rounds
        }
    until(
        lambda: world.is_gone(project_id, "flops_project_observer"),
        GONE_WITHIN_SECONDS,
        "nothing is left of it",
    )


@pytest.mark.timeout(900)
@pytest.mark.parametrize("run", range(RUNS))
def test_a_broker_that_dies_among_the_rounds_costs_none_of_them(world, repository, run):
    moment = round(random.Random(f"{SEED}/rounds/{run}").uniform(0, 3), 2)
    sla = a_project_sla(repository, training_configuration=TRAININGS["classic"], learners=2)
    project_id = world.client.submit_project(sla)
    until(lambda: world.client.project(project_id).rounds, ENDS_WITHIN_SECONDS, "the first round")
    pass_seconds(moment)

    kill_and_start(world, "broker")

    project = finish(world, project_id)
    log(f"SEED={SEED} broker dead {moment} s after the first round: {project.stage}")
    assert project.stage is Stage.COMPLETED
    assert [round_.round for round_ in with_rounds(world, project_id, 6).rounds] == [
        1,
        2,
        3,
        4,
        5,
        6,
    ]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("run", range(RUNS))
def test_a_project_that_is_cancelled_at_any_moment_leaves_nothing(
    world, repository, undisturbed, run
):
    draw = random.Random(f"{SEED}/cancel/{run}")
    mode = draw.choice(("classic", "hierarchical"))
    _, usual_seconds = undisturbed(mode)
    moment = round(draw.uniform(0, 0.9 * usual_seconds), 1)
    sla = a_project_sla(repository, training_configuration=TRAININGS[mode], learners=2)
    project_id = world.client.submit_project(sla)
    pass_seconds(moment)
    frozen = [actor for module in ACTORS for actor in actors(module, project_id)][:1]
    for process in frozen:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGSTOP)

    with suppress(RefusedError):  # it has ended already
        world.client.cancel_project(project_id)

    cancelled = time.monotonic()
    until(
        lambda: world.is_gone(project_id, "flops_project_observer"),
        CANCELLED_WITHIN_SECONDS,
        f"nothing is left of what was cancelled after {moment} s",
    )
    seconds = time.monotonic() - cancelled
    log(f"SEED={SEED} cancelled after {moment} s, frozen: {len(frozen)}; gone in {seconds:.1f} s")
    if world.client.project(project_id).stage is not Stage.CANCELLED:
        assert world.client.project(project_id).stage is Stage.COMPLETED
        return
    world.client.retry_project(project_id)

    assert finish(world, project_id).stage is Stage.COMPLETED, "it goes on where it was cancelled"
    world.client.delete_project(project_id)
    until(lambda: world.is_gone(project_id), GONE_WITHIN_SECONDS, "nothing is left of it")
