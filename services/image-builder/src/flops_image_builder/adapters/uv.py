"""Resolves and installs with uv, a dependency of the builder and never of an actor."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uv
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from flops_contracts.declared import declared
from flops_image_builder.adapters.commands import (
    Commands,
    CommandTimeoutError,
    Finished,
    last_lines,
)
from flops_image_builder.domain.errors import BuildFailedError, ImageStoreError
from flops_image_builder.domain.locks import Lock, lock_from_text
from flops_image_builder.domain.platforms import triple_of
from flops_image_builder.domain.pythons import Interpreter
from flops_image_builder.ports import ResolutionFailedError

_ENVIRONMENT: Final = {
    "UV_HTTP_TIMEOUT": "60",
    "UV_NO_PROGRESS": "1",
    "UV_PYTHON_DOWNLOADS": "never",
    "UV_SYSTEM_CERTS": "true",
}
_NETWORK: Final = (
    "Failed to fetch",
    "error sending request",
    "dns error",
    "operation timed out",
    "Connection reset",
)
_DISK_FULL: Final = ("No space left on device", "Disk quota exceeded")


@dataclass(frozen=True)
class UvSettings:
    """Deadlines, and whether packages without a wheel may be built from source.

    ``torch_backend`` selects a build of PyTorch from PyTorch's own index: ``cpu``, ``cu128`` and
    so on. Empty selects that of the package index, which for x86-64 needs CUDA.
    """

    resolve_timeout_seconds: float = declared(
        180.0, "How long one resolution may take.", "FLOPS_RESOLVE_TIMEOUT_SECONDS"
    )
    install_timeout_seconds: float = declared(
        1800.0, "How long one installation may take.", "FLOPS_INSTALL_TIMEOUT_SECONDS"
    )
    allow_source_packages: bool = declared(
        False,
        "Build packages that have no wheel from source, which runs their code here.",
        "FLOPS_ALLOW_SOURCE_PACKAGES",
    )
    torch_backend: str = declared(
        "cpu",
        "Build of PyTorch, from its own index; `index` is what the package index has. "
        "Does not count where UV_TORCH_BACKEND or UV_FIND_LINKS is set.",
        "FLOPS_TORCH_BACKEND",
    )


class _NetworkError(Exception):
    """Worth another attempt."""


class Uv:
    """``Resolver`` by ``uv pip compile``; also creates and fills environments."""

    def __init__(self, commands: Commands, settings: UvSettings) -> None:
        self._commands = commands
        self._settings = settings

    def resolve(
        self,
        requirements: tuple[str, ...],
        python: Interpreter,
        constraints: tuple[str, ...] = (),
        overrides: tuple[str, ...] = (),
    ) -> Lock:
        """See the port."""
        with tempfile.TemporaryDirectory(prefix="flops-resolve-") as name:
            folder = Path(name)
            argv = ["pip", "compile", _written(folder / "requirements.in", requirements)]
            argv += ["--constraints", _written(folder / "constraints.txt", constraints)]
            argv += ["--overrides", _written(folder / "overrides.txt", overrides)]
            argv += [*_target(python), "--generate-hashes", "--no-header", "--no-annotate"]
            argv += [] if self._settings.allow_source_packages else ["--only-binary", ":all:"]
            finished = self._run([*argv, "--quiet"], self._settings.resolve_timeout_seconds)
        if not finished.is_success:
            raise ResolutionFailedError(finished.errors)
        return lock_from_text(finished.output)

    def create(self, folder: Path, python: Interpreter) -> None:
        """Create an empty environment that may be renamed; raise ``BuildFailedError``."""
        argv = ["venv", "--relocatable", "--no-project", "--python", python.executable]
        self._demand([*argv, "--quiet", str(folder)], f"an environment on {python.executable}")

    def install(self, folder: Path, lock: Lock) -> None:
        """Install exactly ``lock`` into an environment; raise ``BuildFailedError``."""
        with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
            file.write(lock.text)
            file.flush()
            argv = ["pip", "sync", "--python", str(folder), "--require-hashes", "--quiet"]
            argv += ["--allow-empty-requirements", file.name]
            self._demand(argv, f"{len(lock.entries)} packages")

    def lay_out(self, folder: Path, lock: Lock, python: Interpreter) -> None:
        """Install exactly ``lock`` into an empty folder, for a Python that may be absent here."""
        with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
            file.write(lock.text)
            file.flush()
            argv = ["pip", "install", "--target", str(folder), *_target(python), "--no-deps"]
            # Never by links: slimming the libraries here must not change the cache.
            argv += ["--link-mode", "copy"]
            argv += ["--only-binary", ":all:", "--require-hashes", "--quiet", "-r", file.name]
            what = f"{len(lock.entries)} packages for {python.platform}"
            # uv rejects an empty requirements file.
            if lock.entries:
                self._demand(argv, what)

    def _demand(self, argv: Sequence[str], what: str) -> None:
        finished = self._run(argv, self._settings.install_timeout_seconds)
        if not finished.is_success:
            raise BuildFailedError(
                f"installing {what} failed: {last_lines(finished.errors, 6)}",
                hint="These are uv's last lines; they name the package that cannot be installed.",
            )

    def _run(self, argv: Sequence[str], timeout_seconds: float) -> Finished:
        retrying = Retrying(
            stop=stop_after_attempt(3),
            wait=wait_fixed(1),
            retry=retry_if_exception_type(_NetworkError),
            reraise=True,
        )
        try:
            return retrying(self._attempt, argv, timeout_seconds)
        except CommandTimeoutError as error:
            raise BuildFailedError(
                f"uv {argv[0]} did not end within {timeout_seconds:g} seconds",
                hint="The package index is slow or a package is very large; retry.",
            ) from error
        except _NetworkError as error:
            raise BuildFailedError(
                f"the package index cannot be reached: {error}",
                hint="Check the network of the machine that the image-builder runs on, then retry.",
            ) from None

    def _attempt(self, argv: Sequence[str], timeout_seconds: float) -> Finished:
        extra: Mapping[str, str] = _ENVIRONMENT
        if self._settings.torch_backend:
            extra = {**_ENVIRONMENT, "UV_TORCH_BACKEND": self._settings.torch_backend}
        finished = self._commands.run([uv.find_uv_bin(), *argv], timeout_seconds, extra=extra)
        if finished.is_success:
            return finished
        if any(sign in finished.errors for sign in _DISK_FULL):
            raise ImageStoreError(
                "the disk is full", hint="Free space where the image store and uv's cache lie."
            )
        if any(sign in finished.errors for sign in _NETWORK):
            raise _NetworkError(last_lines(finished.errors, 4))
        return finished


def _target(python: Interpreter) -> list[str]:
    """Return uv's options for the Python to choose packages for."""
    if not python.platform:
        return ["--python", python.executable]
    triple = triple_of(python.platform)
    return ["--python-version", python.minor, "--python-platform", triple]


def _written(file: Path, lines: Sequence[str]) -> str:
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(file)
