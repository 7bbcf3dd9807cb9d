"""The processes of ``bench.training``: leaders and learners of three kinds.

``ours`` is an aggregator and learners as the services wire them, with tracking in MLflow;
``legacy`` is Flower's own ``start_server`` and ``start_client``; ``grpc`` moves as many bytes over
streams of gRPC and does nothing else.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, closing, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from queue import SimpleQueue
from typing import Any

os.environ.update({"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"})

import grpc
import numpy as np
from flwr import client as flower_client
from flwr import server as flower_server
from flwr.app import ConfigRecord
from flwr.common import ndarrays_to_parameters
from flwr.server.strategy import FedAvg

from bench.hierarchy import TrivialModel
from flops_aggregator.checkpoints.files import NO_MEMORY, Memory
from flops_aggregator.rounds.place import Place
from flops_aggregator.rounds.strategies import build_strategy
from flops_aggregator.rounds.supervision import SupervisedStrategy
from flops_aggregator.settings import TrackingSettings
from flops_aggregator.tracking.mlflow_tracking import MlflowTracking
from flops_aggregator.tracking.run_finder import PROJECT_TAG, ROOT_TAG
from flops_contracts.sla import Flavor
from flops_grid.client.app import serve_client_app
from flops_grid.messages.flower_internals import route_logs
from flops_grid.messages.records import arrays_from_parameters
from flops_grid.server.grid import StreamGrid
from flops_grid.wire.settings import METHOD, SERVICE, grpc_options
from flops_learner.training import Training, freeze_existing_objects
from flops_runtime.allocator import give_memory_back
from support.federation import MemoryWatch, a_training
from support.waiting import until

TOKEN = "of-this-bench"
CHUNK = 512 * 1024
LEGACY_BYTES = 2**31 - 1


@dataclass(frozen=True)
class Led:
    """The seconds of each round, and the memory in MB before the first one."""

    seconds: list[float]
    before_mb: float


@dataclass
class TrackedWatch(MemoryWatch):
    """Remembers the rounds, and writes them to MLflow as an aggregator does."""

    tracking: MlflowTracking | None = None

    def round_completed(self, completed: Any) -> None:
        """Remember the round, and write it to MLflow."""
        super().round_completed(completed)
        if self.tracking:
            self.tracking.record_round(completed)


def lead_untracked(port: int, learners: int, rounds: int, floats: int) -> Led:
    """Lead a training without MLflow."""
    return _lead(port, learners, rounds, floats, None)


def lead_ours(port: int, learners: int, rounds: int, floats: int) -> Led:
    """Lead a training with metrics and checkpoints in MLflow, after each round."""
    with tempfile.TemporaryDirectory() as folder, _tracked(folder) as tracking:
        return _lead(port, learners, rounds, floats, tracking)


def _lead(
    port: int, learners: int, rounds: int, floats: int, tracking: MlflowTracking | None
) -> Led:
    minima = dict.fromkeys(("learners", "min_available", "min_fit", "min_evaluate"), learners)
    training = a_training(rounds=rounds, round_timeout_seconds=600.0, **minima)
    watch = TrackedWatch(tracking=tracking)
    memory = Memory(keep=tracking.save_soon) if tracking else NO_MEMORY
    with StreamGrid(_at(port), TOKEN) as grid:
        grid.wait_for_learners(learners, 120)
        strategy = SupervisedStrategy(
            build_strategy(training), training, grid, watch, Place(), memory=memory
        )
        before = _memory_mb("VmRSS")
        first = arrays_from_parameters([np.zeros(floats, np.float32)])
        strategy.run(grid, first, ConfigRecord())
    return Led([item.seconds for item in watch.completed], before)


@contextmanager
def _tracked(folder: str) -> Iterator[MlflowTracking]:
    url = f"sqlite:///{folder}/mlflow.db"
    settings = TrackingSettings(url, "bench", "bench", Flavor.SKLEARN, "", "")
    with chdir(folder), closing(MlflowTracking(settings)) as tracking:
        tracking.start("bench", {}, {PROJECT_TAG: "bench", ROOT_TAG: "yes"})
        tracking.run_id()
        yield tracking


def learn_ours(port: int, name: str) -> None:
    """Learn until the goodbye."""
    model: Any = TrivialModel()
    freeze_existing_objects()
    serve_client_app(Training(model).client_app(), _at(port), name, TOKEN)


@dataclass
class LegacyClock(FedAvg):
    """Flower's legacy FedAvg, and when each of its rounds began."""

    began: list[float] = field(default_factory=list)

    def configure_fit(self, *arguments: Any, **named: Any) -> Any:
        """Note the time."""
        self.began.append(time.monotonic())
        return super().configure_fit(*arguments, **named)


class LegacyClient(flower_client.NumPyClient):
    """A client that does as little as ``TrivialModel``."""

    def fit(self, parameters: Any, _config: Any) -> Any:
        """Change them a little."""
        return [parameter + 1 for parameter in parameters], 100, {}

    def evaluate(self, _parameters: Any, _config: Any) -> Any:
        """Return a fixed evaluation."""
        return 0.5, 100, {"accuracy": 0.5}


def lead_legacy(port: int, learners: int, rounds: int, floats: int) -> Led:
    """Lead Flower's legacy training."""
    before = _memory_mb("VmRSS")
    strategy = LegacyClock.__new__(LegacyClock)
    FedAvg.__init__(
        strategy,
        min_fit_clients=learners,
        min_evaluate_clients=learners,
        min_available_clients=learners,
        initial_parameters=ndarrays_to_parameters([np.zeros(floats, np.float32)]),
    )
    strategy.began = []
    flower_server.start_server(
        server_address=_at(port),
        config=flower_server.ServerConfig(num_rounds=rounds),
        strategy=strategy,
        grpc_max_message_length=LEGACY_BYTES,
    )
    # The last round has no successor that would end it.
    began = strategy.began
    return Led([end - begin for begin, end in pairwise(began)], before)


def learn_legacy(port: int, _name: str) -> None:
    """Learn until the server ends."""
    flower_client.start_client(
        server_address=_at(port),
        client=LegacyClient().to_client(),
        grpc_max_message_length=LEGACY_BYTES,
        insecure=True,
    )


def lead_grpc(  # noqa: C901 - three small loops that share their queues
    port: int, learners: int, rounds: int, floats: int
) -> Led:
    """Send and receive what a round has to: the parameters down and up once, then a word each."""
    size, chunk = floats * 4, bytes(min(CHUNK, floats * 4))
    orders: list[SimpleQueue[int | None]] = []
    arrived: SimpleQueue[None] = SimpleQueue()

    def converse(frames: Iterator[bytes], _context: Any) -> Iterator[bytes]:
        mine: SimpleQueue[int | None] = SimpleQueue()
        orders.append(mine)
        threading.Thread(target=count, args=(frames,), daemon=True).start()
        while (wanted_size := mine.get()) is not None:
            yield from _chunks(chunk, wanted_size)

    def count(frames: Iterator[bytes]) -> None:
        got = 0
        for data in frames:
            got += len(data)
            if len(data) == 1 or got >= size:
                got = 0
                arrived.put(None)

    server = grpc.server(ThreadPoolExecutor(learners + 2), options=grpc_options(60))
    join = grpc.stream_stream_rpc_method_handler(converse)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SERVICE, {"Join": join}),)
    )
    server.add_insecure_port(_at(port))
    server.start()
    until(lambda: len(orders) == learners, 60, "the learners")
    seconds, before = [], _memory_mb("VmRSS")
    for _ in range(rounds):
        began = time.monotonic()
        for wanted_size in (size, 1):
            for mine in orders:
                mine.put(wanted_size)
            for _learner in orders:
                arrived.get()
        seconds.append(time.monotonic() - began)
    for mine in orders:
        mine.put(None)
    server.stop(1).wait(5)
    return Led(seconds, before)


def learn_grpc(port: int, _name: str) -> None:
    """Answer as many bytes as came."""
    outbox: SimpleQueue[bytes | None] = SimpleQueue()
    size = int(sys.argv[-1])
    chunk, got = bytes(min(CHUNK, size)), 0
    with grpc.insecure_channel(_at(port), grpc_options(60)) as channel:
        grpc.channel_ready_future(channel).result(60)
        for data in channel.stream_stream(METHOD)(iter(outbox.get, None)):
            got += len(data)
            if len(data) == 1 or got >= size:
                for part in _chunks(chunk, 1 if len(data) == 1 else size):
                    outbox.put(part)
                got = 0


def _chunks(chunk: bytes, size: int) -> Iterator[bytes]:
    whole, rest = divmod(size, len(chunk))
    for _ in range(whole):
        yield chunk
    if rest:
        yield chunk[:rest]


def _at(port: int) -> str:
    return f"127.0.0.1:{port}"


def _memory_mb(key: str) -> float:
    """Return a value of this process's status; ``VmHWM`` is the largest it ever had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith(key))


LEADERS = {"ours": lead_ours, "untracked": lead_untracked, "legacy": lead_legacy, "grpc": lead_grpc}
OURS = {"ours", "untracked"}
LEARNERS = {"ours": learn_ours, "untracked": learn_ours, "legacy": learn_legacy, "grpc": learn_grpc}


def main() -> None:
    """Run a leader or a learner; a leader prints its measurements."""
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["lead", "learn"])
    parser.add_argument("kind", choices=list(LEADERS))
    for name in ("port", "learners", "rounds", "floats"):
        parser.add_argument(f"--{name}", type=int, default=1)
    parser.add_argument("size", type=int)
    options = parser.parse_args()
    route_logs()
    if options.kind in OURS:
        give_memory_back()
    if options.role == "learn":
        LEARNERS[options.kind](options.port, f"learner{os.getpid()}")
        return
    led = LEADERS[options.kind](options.port, options.learners, options.rounds, options.floats)
    result = {"seconds": led.seconds, "before_mb": led.before_mb, "peak_mb": _memory_mb("VmHWM")}
    print(json.dumps(result), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
