"""Live events: order, resuming, heartbeats, the end, and how many there may be."""

import json
from dataclasses import replace

import pytest

from flops_contracts.events import Event, Kind, StageChanged
from flops_contracts.roles import Stage
from flops_manager.domain.errors import StoreUnavailableError
from flops_manager.entrypoints.api.serving import STREAMS
from flops_manager.entrypoints.api.streams import Pace
from support.api_samples import a_project
from support.manager_api import World, by
from support.wire_samples import PROJECT_ID, an_event

PATH = f"/api/flops/projects/{PROJECT_ID}/events"
LIVE = by("ada's", Accept="text/event-stream")


PROGRESS = an_event(Kind.PROGRESS)


def entered(stage: Stage) -> Event:
    """Return the manager's event for a project that enters ``stage``."""
    return replace(an_event(Kind.STAGE_CHANGED), payload=StageChanged(stage, "training"))


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
    """A project in training that has reported nothing yet."""
    return World().has(a_project(Stage.TRAINING))


@pytest.fixture
def ended(world) -> World:
    """A project with three events, the last of which is the end."""
    return world.tells(PROGRESS, PROGRESS, entered(Stage.COMPLETED))


def test_a_stream_has_every_event_in_order_and_ends_after_the_final_stage(ended):
    answer = ended.api().test_client().get(PATH, headers=LIVE)

    assert ids(answer) == [1, 2, 3]


def test_a_stream_is_an_event_stream_that_nobody_keeps(ended):
    answer = ended.api().test_client().get(PATH, headers=LIVE)

    assert (answer.mimetype, answer.headers["Cache-Control"]) == ("text/event-stream", "no-store")


def test_each_frame_holds_the_event_as_the_history_has_it(ended):
    client = ended.api().test_client()
    history = client.get(PATH, headers=by("ada's")).json["events"]

    frames = client.get(PATH, headers=LIVE).get_data(as_text=True).split("\n\n")

    assert json.loads(frames[1].partition("data: ")[2]) == history[0]


def test_a_stream_is_resumed_after_the_last_event_that_the_client_has(ended):
    answer = ended.api().test_client().get(PATH, headers={**LIVE, "Last-Event-ID": "2"})

    assert ids(answer) == [3]


def test_a_stream_can_begin_after_a_number(ended):
    assert ids(ended.api().test_client().get(f"{PATH}?after=1", headers=LIVE)) == [2, 3]


def test_last_event_id_goes_before_after(ended):
    answer = (
        ended.api().test_client().get(f"{PATH}?after=0", headers={**LIVE, "Last-Event-ID": "2"})
    )

    assert ids(answer) == [3]


@pytest.mark.parametrize("given", ["-1", "x", "1.5", "9" * 16])
def test_an_id_that_no_stream_gave_is_refused(ended, given):
    answer = ended.api().test_client().get(PATH, headers={**LIVE, "Last-Event-ID": given})

    assert answer.status_code == 400


def test_events_that_happen_meanwhile_follow(world):
    world.tells(PROGRESS)

    def happens() -> None:
        world.tells(PROGRESS, entered(Stage.FAILED))

    answer = world.api(pause=Script(happens)).test_client().get(PATH, headers=LIVE)

    assert ids(answer) == [1, 2, 3]


def test_a_retry_after_a_failure_keeps_the_stream_going(world):
    world.tells(entered(Stage.FAILED), entered(Stage.SUBMITTED), PROGRESS, entered(Stage.CANCELLED))

    assert ids(world.api().test_client().get(PATH, headers=LIVE)) == [1, 2, 3, 4]


def test_a_client_that_reconnects_after_the_end_is_stopped(world):
    world.has(a_project(Stage.COMPLETED))

    answer = world.api().test_client().get(PATH, headers={**LIVE, "Last-Event-ID": "3"})

    assert answer.status_code == 204


def test_a_stream_that_begins_behind_the_end_ends_by_itself(world):
    world.has(a_project(Stage.COMPLETED))

    answer = world.api().test_client().get(f"{PATH}?after=3", headers=LIVE)

    assert (answer.status_code, ids(answer)) == (200, [])


def test_a_silent_stream_shows_that_it_lives(world):
    world.tells(PROGRESS)

    def ends() -> None:
        world.tells(entered(Stage.COMPLETED))

    script = Script(lambda: None, ends)
    api = world.api(pause=script, pace=Pace(heartbeat_seconds=0, life_seconds=5))

    answer = api.test_client().get(PATH, headers=LIVE)

    assert ": still here\n\n" in answer.get_data(as_text=True)


def test_a_stream_does_not_live_for_ever(world):
    world.tells(PROGRESS)
    api = world.api(pace=Pace(poll_seconds=0.001, life_seconds=0.05))

    assert ids(api.test_client().get(PATH, headers=LIVE)) == [1]


def test_a_server_that_stops_ends_its_streams(world):
    world.tells(PROGRESS)
    api = world.api(pace=Pace(poll_seconds=60, life_seconds=600))

    api.extensions[STREAMS].close()

    assert ids(api.test_client().get(PATH, headers=LIVE)) == []


def test_a_stream_ends_when_the_project_is_deleted(world):
    world.tells(PROGRESS)
    api = world.api(pause=Script(lambda: world.projects.remove(PROJECT_ID)))

    assert ids(api.test_client().get(PATH, headers=LIVE)) == [1]


def test_a_stream_ends_when_the_store_is_away(world):
    world.tells(PROGRESS)

    def breaks() -> None:
        world.projects.error = StoreUnavailableError("gone")

    assert ids(world.api(pause=Script(breaks)).test_client().get(PATH, headers=LIVE)) == [1]


def test_a_stream_of_somebody_elses_project_is_not_there(ended):
    answer = ended.api().test_client().get(PATH, headers={**LIVE, **by("bob's")})

    assert answer.status_code == 404


def test_more_streams_than_the_limit_are_refused_with_a_time_to_come_back(ended):
    client = ended.api(max_streams=1).test_client()
    client.get(PATH, headers=LIVE, buffered=False)

    answer = client.get(PATH, headers=LIVE)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_the_history_is_served_though_no_stream_is_left(ended):
    client = ended.api(max_streams=1).test_client()
    client.get(PATH, headers=LIVE, buffered=False)

    assert client.get(PATH, headers=by("ada's")).status_code == 200


def test_a_stream_that_ended_makes_room_for_the_next(ended):
    client = ended.api(max_streams=1).test_client()
    client.get(PATH, headers=LIVE, buffered=True)

    assert client.get(PATH, headers=LIVE).status_code == 200


def test_a_client_that_went_away_makes_room_for_the_next(ended):
    client = ended.api(max_streams=1).test_client()
    client.get(PATH, headers=LIVE, buffered=False).close()

    assert client.get(PATH, headers=LIVE).status_code == 200


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html", ""])
def test_who_does_not_ask_for_a_stream_gets_json(ended, accept):
    answer = ended.api().test_client().get(PATH, headers=by("ada's", Accept=accept))

    assert answer.mimetype == "application/json"
