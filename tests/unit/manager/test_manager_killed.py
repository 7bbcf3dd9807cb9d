"""SIGKILL at every call of every port, before and after its effect: the project completes."""

from dataclasses import replace
from functools import partial

import pytest

from flops_contracts.roles import Stage
from flops_manager.bootstrap import Options, wire
from support.manager_core import INSTALLATION, OBSERVATORY
from support.mortal import AT_ONCE, Fate, Inline, Story

ANNOUNCED = ["submitted", "building_actors", "training", "building_model", "serving", "completed"]


def calls_of_an_undisturbed_story():
    fate = Fate()
    Story(fate).run()
    return fate.calls


CALLS = calls_of_an_undisturbed_story()


def announced_stages(story):
    return story.core.announced_stages(story.project_id)


def deployed_names(story):
    return sorted(item.name for item in story.core.orchestrator.deployed)


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_anywhere_the_project_completes_and_nothing_is_done_twice(when):
    for at in range(CALLS):
        story = Story(Fate(at, when))

        project = story.run()

        assert project.stage is Stage.COMPLETED, story.fate.description
        assert project.model_address, story.fate.description
        assert announced_stages(story) == ANNOUNCED, story.fate.description
        assert story.core.running() == {*OBSERVATORY, "mdl"}, story.fate.description
        names = deployed_names(story)
        assert len(names) == len(set(names)), story.fate.description
        assert story.managers == 2, story.fate.description


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_anywhere_together_with_the_broker_and_all_it_kept(when):
    for at in range(CALLS):
        story = Story(Fate(at, when), loses_messages=True)

        project = story.run()

        assert project.stage is Stage.COMPLETED, (story.fate.description, project.error)
        assert story.core.running() == {*OBSERVATORY, "mdl"}, story.fate.description


def test_whatever_is_away_for_a_while_the_project_completes_and_nothing_is_done_twice():
    for at in range(CALLS):
        story = Story(Fate(at, "away"))

        project = story.run()

        assert project.stage is Stage.COMPLETED, (story.fate.description, project.error)
        assert announced_stages(story) == ANNOUNCED, story.fate.description
        names = deployed_names(story)
        assert len(names) == len(set(names)), story.fate.description


class Generous:
    """Leases that everybody gets: what a worker sees that was asleep beyond its own."""

    def acquire(self, *_):
        return True

    def release(self, *_):
        pass


def test_two_workers_at_once_do_nothing_twice():
    for at in range(CALLS):
        fate = Fate(at, "meanwhile")
        story = Story(fate)
        story.core.adapters = replace(story.core.adapters, leases=Generous())
        story.app = story.new_manager()
        other = wire(
            story.core.adapters,
            Options(INSTALLATION, story.core.limits, AT_ONCE, "other"),
            story.core.clock,
        )
        fate.meanwhile = partial(other.worker.turn, Inline())

        project = story.run()

        assert project.stage is Stage.COMPLETED, (fate.description, project.error)
        assert announced_stages(story) == ANNOUNCED, fate.description
        names = deployed_names(story)
        assert len(names) == len(set(names)), fate.description
