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
from support.suite import a_project_sla, a_repository, running_world
from support.waiting import until

SEED = os.environ.get("SEED") or secrets.token_hex(4)
RUNS = int(os.environ.get("RUNS") or 3)
ROOM = {"vcpus": 16, "memory_mb": 16_384}
TOPOLOGY = [{"cluster": "east", "nodes": [{"name": "east-1", **ROOM}, {"name": "east-2", **ROOM}]}]
TRAINING = {"training_rounds": 6, "min_available_clients": 1, "min_fit_clients": 1}

OURS = ("manager-api", "manager-worker", "broker", "store")
"""What an operator's supervisor starts again; a local-oakestra that ends takes all with it."""

ACTORS = ("flops_image_builder", "flops_aggregator", "flops_learner")
ACTOR_SECONDS = 6
ENDS_WITHIN_SECONDS = 420
GONE_WITHIN_SECONDS = 60
CANCELLED_WITHIN_SECONDS = 20


@dataclass(frozen=True)
class Blow:
    """What happens to whom, and when: after the submission, or after the actor has begun."""

    victim: str
    number: signal.Signals
    after_seconds: float

    @classmethod
    def drawn(cls, draw, usual_seconds):
        victim = draw.choice((*OURS, *ACTORS, *ACTORS))
        freezes = victim in ACTORS and draw.random() < 0.3
        number = signal.SIGSTOP if freezes else signal.SIGKILL
        within = ACTOR_SECONDS if victim in ACTORS else 0.9 * usual_seconds
        return cls(victim, number, round(draw.uniform(0, within), 1))

    def strike(self, world, project_id):
        """Do it when the moment has come; say whether there was somebody to strike."""
        if self.victim in ACTORS:
            until(
                lambda: is_over(world, project_id) or actors(self.victim, project_id),
                ENDS_WITHIN_SECONDS,
                f"{self.victim} begins",
            )
        pass_seconds(self.after_seconds)
        if self.victim in OURS:
            child = next(one for one in world.suite.children if one.name == self.victim)
            os.kill(child.pid, self.number)
            until(lambda: child.exit_code() is not None, 10, f"{self.victim} is dead")
            child.start()
            return True
        for process in actors(self.victim, project_id)[:1]:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(self.number)
                return True
        return False


def pass_seconds(seconds):
    """Let time pass: when it happens is what the seed draws."""
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() >= end, 2 * seconds + 5, "the moment has come")


def actors(module, project_id):
    return [one for one in psutil.process_iter() if is_actor(one, module, project_id)]


def is_actor(process, module, project_id):
    try:
        is_ours = process.environ().get("FLOPS_PROJECT_ID") == project_id
        words = process.cmdline()
        # Its keeper names it, too, and would be no victim that any promise is about.
        return is_ours and module in words and not any("shim" in word for word in words)
    except psutil.Error:
        return False


def is_over(world, project_id):
    """Say whether it has ended; the API may be away for a moment."""
    try:
        return world.client.project(project_id).stage.is_final
    except Exception:  # noqa: BLE001 - whatever a client of a killed API raises
        return False


def told(line):
    sys.stderr.write(f"\n{line}\n")


def finish(world, project_id):
    until(lambda: is_over(world, project_id), ENDS_WITHIN_SECONDS, f"{project_id} ends")
    return world.client.project(project_id)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with running_world(tmp_path_factory.mktemp("chaos"), TOPOLOGY) as world:
        world.provide("mnist", partitions=2, nodes=2)
        yield world


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    return a_repository(tmp_path_factory.mktemp("repository") / "mnist")


@pytest.fixture(scope="module")
def undisturbed(world, repository):
    """Return an undisturbed project, and how many seconds it took."""
    sla = a_project_sla(repository, training_configuration=TRAINING, learners=2)
    begun = time.monotonic()
    project = finish(world, world.client.submit_project(sla))
    assert project.stage is Stage.COMPLETED, project.failure
    return project, time.monotonic() - begun


@pytest.mark.timeout(900)
@pytest.mark.parametrize("run", range(RUNS))
def test_a_disturbed_project_keeps_the_promise(world, repository, undisturbed, run):
    reference, usual_seconds = undisturbed
    draw = random.Random(f"{SEED}/{run}")
    blow = Blow.drawn(draw, usual_seconds)
    told(f"SEED={SEED} run {run}: {blow}")
    sla = a_project_sla(repository, training_configuration=TRAINING, learners=2)
    submitted = time.monotonic()
    project_id = world.client.submit_project(sla)

    struck = blow.strike(world, project_id)

    project = finish(world, project_id)
    seconds = time.monotonic() - submitted
    told(f"struck: {struck}; {project.stage} after {seconds:.0f} s; {project.failure}")
    if project.stage is Stage.FAILED:
        assert project.failure.reason
    else:
        assert project.stage is Stage.COMPLETED
        assert len(project.rounds) == len(reference.rounds)
        assert project.rounds[-1].accuracy == pytest.approx(reference.rounds[-1].accuracy, abs=0.1)
    until(
        lambda: world.is_gone(project_id, "flops_project_observer"),
        GONE_WITHIN_SECONDS,
        "nothing is left of it",
    )


@pytest.mark.timeout(900)
@pytest.mark.parametrize("run", range(RUNS))
def test_a_project_that_is_cancelled_at_any_moment_leaves_nothing(
    world, repository, undisturbed, run
):
    _, usual_seconds = undisturbed
    draw = random.Random(f"{SEED}/cancel/{run}")
    moment = round(draw.uniform(0, 0.9 * usual_seconds), 1)
    sla = a_project_sla(repository, training_configuration=TRAINING, learners=2)
    project_id = world.client.submit_project(sla)
    pass_seconds(moment)
    frozen = [one for module in ACTORS for one in actors(module, project_id)][:1]
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
    told(f"SEED={SEED} cancelled after {moment} s, frozen: {len(frozen)}; gone in {seconds:.1f} s")
    assert world.client.project(project_id).stage in {Stage.CANCELLED, Stage.COMPLETED}
