"""The time of a cycle of hierarchical mode, beside as many rounds of classic mode.

Every aggregator and learner is a process of its own on loopback, with the real grid, strategy and
cluster code; there is no broker and no MLflow. Training is trivial, so that what is measured is
FLOps's own work. Prints JSON; ``make bench-hierarchy`` runs it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))
os.environ.update({"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"})

import numpy as np  # noqa: E402 - Flower reads the environment when it is imported

from flops_aggregator.rounds.cluster import Cluster  # noqa: E402
from flops_aggregator.rounds.place import Place  # noqa: E402
from flops_aggregator.rounds.strategies import build_strategy  # noqa: E402
from flops_aggregator.rounds.supervision import SupervisedStrategy  # noqa: E402
from flops_grid.client.app import serve_client_app  # noqa: E402
from flops_grid.client.link import Link, Peer  # noqa: E402
from flops_grid.messages.flower_internals import route_logs  # noqa: E402
from flops_grid.messages.records import arrays_from_parameters  # noqa: E402
from flops_grid.server.grid import StreamGrid  # noqa: E402
from flops_grid.user_model import Evaluation  # noqa: E402
from flops_grid.wire.settings import LinkSettings  # noqa: E402
from flops_learner.training import Training  # noqa: E402
from support.broker import free_port  # noqa: E402
from support.federation import MemoryRuns, MemoryWatch, a_training  # noqa: E402

TOKEN = "of-this-bench"
JOIN_SECONDS = 120.0


@dataclass
class TrivialModel:
    """A model whose training does nothing to speak of."""

    arrays: list[Any] = field(default_factory=list)

    def parameters(self) -> list[Any]:
        """Return what was set, a little changed."""
        return [array + 1 for array in self.arrays]

    def set_parameters(self, arrays: list[Any]) -> None:
        """Keep the arrays."""
        self.arrays = arrays

    def fit(self, _config: Any) -> int:
        """Train on nothing."""
        return 100

    def evaluate(self) -> Evaluation:
        """Return a fixed evaluation."""
        return Evaluation(0.5, 0.5, 100)


def be_learner(port: int, name: str) -> None:
    """Learn until the goodbye."""
    model: Any = TrivialModel()
    serve_client_app(Training(model).client_app(), f"127.0.0.1:{port}", name, TOKEN)


def be_cluster(port: int, name: str, parent: int, clients: int, rounds: int) -> None:
    """Serve the parent with this cluster's learners until the goodbye."""
    with StreamGrid(f"127.0.0.1:{port}", TOKEN) as grid:
        grid.wait_for_learners(clients, JOIN_SECONDS)
        cluster = Cluster(_training(rounds, clients), name, grid, MemoryWatch(), MemoryRuns())
        peer = Peer(f"127.0.0.1:{parent}", name, TOKEN, aggregates=True)
        cluster.serve(Link(peer, LinkSettings(), news=cluster.call_off_if_superseded))


def lead(port: int, clients: int, rounds: int, floats: int) -> list[float]:
    """Train over ``clients``; return the seconds of each round."""
    watch, training = MemoryWatch(), _training(rounds, clients)
    with StreamGrid(f"127.0.0.1:{port}", TOKEN) as grid:
        grid.wait_for_learners(clients, JOIN_SECONDS)
        strategy = SupervisedStrategy(build_strategy(training), training, grid, watch, Place())
        strategy.start(
            grid=grid,
            initial_arrays=arrays_from_parameters([np.zeros(floats, np.float32)]),
            num_rounds=rounds,
            timeout=600,
        )
    return [item.seconds for item in watch.completed]


def _training(rounds: int, clients: int) -> Any:
    minima = dict.fromkeys(("learners", "min_available", "min_fit", "min_evaluate"), clients)
    return a_training(rounds=rounds, round_timeout_seconds=600.0, **minima)


def _started(stack: ExitStack, **options: Any) -> None:
    arguments = [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
    process = subprocess.Popen([sys.executable, __file__, *arguments])
    stack.callback(process.kill)
    stack.callback(process.wait, 30)


def classic(learners: int, rounds: int, floats: int) -> list[float]:
    """Return the seconds of each round of a classic aggregator over all learners."""
    with ExitStack() as stack:
        port = free_port()
        for number in range(learners):
            _started(stack, be="learner", port=port, name=f"l{number}")
        return lead(port, learners, rounds, floats)


def hierarchical(
    clusters: int, learners: int, cycles: int, rounds: int, floats: int
) -> list[float]:
    """Return the seconds of each cycle of a root over clusters."""
    with ExitStack() as stack:
        root = free_port()
        for number in range(clusters):
            port, name = free_port(), f"c{number}"
            below = {"clients": learners, "rounds": rounds}
            _started(stack, be="cluster", port=port, name=name, parent=root, **below)
            for learner in range(learners):
                _started(stack, be="learner", port=port, name=f"{name}l{learner}")
        return lead(root, clusters, cycles, floats)


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Run everything, smallest first; the first exchange, which warms up, does not count."""
    cycles, rounds, learners = options.cycles, options.rounds, options.learners
    rows = []
    for clusters in options.clusters:
        tree = hierarchical(clusters, learners, cycles + 1, rounds, options.floats)[1:]
        flat = classic(clusters * learners, cycles * rounds + 1, options.floats)[1:]
        rows.append(
            {
                "clusters": clusters,
                "learners": clusters * learners,
                "cycle_ms": _milliseconds(tree),
                "same_rounds_classic_ms": _milliseconds(flat, rounds),
            }
        )
    return {
        "rounds_a_cycle": rounds,
        "cycles": cycles,
        "floats": options.floats,
        "load_average": os.getloadavg()[0],
        "processors": os.cpu_count(),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "medians": rows,
    }


def _milliseconds(seconds: list[float], times: int = 1) -> float:
    return round(statistics.median(seconds) * 1000 * times, 1)


def main() -> None:
    """Measure, or be one of those that are measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clusters", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--learners", type=int, default=2, help="in each cluster")
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5, help="in each cycle")
    parser.add_argument("--floats", type=int, default=7850)
    for hidden in ("--be", "--name"):
        parser.add_argument(hidden, default="", help=argparse.SUPPRESS)
    for hidden in ("--port", "--parent", "--clients"):
        parser.add_argument(hidden, type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    route_logs()
    match options.be:
        case "learner":
            be_learner(options.port, options.name)
        case "cluster":
            be_cluster(options.port, options.name, options.parent, options.clients, options.rounds)
        case _:
            print(json.dumps(measured(options), indent=2))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
