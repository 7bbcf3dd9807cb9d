"""The embedded suite: broker, store, local-oakestra and the manager's two processes.

local-oakestra starts everything else (builders, actors, tracking servers, data servers) when the
manager or a node requests it.
"""

import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import requests

from flops_cli.errors import LocalSuiteError
from flops_cli.http import session_for
from flops_cli.local.broker import USER, write_configuration
from flops_cli.local.environments import EMBEDDED
from flops_cli.local.images import (
    BUILD_SETTINGS,
    BUILDER,
    PREFIX,
    builder_environment,
    reference,
    register,
)
from flops_cli.local.network import (
    API_PORT,
    BROKER_PORT,
    HOOK_PORT,
    HOOKS_PORT,
    STORE_PORT,
    Network,
    is_listening,
)
from flops_cli.local.places import Places
from flops_cli.local.processes import Child, require_alive, wait_for
from flops_cli.settings import chosen

ADMIN: Final = "Admin"
REGISTRY: Final = "localhost:5073"
"""Part of the built images' names, the same in every network so that images are reused."""

LEARNER_ADDON: Final = "FLOps-learner"
START_SECONDS: Final = 180.0
PROBE_SECONDS: Final = 2.0

_LOG_SETTINGS: Final = ("FLOPS_LOG_FORMAT", "FLOPS_LOG_LEVEL")
_ORCHESTRATOR_SETTINGS: Final = (
    *_LOG_SETTINGS,
    "FLOPS_LOCAL_CONSTRAINTS",
    "FLOPS_LOCAL_GRACE_SECONDS",
    "FLOPS_LOCAL_LOG_BYTES",
    "FLOPS_LOCAL_LOG_FILES",
    "FLOPS_LOCAL_REPORT_SECONDS",
    "FLOPS_LOCAL_RESTART_SECONDS",
    "FLOPS_LOCAL_SCHEDULER",
    "FLOPS_LOCAL_USERS",
)
"""Settings of local-oakestra that the suite does not decide itself."""

CHOSEN_BY_USERS: Final = frozenset({*_ORCHESTRATOR_SETTINGS, *BUILD_SETTINGS})
"""The settings of the suite's services that are taken from the user's environment."""

Announce = Callable[[str], None]


@dataclass(frozen=True)
class Secrets:
    """The secrets of a run; never put into an argument, a log or a file that others can read."""

    broker_password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    root_password: str = field(default="Admin", repr=False)
    grid_tls: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)


class Suite:
    """Starts everything in order and stops it in reverse; use it as a context manager.

    ``state`` is the folder of this run's data and logs. ``variables`` are this process's
    environment, of which children get a part. ``topology`` describes local-oakestra's clusters;
    without it this machine is one node.
    """

    def __init__(
        self,
        places: Places,
        network: Network,
        state: Path,
        variables: Mapping[str, str],
        announce: Announce,
        topology: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.network = network
        self.secrets = Secrets()
        self._places = places
        self._state = state
        self._variables = variables
        self._announce = announce
        self._topology = topology
        self._waves: list[list[Child]] = []

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def logs(self) -> Path:
        """The folder of the logs."""
        return self._state / "logs"

    @property
    def children(self) -> tuple[Child, ...]:
        """The processes in the order of their start."""
        return tuple(child for wave in self._waves for child in wave)

    def start(self) -> None:
        """Start everything; raise ``LocalSuiteError`` if a part does not start."""
        self._state.mkdir(parents=True, exist_ok=True)
        register(self._places)
        self._announce("starting broker, store and local-oakestra")
        self._start(self._broker(), self._store())
        self._start(self._oakestra())
        address = self.network.address
        self._await("the broker", lambda: is_listening(address, BROKER_PORT))
        self._await("the store", lambda: is_listening(address, STORE_PORT))
        self._await("local-oakestra", lambda: _is_ready(f"{self.network.oakestra_url}/readyz"))
        self._announce("starting the manager")
        self._start(*self._manager())
        self._await("the manager", lambda: _is_ready(f"{self.network.api_url}/readyz"))
        # Users may send data as soon as the suite is reported as running.
        learners = learner_nodes(self._topology)
        self._await("the data servers", lambda: self.network.has_data_servers(learners))

    def require_alive(self) -> None:
        """Raise ``LocalSuiteError`` if one of the processes has ended."""
        require_alive(self.children)

    def stop(self) -> None:
        """Stop everything in reverse order; safe to call at any moment, and twice."""
        for wave in reversed(self._waves):
            for child in wave:
                child.ask_to_stop()
            for child in wave:
                child.stop()
        self._waves.clear()

    def _start(self, *wave: Child) -> None:
        # Remembered before they are started, because a signal may come in between.
        self._waves.append(list(wave))
        for child in wave:
            child.start()

    def _await(self, what: str, condition: Callable[[], bool]) -> None:
        wait_for(condition, START_SECONDS, f"{what} does not answer", self.children)

    def _child(self, name: str, argv: Iterable[object], env: Mapping[str, str]) -> Child:
        plain = {
            key: self._variables[key]
            for key in ("PATH", "HOME", "LANG", "TMPDIR")
            if key in self._variables
        }
        log = self.logs / f"{name}.log"
        command = [str(argument) for argument in argv]
        return Child(name, command, {**plain, "PYTHONUNBUFFERED": "1", **env}, log)

    def _broker(self) -> Child:
        file = self._state / "broker.toml"
        password = self.secrets.broker_password
        write_configuration(file, self.network.address, BROKER_PORT, password)
        python = self._places.python(EMBEDDED)
        return self._child("broker", [python, "-m", "iotcore", "--config", file], {})

    def _store(self) -> Child:
        program = self._places.environment(EMBEDDED) / "bin" / "secantusd-py"
        where = ["--host", self.network.address, "--port", STORE_PORT]
        how = ["--storage-path", self._state / "store", "--sync-on-commit", "--standalone"]
        return self._child("store", [program, *where, *how, "--cache-size", "64M"], {})

    def _oakestra(self) -> Child:
        python = self._places.python("local-oakestra")
        passed = surroundings(self._variables)
        env = {
            "FLOPS_LOCAL_NETWORK": self.network.prefix,
            "FLOPS_IMAGE_STORE": str(self._places.images),
            "FLOPS_IMAGE_PREFIX": PREFIX,
            "FLOPS_LOCAL_STATE": str(self._state / "oakestra"),
            "FLOPS_LOCAL_PASS_ENVIRONMENT": ",".join(passed),
            "FLOPS_LOCAL_IMAGE_ENVIRONMENTS": json.dumps(
                {reference(BUILDER): builder_environment(self._variables)}
            ),
            **passed,
            **chosen(self._variables, _ORCHESTRATOR_SETTINGS),
        }
        if self._topology:
            env["FLOPS_LOCAL_TOPOLOGY"] = json.dumps(list(self._topology))
        return self._child("local-oakestra", [python, "-m", "flops_local_oakestra"], env)

    def _manager(self) -> tuple[Child, Child]:
        python = self._places.python("manager")
        address = self.network.address
        env = {
            "FLOPS_BIND_ADDRESS": address,
            "FLOPS_OAKESTRA_URL": self.network.oakestra_url,
            "FLOPS_OAKESTRA_USER": ADMIN,
            "FLOPS_OAKESTRA_HOOKS_URL": f"http://{address}:{HOOKS_PORT}",
            "FLOPS_HOOK_URL": f"http://{address}:{HOOK_PORT}",
            "FLOPS_OAKESTRA_PASSWORD": self.secrets.root_password,
            "FLOPS_MONGO_URL": self.network.mongo_url,
            "FLOPS_MQTT_URL": f"mqtt://{USER}@{address}:{BROKER_PORT}",
            "FLOPS_MQTT_PASSWORD": self.secrets.broker_password,
            "FLOPS_GRID_TLS": "on",
            "FLOPS_GRID_TLS_SECRET": self.secrets.grid_tls,
            "FLOPS_BACKEND_STORE_URL": f"sqlite:///{self._state}/mlflow-{{customer}}.db",
            "FLOPS_ARTIFACT_STORE_URL": f"{self._state}/artifacts/{{customer}}",
            "FLOPS_IMAGE_REGISTRY": REGISTRY,
            "FLOPS_IMAGE_STORE": str(self._places.images),
            "FLOPS_IMAGE_PREFIX": PREFIX,
            "FLOPS_API_PORT": str(API_PORT),
            **tracing(self._variables),
            **chosen(self._variables, _LOG_SETTINGS),
        }
        command = [python, "-m", "flops_manager"]
        return (
            self._child("manager-api", [*command, "api"], env),
            self._child("manager-worker", [*command, "worker"], env),
        )


def surroundings(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for proxies, certificates and traces; none proxies the loopback."""
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
    outside = {
        name: variables[name]
        for upper in names
        for name in (upper, upper.lower())
        if variables.get(name)
    }
    direct = variables.get("NO_PROXY") or variables.get("no_proxy") or ""
    local = ",".join(part for part in (direct, "localhost", "127.0.0.0/8") if part)
    return {**outside, **tracing(variables), "NO_PROXY": local, "no_proxy": local}


def tracing(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variable that switches traces on, if it is set."""
    name = "OTEL_EXPORTER_OTLP_ENDPOINT"
    return {name: variables[name]} if variables.get(name) else {}


def learner_nodes(topology: Sequence[Mapping[str, Any]]) -> tuple[int, ...]:
    """Return the numbers of the nodes with a data server; without topology there is one node."""
    nodes = [node for cluster in topology for node in cluster["nodes"]]
    return tuple(
        number
        for number, node in enumerate(nodes or [{}], start=1)
        if LEARNER_ADDON in node.get("addons", [LEARNER_ADDON])
    )


def _is_ready(url: str) -> bool:
    try:
        with session_for(url) as session:
            return session.get(url, timeout=PROBE_SECONDS).ok
    except requests.RequestException:
        return False


def require_supported_system(system: str) -> None:
    """Raise ``LocalSuiteError`` on other systems than Linux."""
    if system != "Linux":
        raise LocalSuiteError(
            f"the embedded suite runs on Linux, not on {system}",
            hint="It needs all of 127.0.0.0/8 and Linux's process control.",
        )
