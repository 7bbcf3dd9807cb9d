"""A folder of this machine as an ML repository, uncommitted files included."""

import shutil
from pathlib import Path

from flops_image_builder.adapters.commands import CommandMissingError, Commands, Finished
from flops_image_builder.adapters.git import GitRepositories
from flops_image_builder.domain.checkout import Checkout

LIST_SECONDS = 30.0
LEFT_OUT = shutil.ignore_patterns(".git", "__pycache__", ".venv", "node_modules")


class FoldersAndRepositories:
    """``RepositorySource`` that takes folders as they are, and clones everything else."""

    def __init__(self, repositories: GitRepositories, commands: Commands) -> None:
        self._repositories = repositories
        self._commands = commands

    def fetch(self, url: str, ref: str, folder: Path) -> Checkout:
        """See the port. With a ``ref``, a folder is cloned like any other repository."""
        source = Path(url)
        if ref or not source.is_dir():
            return self._repositories.fetch(url, ref, folder)
        names = self._file_names(source)
        if names is None:
            shutil.copytree(source, folder, ignore=LEFT_OUT)
            return Checkout("", folder, "which is not a git repository")
        for name in names:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, target, follow_symlinks=False)
        changed = len(self._git(source, "status", "--porcelain", "--", ".").output.splitlines())
        return Checkout("", folder, f"{changed} of its files not committed" if changed else "")

    def read(self, checkout: Checkout) -> dict[str, str]:
        """See the port."""
        return self._repositories.read(checkout)

    def _file_names(self, folder: Path) -> list[str] | None:
        """Return the files that git does not ignore; None outside a git repository."""
        options = ["-z", "--cached", "--others", "--exclude-standard"]
        try:
            listed = self._git(folder, "ls-files", *options, "--", ".")
        except CommandMissingError:
            return None
        names = [name for name in listed.output.split("\0") if name]
        return [name for name in names if (folder / name).is_file()] if listed.is_success else None

    def _git(self, folder: Path, *arguments: str) -> Finished:
        return self._commands.run(["git", "-C", str(folder), *arguments], LIST_SECONDS)
