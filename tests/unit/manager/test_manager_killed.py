"""SIGKILL at every call of every port, before and after its effect: the project completes."""

import pytest

from flops_contracts.events import Kind
from flops_contracts.roles import Stage
from support.manager_core import ANNA, OBSERVATORY
from support.mortal import Fate, Story

TOLD = ["submitted", "building_actors", "training", "building_model", "serving", "completed"]


def calls_of_an_undisturbed_story():
    fate = Fate()
    Story(fate).run()
    return fate.calls


CALLS = calls_of_an_undisturbed_story()


def told_stages(story):
    events = story.core.app.projects.events(story.project_id, ANNA)
    return [one.event.payload.stage for one in events if one.event.kind is Kind.STAGE_CHANGED]


def deployed_names(story):
    return sorted(one.name for one in story.core.orchestrator.deployed)


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_anywhere_the_project_completes_and_nothing_is_done_twice(when):
    for at in range(CALLS):
        story = Story(Fate(at, when))

        project = story.run()

        assert project.stage is Stage.COMPLETED, story.fate.told
        assert project.model_address, story.fate.told
        assert told_stages(story) == TOLD, story.fate.told
        assert story.core.running() == {*OBSERVATORY, "mdl"}, story.fate.told
        names = deployed_names(story)
        assert len(names) == len(set(names)), story.fate.told
        assert story.managers == 2, story.fate.told


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_anywhere_together_with_the_broker_and_all_it_kept(when):
    for at in range(CALLS):
        story = Story(Fate(at, when), loses_messages=True)

        project = story.run()

        assert project.stage is Stage.COMPLETED, (story.fate.told, project.error)
        assert story.core.running() == {*OBSERVATORY, "mdl"}, story.fate.told
