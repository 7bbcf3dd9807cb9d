"""Live events: order, resuming, heartbeats, the end, and how many there may be."""

import json
from dataclasses import replace

import pytest

from flops_contracts.events import Kind, Progress, StageChanged
from flops_contracts.roles import Stage
from flops_manager.domain.errors import StoreUnavailableError
from flops_manager.entrypoints.api.serving import STREAMS
from flops_manager.entrypoints.api.streams import Pace
from flops_manager.ports.stores import StoredEvent
from support.api_samples import a_project
from support.manager_api import World, by
from support.wire_samples import PROJECT_ID, an_event

PATH = f"/api/flops/projects/{PROJECT_ID}/events"
LIVE = by("ada's", Accept="text/event-stream")


def progress(seq: int) -> StoredEvent:
    event = replace(an_event(Kind.PROGRESS), payload=Progress(f"step {seq}"))
    return StoredEvent(seq, event)


def stage_changed(seq: int, stage: Stage) -> StoredEvent:
    event = replace(an_event(Kind.STAGE_CHANGED), payload=StageChanged(stage, "training"))
    return StoredEvent(seq, event)


def ids(answer) -> list[int]:
    """Return the ids in a stream, in order."""
    lines = answer.get_data(as_text=True).splitlines()
    return [int(line.removeprefix("id: ")) for line in lines if line.startswith("id: ")]


class Script:
    """Does one thing each time a stream pauses; tests tell time with it, too."""

    def __init__(self, *steps) -> None:
        self._steps = list(steps)
        self.pauses = 0

    def __call__(self, _seconds: float) -> None:
        self.pauses += 1
        step = self._steps.pop(0) if self._steps else (lambda: None)
        step()


@pytest.fixture
def world() -> World:
    world = World().has(a_project(Stage.TRAINING))
    world.projects.history = (progress(1), progress(2), stage_changed(3, Stage.COMPLETED))
    return world


def test_a_stream_has_every_event_in_order_and_ends_after_the_final_stage(world):
    answer = world.api().test_client().get(PATH, headers=LIVE)

    assert ids(answer) == [1, 2, 3]


def test_a_stream_is_an_event_stream_that_nobody_keeps(world):
    answer = world.api().test_client().get(PATH, headers=LIVE)

    assert (answer.mimetype, answer.headers["Cache-Control"]) == ("text/event-stream", "no-store")


def test_each_frame_holds_the_event_as_the_history_has_it(world):
    client = world.api().test_client()
    history = client.get(PATH, headers=by("ada's")).json["events"]

    frames = client.get(PATH, headers=LIVE).get_data(as_text=True).split("\n\n")

    assert json.loads(frames[1].partition("data: ")[2]) == history[0]


def test_a_stream_is_resumed_after_the_last_event_that_the_client_has(world):
    answer = world.api().test_client().get(PATH, headers={**LIVE, "Last-Event-ID": "2"})

    assert ids(answer) == [3]


def test_a_stream_can_begin_after_a_number(world):
    assert ids(world.api().test_client().get(f"{PATH}?after=1", headers=LIVE)) == [2, 3]


def test_last_event_id_goes_before_after(world):
    answer = (
        world.api().test_client().get(f"{PATH}?after=0", headers={**LIVE, "Last-Event-ID": "2"})
    )

    assert ids(answer) == [3]


@pytest.mark.parametrize("given", ["-1", "x", "1.5", "9" * 16])
def test_an_id_that_no_stream_gave_is_refused(world, given):
    answer = world.api().test_client().get(PATH, headers={**LIVE, "Last-Event-ID": given})

    assert answer.status_code == 400


def test_events_that_happen_meanwhile_follow(world):
    world.projects.history = (progress(1),)

    def happens() -> None:
        world.projects.history += (progress(2), stage_changed(3, Stage.FAILED))

    answer = world.api(pause=Script(happens)).test_client().get(PATH, headers=LIVE)

    assert ids(answer) == [1, 2, 3]


def test_a_retry_after_a_failure_keeps_the_stream_going(world):
    world.projects.history = (
        stage_changed(1, Stage.FAILED),
        stage_changed(2, Stage.SUBMITTED),
        progress(3),
        stage_changed(4, Stage.CANCELLED),
    )

    assert ids(world.api().test_client().get(PATH, headers=LIVE)) == [1, 2, 3, 4]


def test_who_comes_back_after_the_end_is_told_to_stay_away(world):
    world.has(a_project(Stage.COMPLETED))

    answer = world.api().test_client().get(PATH, headers={**LIVE, "Last-Event-ID": "3"})

    assert answer.status_code == 204


def test_a_stream_that_begins_behind_the_end_ends_by_itself(world):
    world.has(a_project(Stage.COMPLETED))

    answer = world.api().test_client().get(f"{PATH}?after=3", headers=LIVE)

    assert (answer.status_code, ids(answer)) == (200, [])


def test_a_silent_stream_shows_that_it_lives(world):
    world.projects.history = (progress(1),)

    def ends() -> None:
        world.projects.history += (stage_changed(2, Stage.COMPLETED),)

    script = Script(lambda: None, ends)
    api = world.api(pause=script, pace=Pace(heartbeat_seconds=0, life_seconds=5))

    answer = api.test_client().get(PATH, headers=LIVE)

    assert ": still here\n\n" in answer.get_data(as_text=True)


def test_a_stream_does_not_live_for_ever(world):
    world.projects.history = (progress(1),)
    api = world.api(pace=Pace(poll_seconds=0.001, life_seconds=0.05))

    assert ids(api.test_client().get(PATH, headers=LIVE)) == [1]


def test_a_server_that_stops_ends_its_streams(world):
    world.projects.history = (progress(1),)
    api = world.api(pace=Pace(poll_seconds=60, life_seconds=600))

    api.extensions[STREAMS].close()

    assert ids(api.test_client().get(PATH, headers=LIVE)) == []


def test_a_stream_ends_when_the_project_is_deleted(world):
    world.projects.history = (progress(1),)
    api = world.api(pause=Script(world.projects.kept.clear))

    assert ids(api.test_client().get(PATH, headers=LIVE)) == [1]


def test_a_stream_ends_when_the_store_is_away(world):
    world.projects.history = (progress(1),)

    def breaks() -> None:
        world.projects.error = StoreUnavailableError("gone")

    assert ids(world.api(pause=Script(breaks)).test_client().get(PATH, headers=LIVE)) == [1]


def test_a_stream_of_somebody_elses_project_is_not_there(world):
    answer = world.api().test_client().get(PATH, headers={**LIVE, **by("bob's")})

    assert answer.status_code == 404


def test_more_streams_than_the_limit_are_refused_with_a_time_to_come_back(world):
    client = world.api(max_streams=1).test_client()
    client.get(PATH, headers=LIVE, buffered=False)

    answer = client.get(PATH, headers=LIVE)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_the_history_is_served_though_no_stream_is_left(world):
    client = world.api(max_streams=1).test_client()
    client.get(PATH, headers=LIVE, buffered=False)

    assert client.get(PATH, headers=by("ada's")).status_code == 200


def test_a_stream_that_ended_makes_room_for_the_next(world):
    client = world.api(max_streams=1).test_client()
    client.get(PATH, headers=LIVE, buffered=True)

    assert client.get(PATH, headers=LIVE).status_code == 200


def test_a_client_that_went_away_makes_room_for_the_next(world):
    client = world.api(max_streams=1).test_client()
    client.get(PATH, headers=LIVE, buffered=False).close()

    assert client.get(PATH, headers=LIVE).status_code == 200


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html", ""])
def test_who_does_not_ask_for_a_stream_gets_json(world, accept):
    answer = world.api().test_client().get(PATH, headers=by("ada's", Accept=accept))

    assert answer.mimetype == "application/json"
