"""Every flavor has its logger, and requirements are exactly what is installed."""

import importlib
import inspect
from importlib import metadata

import pytest

from flops_aggregator.tracking.flavors import LOGGERS, pinned
from flops_contracts.sla import Flavor

LIBRARIES = {
    Flavor.SKLEARN: "sklearn",
    Flavor.PYTORCH: "torch",
    Flavor.TENSORFLOW: "tensorflow",
    Flavor.KERAS: "keras",
}


def test_every_flavor_of_an_sla_can_be_logged():
    assert set(LOGGERS) == set(Flavor)


@pytest.mark.parametrize("flavor", list(Flavor))
def test_the_module_of_each_flavor_takes_its_arguments(flavor):
    pytest.importorskip(LIBRARIES[flavor], reason="mlflow's flavor imports its library")
    takes = inspect.signature(importlib.import_module(LOGGERS[flavor].module).log_model).parameters

    assert set(LOGGERS[flavor].arguments) <= set(takes)


def test_requirements_are_pinned_to_what_is_installed_here():
    assert pinned(["numpy", "no-such-distribution"]) == [f"numpy=={metadata.version('numpy')}"]


def test_a_builds_own_part_of_a_version_is_left_out(tmp_path, monkeypatch):
    folder = tmp_path / "some_wheel-2.13.0+cpu.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: some-wheel\nVersion: 2.13.0+cpu\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    assert pinned(["some-wheel"]) == ["some-wheel==2.13.0"]
