"""A manager that dies at a chosen call of a port, and a world of canned actors around it."""

from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import fields

from flops_contracts.build_records import actors_note, model_note
from flops_contracts.errors import FlopsError
from flops_contracts.events import Actor, Empty, Event, Heartbeat, Kind
from flops_contracts.roles import Role
from flops_manager.bootstrap import Adapters, Options, wire
from flops_manager.domain.errors import (
    OrchestratorUnavailableError,
    StoreUnavailableError,
    SubjectNotFoundError,
)
from flops_manager.domain.states import Health
from flops_manager.usecases.rhythm import Rhythm
from flops_manager.usecases.tracking import LEASE_SECONDS
from support.manager_core import (
    ACTORS_BUILT,
    ANNA,
    INSTALLATION,
    MODEL_BUILT,
    NOW,
    SERVING,
    TRAINED,
    Core,
    a_round,
    a_sla,
)

AT_ONCE = Rhythm(
    poll_seconds=0,
    watch_seconds=0,
    heard_watch_seconds=0,
    between_looks_seconds=0,
    renew_hearing_seconds=0,
    lease_seconds=15,
    bus_retry_seconds=0,
    ask_again_seconds=0,
    settle_seconds=0,
    first_rest_seconds=0,
)
"""Everything is due in every turn."""

MOST_TURNS = 200


class Killed(BaseException):
    """SIGKILL, as far as the code can see it: nothing catches this."""


OUTAGE_CALLS = 3
"""How many calls in a row of a port fail while what is behind it is away."""

_AWAY = {
    "MemoryOrchestrator": OrchestratorUnavailableError("500, or nothing"),
    "CountingProjects": StoreUnavailableError("away"),
    "MemoryRecords": StoreUnavailableError("away"),
    "MemoryEventStore": StoreUnavailableError("away"),
    "MemoryHeartbeats": StoreUnavailableError("away"),
    "MemoryAddressBook": StoreUnavailableError("away"),
}


class Fate:
    """Strikes at the ``at``-th call of any port.

    ``when`` is "before" or "after" the effect of a call that kills; "away" lets what is behind the
    port fail for some calls; "meanwhile" lets ``meanwhile`` happen first.
    """

    def __init__(self, at=-1, when="before"):
        self.at = at
        self.when = when
        self.calls = 0
        self.description = ""
        self.is_dead = False
        self.left = OUTAGE_CALLS
        self.port = ""
        self.meanwhile = lambda: None

    def meet(self, name, act):
        if self.is_dead:
            # Python still leaves its blocks; a killed process would not.
            raise Killed(self.description)
        number, self.calls = self.calls, self.calls + 1
        if self.when == "away":
            return self._fail(number, name, act)
        if number != self.at:
            return act()
        self.description = f"{self.when} call {number}, {name}"
        if self.when == "meanwhile":
            self.meanwhile()
            return act()
        if self.when == "after":
            with suppress(FlopsError):
                act()
        self.is_dead = True
        raise Killed(self.description)

    def _fail(self, number, name, act):
        port = name.partition(".")[0]
        if number == self.at:
            self.port, self.description = port, f"away from call {number}, {name}"
        if port == self.port and self.left and port in _AWAY:
            self.left -= 1
            raise _AWAY[port]
        return act()


class Mortal:
    """A port whose calls may kill the caller."""

    def __init__(self, port, fate):
        self._port = port
        self._fate = fate

    def __getattr__(self, name):
        attribute = getattr(self._port, name)
        if not callable(attribute):
            return attribute
        label = f"{type(self._port).__name__}.{name}"
        return lambda *args, **more: self._fate.meet(label, lambda: attribute(*args, **more))


class Inline(Executor):
    """Runs everything at once in the caller's thread, so that a kill there ends the caller."""

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - as the executors of the library do
            future.set_exception(error)
        return future


class Cast:
    """The actors: each does at once what it is for, and ends when that is confirmed."""

    def __init__(self, core):
        self._core = core
        self._said = {}

    def act(self):
        for name, deployment in self._core.orchestrator.running().items():
            state = self._core.orchestrator.states(deployment.application).get(name)
            if state is not None and state.health is Health.RUNNING:
                self._play(name, deployment.environment, state.job_id)

    def lose_patience(self):
        """End the actors that wait for a confirmation that will not come."""
        for name, event_id in self._said.items():
            if event_id not in self._core.bus.acknowledged and self._is_running(name):
                self._core.orchestrator.change_state(name, health=Health.DEAD, status="DEAD")

    def _is_running(self, name):
        return name in self._core.orchestrator.running()

    def _play(self, name, environment, job_id):
        match name[:3]:
            case "bld" if environment["FLOPS_BUILD"] == "actors":
                self._core.images.notes[actors_note(environment["FLOPS_PROJECT_ID"])] = ACTORS_BUILT
                self._deliver(
                    name, Role.BUILDER, environment, job_id, Kind.ACTORS_BUILT, ACTORS_BUILT
                )
            case "bld":
                note = model_note(environment["FLOPS_PROJECT_ID"], environment["FLOPS_RUN_ID"])
                self._core.images.notes[note] = MODEL_BUILT
                self._deliver(
                    name, Role.BUILDER, environment, job_id, Kind.MODEL_BUILT, MODEL_BUILT
                )
            case "agg":
                done = a_round(1)
                self._say(name, Role.AGGREGATOR, environment, job_id, Kind.ROUND_COMPLETED, done)
                self._deliver(name, Role.AGGREGATOR, environment, job_id, Kind.TRAINED, TRAINED)
            case "mdl" if f"{job_id}-{Kind.MODEL_SERVING}" not in self._said.values():
                self._said[name] = f"{job_id}-{Kind.MODEL_SERVING}"
                self._say(name, Role.MODEL_SERVER, environment, job_id, Kind.MODEL_SERVING, SERVING)
            case "mdl":
                beat = Heartbeat("serving")
                self._say(name, Role.MODEL_SERVER, environment, job_id, Kind.HEARTBEAT, beat)

    def _deliver(self, name, role, environment, job_id, kind, payload):
        event_id = f"{job_id}-{kind}"
        if self._said.get(name) != event_id:
            self._said[name] = event_id
            self._say(name, role, environment, job_id, kind, payload)

    def _say(self, name, role, environment, job_id, kind, payload):
        actor = Actor(
            role, name, environment.get("FLOPS_CLUSTER", ""), environment.get("FLOPS_NODE", "")
        )
        stage, project_id = environment["FLOPS_STAGE"], environment["FLOPS_PROJECT_ID"]
        event_id = f"{job_id}-{kind}"
        self._core.bus.say(Event(event_id, project_id, actor, stage, kind, NOW, payload or Empty()))


class Story:
    """One project from submission to its end, under managers that may be killed."""

    rhythm = AT_ONCE

    def __init__(self, fate, *, loses_messages=False):
        self.core = Core()
        self.fate = fate
        self.loses_messages = loses_messages
        self.cast = Cast(self.core)
        self.managers = 0
        self.project_id = ""
        self.app = self.new_manager()

    def new_manager(self):
        """Return a manager in a fresh process over the same outside."""
        self.managers += 1
        self.fate.is_dead = False
        ports = {
            field.name: Mortal(getattr(self.core.adapters, field.name), self.fate)
            for field in fields(Adapters)
        }
        holder = f"worker-{self.managers}"
        options = Options(INSTALLATION, self.core.limits, self.rhythm, holder)
        return wire(Adapters(**ports), options, self.core.clock)

    def run(self, **sla):
        """Run managers until nothing is left to do; return the project."""
        for _ in range(MOST_TURNS):
            try:
                self._turn(**sla)
            except Killed:
                self._restart()
            except FlopsError:
                # The API answers 503, and its client asks again.
                continue
            if self.is_over:
                return self.core.project(self.project_id)
        raise AssertionError(f"no end after {MOST_TURNS} turns; killed {self.fate.description}")

    @property
    def is_over(self):
        """True if the project has ended, and nothing waits to be done for it."""
        try:
            project = self.core.project(self.project_id)
        except SubjectNotFoundError:
            return False
        return project.stage.is_final and not self.core.adapters.projects.busy()

    def _turn(self, **sla):
        # A client that got no answer asks again with the same key.
        self.project_id = self.app.projects.submit(a_sla(**sla), ANNA, "once").id
        self.app.worker.turn(Inline())
        self.cast.act()

    def _restart(self):
        self.core.clock.pass_seconds(LEASE_SECONDS + 1)
        self.core.bus.close()
        if self.loses_messages:
            self.core.bus.forget()
            self.cast.lose_patience()
        self.app = self.new_manager()
