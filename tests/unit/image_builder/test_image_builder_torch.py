"""The build of PyTorch: for the CPU unless configured otherwise."""

import pytest

from flops_image_builder.adapters.commands import Commands, Finished
from flops_image_builder.adapters.uv import Uv, UvSettings
from flops_image_builder.bootstrap import uv_settings
from flops_image_builder.domain.pythons import Interpreter


class Recorder(Commands):
    """Records the extra environment of programs; each succeeds without output."""

    def __init__(self):
        super().__init__({})
        self.variables = {}

    def run(self, argv, timeout_seconds, *, folder=None, extra=None, on_line=None):
        self.variables = dict(extra or {})
        return Finished(0, "", "")


@pytest.mark.parametrize(("backend", "value"), [("cpu", "cpu"), ("cu128", "cu128"), ("", None)])
def test_uv_gets_the_configured_build(backend, value):
    commands = Recorder()

    Uv(commands, UvSettings(torch_backend=backend)).resolve(
        ("torch==2.13.0",), Interpreter("3.11.2", "/usr/bin/python3")
    )

    assert commands.variables.get("UV_TORCH_BACKEND") == value


@pytest.mark.parametrize(
    ("configured", "variables", "backend"),
    [
        ("cpu", {}, "cpu"),
        ("cpu", {"UV_FIND_LINKS": ""}, "cpu"),
        ("cpu", {"UV_FIND_LINKS": "/wheels"}, ""),
        ("cpu", {"UV_TORCH_BACKEND": "cu128"}, ""),
        ("index", {}, ""),
    ],
)
def test_the_variables_of_uv_itself_win(configured, variables, backend):
    settings = UvSettings(torch_backend=configured)

    assert uv_settings(settings, variables).torch_backend == backend
