"""Heartbeats: a small write each, whatever the size of the project."""

from dataclasses import fields, replace

import pytest

from flops_contracts.events import DataLoaded, Heartbeat, Kind
from flops_contracts.roles import Role, Stage
from flops_manager.bootstrap import Adapters, Options, wire
from support.manager_core import ANNA as CALLER
from support.manager_core import INSTALLATION, Core, a_mock_sla, an_event
from support.waiting import until

STORES = ("projects", "mocks", "history", "heartbeats")


class Counted:
    """A store that counts the calls of each method."""

    def __init__(self, store, name, calls):
        self._store = store
        self._name = name
        self._calls = calls

    def __getattr__(self, method):
        call = getattr(self._store, method)

        def counted(*args, **more):
            label = f"{self._name}.{method}"
            self._calls[label] = self._calls.get(label, 0) + 1
            return call(*args, **more)

        return counted


@pytest.fixture
def core():
    core = Core()
    with core.working():
        yield core


def calls_of(core, *events):
    """Return the calls of stores with which a manager takes ``events``."""
    calls = {}
    ports = {field.name: getattr(core.adapters, field.name) for field in fields(Adapters)}
    ports |= {name: Counted(ports[name], name, calls) for name in STORES}
    options = Options(INSTALLATION, core.limits, core.rhythm, "worker-2", core.placement)
    app = wire(Adapters(**ports), options, core.clock)
    for event in events:
        app.worker._take(event)
    return calls


def beats(core, project_id, instance, count):
    beat = an_event(core.project(project_id), instance, Kind.HEARTBEAT, Heartbeat("fit", 2, 310.0))
    return [replace(beat, event_id=f"beat-{number}") for number in range(count)]


def test_a_thousand_heartbeats_are_a_thousand_small_writes(core):
    project_id, _, (learner, _) = core.reach_training()
    core.until_looked_at()
    before = core.adapters.projects.get(project_id).version

    calls = calls_of(core, *beats(core, project_id, learner, 1000))

    # The first one is checked against the project, and added.
    assert calls == {"heartbeats.renew": 1000, "projects.get": 1, "heartbeats.add": 1}
    assert core.adapters.projects.get(project_id).version == before


def test_any_other_event_reads_and_writes_the_project_once(core):
    project_id, _, (learner, _) = core.reach_training()
    loaded = an_event(core.project(project_id), learner, Kind.DATA_LOADED, DataLoaded(100, 1000))

    calls = calls_of(core, loaded)

    assert calls == {"projects.get": 1, "history.append": 1, "projects.save": 1}


def test_a_mocks_heartbeats_leave_the_mock_alone(core):
    mock = core.app.mocks.submit(a_mock_sla(), CALLER)
    until(lambda: core.app.mocks.get(mock.id, CALLER).services, what="it is placed")
    mock = core.app.mocks.get(mock.id, CALLER)
    beat = an_event(mock, mock.services[0].instance, Kind.HEARTBEAT, Heartbeat("sending"))

    calls = calls_of(core, beat, replace(beat, event_id="2"))

    assert calls == {"heartbeats.renew": 2, "mocks.get": 1, "heartbeats.add": 1}


def test_a_project_shows_the_last_heartbeats_of_its_actors(core):
    project_id, _, (learner, other) = core.reach_training()

    calls_of(core, *beats(core, project_id, learner, 2))

    project = core.project(project_id)
    service = project.service(learner)
    assert (service.state, service.round, service.memory_mb) == ("fit", 2, 310.0)
    assert service.last_heartbeat == core.clock()
    assert project.service(other).last_heartbeat is None


def test_another_worker_knows_when_an_actor_was_heard_last(core):
    project_id, aggregator, _ = core.reach_training()
    calls_of(core, *beats(core, project_id, aggregator, 1))

    # The worker under test has not taken that heartbeat itself.
    core.clock.pass_seconds(20)
    core.until_looked_at()
    assert core.project(project_id).service(aggregator).redeployed == 0

    core.clock.pass_seconds(11)
    until(lambda: core.project(project_id).service(aggregator).redeployed, what="it is missed")


def test_heartbeats_of_a_deleted_project_leave_nothing(core):
    project_id, _, (learner, _) = core.reach_training()
    late = beats(core, project_id, learner, 2)
    calls_of(core, late[0])
    core.app.projects.delete(project_id, CALLER)
    until(lambda: not core.adapters.heartbeats.of(project_id), what="its heartbeats are removed")
    until(lambda: not core.adapters.projects.busy(), what="it is deleted")

    calls_of(core, late[1])

    assert core.adapters.heartbeats.of(project_id) == {}


def test_a_stranger_in_a_projects_name_leaves_nothing(core):
    project_id, _, (learner, _) = core.reach_training()
    (beat,) = beats(core, project_id, learner, 1)

    calls_of(core, replace(beat, actor=replace(beat.actor, instance="stranger")))

    assert core.adapters.heartbeats.of(project_id) == {}


def test_a_model_server_that_serves_completes_the_project_though_its_event_got_lost(core):
    project_id, server = core.reach_serving()
    serving = an_event(core.project(project_id), server, Kind.HEARTBEAT, Heartbeat("serving"))
    assert serving.actor.role is Role.MODEL_SERVER

    core.bus.say(serving)

    assert core.until_stage(project_id, Stage.COMPLETED).model_address
