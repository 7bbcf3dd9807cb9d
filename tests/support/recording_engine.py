"""A container engine's command line that only records its calls."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flops_local_oakestra.adapters.engine import Engine

PROGRAM = """\
#!{python} -IS
import json, os, stat, sys
here = os.path.dirname(os.path.abspath(__file__))
argv = sys.argv[1:]
call = {{"argv": argv, "variables": dict(os.environ), "env_file": None, "mode": None}}
if "--env-file" in argv:
    path = argv[argv.index("--env-file") + 1]
    call["env_file"] = open(path).read()
    call["mode"] = stat.S_IMODE(os.stat(path).st_mode)
with open(os.path.join(here, "calls"), "a") as file:
    file.write(json.dumps(call) + "\\n")
answers = json.load(open(os.path.join(here, "answers")))
code, out, err = answers.get(argv[0], [0, "", ""])
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
"""


@dataclass(frozen=True)
class Call:
    """A call of the program."""

    argv: list[str]
    variables: dict[str, str]
    env_file: str | None
    mode: int | None


class RecordingEngine:
    """The program in ``folder``; by default it prints nothing and ends with 0."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._answers: dict[str, tuple[int, str, str]] = {}
        program = folder / "docker"
        program.write_text(PROGRAM.format(python=sys.executable))
        program.chmod(0o755)
        self._write()
        self.engine = Engine(str(program), {"DOCKER_HOST": "unix:///nowhere"})

    def answer(self, word: str, out: str = "", *, code: int = 0, error: str = "") -> None:
        """Set the result of calls that begin with ``word``."""
        self._answers[word] = (code, out, error)
        self._write()

    def calls(self, word: str) -> list[Call]:
        """Return the calls that begin with ``word``."""
        lines = (self._folder / "calls").read_text().splitlines()
        calls = [Call(**json.loads(line)) for line in lines]
        return [call for call in calls if call.argv[0] == word]

    def _write(self) -> None:
        answers: Mapping[str, tuple[int, str, str]] = self._answers
        (self._folder / "answers").write_text(json.dumps(answers))
