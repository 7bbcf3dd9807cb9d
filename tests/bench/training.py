"""``python -m bench.training``: how long a round takes, beside Flower's legacy API and bare gRPC.

Prints JSON, and a table at the end. Training itself is trivial: what is measured is the carrying,
adding and writing down. ``models`` is how often the leader's memory grew by the size of the model.
It never fails for being slow; ``make bench-training`` runs it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from support.broker import free_port

KINDS = {
    "ours": "FLOps, all of it",
    "untracked": "FLOps without MLflow",
    "legacy": "Flower's start_server",
    "grpc": "bare gRPC streams",
}
SMALL_FLOATS = 7850
WAIT_SECONDS = 600


def measured(kind: str, learners: int, rounds: int, floats: int) -> dict[str, Any]:
    """Run one training; the first round, which warms up, does not count."""
    port, size = free_port(), floats * 4
    with ExitStack() as stack:
        lead = _started(stack, "lead", kind, port, learners, rounds, floats, size)
        for _ in range(learners):
            _started(stack, "learn", kind, port, learners, rounds, floats, size)
        out, _ = lead.communicate(timeout=WAIT_SECONDS)
    result = json.loads(out.splitlines()[-1])
    counted = result["seconds"][1:]
    grown = result["peak_mb"] - result["before_mb"]
    return {
        "kind": kind,
        "learners": learners,
        "floats": floats,
        "rounds": len(counted),
        "median_ms": round(statistics.median(counted) * 1000, 1),
        "worst_ms": round(max(counted) * 1000, 1),
        "leader_peak_mb": round(result["peak_mb"]),
        "leader_grown_mb": round(grown),
        "models_in_memory": round(grown / (size / 1e6), 1) if size > 1e6 else None,
    }


def _started(stack: ExitStack, role: str, kind: str, *numbers: int) -> Any:
    port, learners, rounds, floats, size = map(str, numbers)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "bench.training_children", role, kind),
            *("--port", port, "--learners", learners, "--rounds", rounds, "--floats", floats),
            size,
        ],
        stdout=subprocess.PIPE,
        stderr=None if os.environ.get("BENCH_VERBOSE") else subprocess.DEVNULL,
        cwd=Path(__file__).parents[1],
    )
    stack.callback(process.wait, 30)
    stack.callback(process.kill)
    return process


def as_text(rows: list[dict[str, Any]]) -> str:
    """Return the table."""
    heads = ("floats", 12), ("learners", 10), ("median ms", 11), ("worst ms", 10), ("peak MB", 9)
    lines = [f"{'':24}" + "".join(f"{item:>{wide}}" for item, wide in (*heads, ("models", 8)))]
    lines += [
        f"{KINDS[row['kind']]:24}{row['floats']:>12,}{row['learners']:>10}{row['median_ms']:>11,}"
        f"{row['worst_ms']:>10,}{row['leader_peak_mb']:>9,}{row['models_in_memory'] or '':>8}"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.training", description=__doc__)
    parser.add_argument("--learners", type=int, default=4)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=30, help="of the small model")
    parser.add_argument("--large-rounds", type=int, default=4)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    options = parser.parse_args()
    sizes = ((SMALL_FLOATS, options.rounds), (options.megabytes * 250_000, options.large_rounds))
    rows = [
        measured(kind, options.learners, rounds + 2, floats)
        for floats, rounds in sizes
        if floats
        for kind in options.kinds
    ]
    world = {
        "load_average": os.getloadavg()[0],
        "processors": os.cpu_count(),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    print(json.dumps({**world, "rows": rows}, indent=2))  # noqa: T201 - the answer
    print(as_text(rows))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
