"""Containers for real, once for all tests; only ``make test-containers`` asks for them."""

import os
from collections.abc import Iterator

import pytest

from containers.bench.bench import Bench, bench_folder
from containers.bench.engine import Engine
from containers.bench.platforms import Platforms
from containers.bench.shell import TIMES
from containers.bench.suite import Suite


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    if os.environ.get("FLOPS_TEST_CONTAINERS") != "1":
        pytest.skip("containers are tried by `make test-containers`")
    bench = Bench(bench_folder())
    bench.start()
    yield bench
    bench.stop()


@pytest.fixture(scope="session")
def image_table(bench: Bench) -> str:
    return bench.build_images()


@pytest.fixture(scope="session")
def engine(bench: Bench, image_table: str) -> Engine:
    return bench.engine


@pytest.fixture(scope="session")
def suite(bench: Bench, engine: Engine) -> Iterator[Suite]:
    suite = bench.suite()
    suite.down()
    try:
        suite.up()
        yield suite
    finally:
        suite.down()
        bench.drop_data()


@pytest.fixture(scope="session")
def platforms(bench: Bench, suite: Suite) -> Iterator[Platforms]:
    """Images for two platforms in the suite's registry, the base images of actors among them."""
    folder = bench.folder / "buildah"
    platforms = Platforms(folder, bench.engine, suite, bench.bridge_address)
    try:
        platforms.start()
        platforms.build()
        yield platforms
    finally:
        platforms.stop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report how long each part took."""
    for what, seconds in TIMES.items():
        terminalreporter.write_line(f"{seconds:7.1f} s  {what}")
