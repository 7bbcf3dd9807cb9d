"""Build contexts with installed packages, one for each lock."""

from hashlib import sha256
from pathlib import Path

from flops_image_builder.adapters.slimming import slim
from flops_image_builder.adapters.uv import Uv
from flops_image_builder.domain.locks import Lock
from flops_image_builder.domain.pythons import Interpreter
from flops_image_builder.domain.recipes import SITE


class Sites:
    """Installs packages below ``folder``, which is deleted after the build."""

    def __init__(self, uv: Uv, folder: Path) -> None:
        self._uv = uv
        self._folder = folder

    def context(self, lock: Lock, python: Interpreter, platform: str) -> Path:
        """Return a folder whose ``site`` holds exactly ``lock`` for ``platform``."""
        key = sha256(f"{platform} {python.minor} {lock.digest}".encode()).hexdigest()[:16]
        context = self._folder / key
        site = context / SITE
        if not site.exists():
            site.mkdir(parents=True)
            self._uv.lay_out(site, lock, Interpreter(python.version, "", platform))
            slim(site)
        return context

    def modules(self, context: Path) -> set[str]:
        """Return the names that can be imported from a context's ``site``."""
        paths = (context / SITE).iterdir()
        names = (path.name if path.is_dir() else _module(path.name) for path in paths)
        return {name for name in names if name.isidentifier() and name != "__pycache__"}


def _module(file: str) -> str:
    name, _, rest = file.partition(".")
    return name if rest.endswith(("py", "so")) else ""
