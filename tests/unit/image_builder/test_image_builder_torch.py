"""Whose PyTorch a build takes: the CPU's unless somebody said otherwise."""

import pytest

from flops_image_builder.adapters.commands import Commands, Finished
from flops_image_builder.adapters.uv import Uv, UvSettings
from flops_image_builder.bootstrap import uv_settings
from flops_image_builder.domain.pythons import Interpreter


class Recorder(Commands):
    """Keeps what programs are told by environment, and lets each succeed with nothing."""

    def __init__(self):
        super().__init__({})
        self.told = {}

    def run(self, argv, timeout_seconds, *, folder=None, extra=None, told=None):
        self.told = dict(extra or {})
        return Finished(0, "", "")


@pytest.mark.parametrize(("backend", "told"), [("cpu", "cpu"), ("cu128", "cu128"), ("", None)])
def test_uv_is_told_which_build_to_take(backend, told):
    commands = Recorder()

    Uv(commands, UvSettings(torch_backend=backend)).resolve(
        ("torch==2.13.0",), Interpreter("3.11.2", "/usr/bin/python3")
    )

    assert commands.told.get("UV_TORCH_BACKEND") == told


@pytest.mark.parametrize(
    ("asked", "variables", "backend"),
    [
        ("cpu", {}, "cpu"),
        ("cpu", {"UV_FIND_LINKS": ""}, "cpu"),
        ("cpu", {"UV_FIND_LINKS": "/wheels"}, ""),
        ("cpu", {"UV_TORCH_BACKEND": "cu128"}, ""),
        ("index", {}, ""),
    ],
)
def test_what_uv_was_told_itself_counts(asked, variables, backend):
    settings = UvSettings(torch_backend=asked)

    assert uv_settings(settings, variables).torch_backend == backend
