"""The messages of actors about a project: which count, when, and how often."""

from dataclasses import replace

from flops_contracts.events import Kind
from flops_contracts.roles import Role
from flops_manager.domain.facts import event_from_message, with_message
from support.manager_core import (
    ACTORS_BUILT,
    NOW,
    PLACED,
    TRAINED,
    a_project,
    a_round,
    an_event,
    walked,
)


def test_a_result_of_an_older_stage_means_nothing():
    earlier, _ = walked(a_project(), PLACED)
    builder = earlier.present(Role.BUILDER)[0].instance
    event = an_event(earlier, builder, Kind.ACTORS_BUILT, ACTORS_BUILT)
    later, _ = walked(earlier, ACTORS_BUILT)

    assert event_from_message(earlier, event) == ACTORS_BUILT
    assert event_from_message(later, event) is None


def test_a_stranger_is_not_heard():
    project, _ = walked(a_project(), PLACED)
    builder = project.present(Role.BUILDER)[0].instance
    event = an_event(project, builder, Kind.ACTORS_BUILT, ACTORS_BUILT)
    stranger = replace(event, actor=replace(event.actor, instance="somebody"))

    assert event_from_message(project, stranger) is None
    assert with_message(project, stranger, NOW, True) == project


def test_a_heartbeat_is_a_sign_of_life():
    project, _ = walked(a_project(), PLACED)
    builder = project.present(Role.BUILDER)[0].instance

    updated = with_message(project, an_event(project, builder, Kind.STARTED), NOW, True)

    assert updated.service(builder).last_heartbeat == NOW
    assert updated.service(builder).starts == 1


def test_a_round_that_is_reported_after_the_result_still_counts():
    training, _ = walked(a_project(), PLACED, ACTORS_BUILT)
    aggregator = training.present(Role.AGGREGATOR)[0].instance
    event = an_event(training, aggregator, Kind.ROUND_COMPLETED, a_round(3))
    later, _ = walked(training, TRAINED)

    updated = with_message(later, event, NOW, True)

    assert (updated.rounds, updated.progress) == ((a_round(3),), None)


def test_a_round_that_is_reported_again_fills_a_gap_and_replaces_nothing():
    training, _ = walked(a_project(), PLACED, ACTORS_BUILT)
    aggregator = training.present(Role.AGGREGATOR)[0].instance
    events = [an_event(training, aggregator, Kind.ROUND_COMPLETED, a_round(n)) for n in (1, 2, 3)]
    better = replace(a_round(2), accuracy=0.99)
    trained = with_message(training, events[0], NOW, True)
    resumed = with_message(
        trained, an_event(training, aggregator, Kind.ROUND_COMPLETED, better), NOW, True
    )

    updated = resumed
    for event in events:
        updated = with_message(updated, event, NOW, False)

    assert updated.rounds == (a_round(1), better, a_round(3))
    assert updated.progress == resumed.progress
