"""``python -m support.crowd lead|learn``: an aggregator, and many learners in one process.

For tests that measure an aggregator's memory. The leader prints a line with its port, and at last
a JSON object: the most memory it had in the rounds, what it had before, and whether the result is
the mean of the replies.
"""

import argparse
import gc
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import Array, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from flops_aggregator.rounds.place import Place
from flops_aggregator.rounds.strategies import build_strategy
from flops_aggregator.rounds.supervision import SupervisedStrategy
from flops_grid.client.app import serve_client_app
from flops_grid.messages.file_memory import let_go, moved_to_files
from flops_grid.messages.flower_internals import route_logs, take_identity
from flops_grid.messages.records import array_view, arrays_from_parameters
from flops_grid.server.grid import StreamGrid
from flops_grid.wire.settings import GridSettings
from flops_runtime.allocator import give_memory_back
from support.federation import MemoryWatch, a_training

TOKEN = "of-the-crowd"
PATTERN = np.arange(10_000, dtype=np.float32)


def lead(learners: int, floats: int, rounds: int) -> None:
    """Train over ``learners``, which know the port from the first line."""
    minima = dict.fromkeys(("clients", "min_available", "min_fit", "min_evaluate"), learners)
    training = a_training(rounds=rounds, round_timeout_seconds=300.0, **minima)
    with StreamGrid("127.0.0.1:0", TOKEN, GridSettings.for_learners(learners)) as grid:
        tell(str(grid.port))
        grid.wait_for_learners(learners, 120)
        strategy = SupervisedStrategy(
            build_strategy(training), training, grid, MemoryWatch(), Place()
        )
        first = moved_to_files(arrays_from_parameters([np.resize(PATTERN, floats)]))
        let_go(first)
        before = forget_peak()
        arrays = strategy.run(grid, first, ConfigRecord())
    peak = memory_bytes("VmHWM")
    tell(json.dumps({"before": before, "peak": peak, "is_mean": is_unchanged(arrays["0"])}))


def is_unchanged(array: Array) -> bool:
    """Return whether these are the parameters that the training began with."""
    values = array_view(array).reshape(-1, PATTERN.size)
    return all(np.allclose(row, PATTERN, rtol=1e-6, atol=0) for row in values)


def forget_peak() -> int:
    """Reset ``VmHWM`` to the memory that is in use now; return that."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return memory_bytes("VmRSS")


def learn(port: int, learners: int) -> None:
    """Run all of the learners: each returns the arrays that it gets, which are copied nowhere."""
    take_identity()
    with ThreadPoolExecutor(learners) as threads:
        for number in range(learners):
            address = f"127.0.0.1:{port}"
            threads.submit(serve_client_app, an_echo(), address, f"learner{number}", TOKEN)


def an_echo() -> ClientApp:
    """Return an app whose training changes nothing."""
    app = ClientApp()

    @app.train()
    def train(message: Message, _context: object) -> Message:
        metrics = MetricRecord({"num-examples": 1, "fit-seconds": 0.1})
        content = {"arrays": message.content["arrays"], "metrics": metrics}
        return Message(RecordDict(content), reply_to=message)

    @app.evaluate()
    def evaluate(message: Message, _context: object) -> Message:
        numbers = {"num-examples": 1, "loss": 0.5, "accuracy": 0.5, "evaluate-seconds": 0.1}
        return Message(RecordDict({"metrics": MetricRecord(numbers)}), reply_to=message)

    return app


def memory_bytes(key: str) -> int:
    """Return a value of this process's status; ``VmHWM`` is the most it ever had."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def a_process(*arguments: object) -> subprocess.Popen[str]:
    """Start one of them."""
    command = [sys.executable, "-m", "support.crowd", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1], text=True
    )


def led(learners: int, floats: int, rounds: int) -> dict[str, Any]:
    """Run a training; return what its leader prints at the end."""
    size = ("--learners", learners, "--floats", floats, "--rounds", rounds)
    with ExitStack() as stack:
        lead = stack.enter_context(a_process("lead", *size))
        stack.callback(lead.kill)
        learn = stack.enter_context(a_process("learn", *size, "--port", lead.stdout.readline()))
        stack.callback(learn.kill)
        result: dict[str, Any] = json.loads(lead.stdout.readline())
        assert (lead.wait(300), learn.wait(300)) == (0, 0)
    return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["lead", "learn"])
    for name in ("port", "learners", "floats", "rounds"):
        parser.add_argument(f"--{name}", type=int, default=1)
    options = parser.parse_args()
    route_logs()
    give_memory_back()
    gc.freeze()
    if options.role == "lead":
        lead(options.learners, options.floats, options.rounds)
    else:
        learn(options.port, options.learners)


if __name__ == "__main__":
    main()
