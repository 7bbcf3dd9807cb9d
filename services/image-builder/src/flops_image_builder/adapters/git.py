"""Repositories over git: https, ssh with a deploy key, file:// and paths; never a prompt."""

import base64
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from flops_contracts.declared import declared
from flops_image_builder.adapters.commands import (
    CommandMissingError,
    Commands,
    CommandTimeoutError,
    Finished,
    last_lines,
)
from flops_image_builder.domain.checkout import Checkout
from flops_image_builder.domain.errors import RepositoryUnreachableError
from flops_image_builder.domain.texts import text_of

READABLE_BYTES: Final = 2_000_000
_TRANSIENT: Final = re.compile(
    r"Could not resolve host|timed out|Connection reset|early EOF|HTTP 5\d\d|error: 5\d\d",
    re.IGNORECASE,
)
_ACCESS = re.compile(r"could not read Username|Authentication failed|Permission denied|\b40[13]\b")


@dataclass(frozen=True)
class GitSettings:
    """Access to repositories. The key file is a deploy key for ssh URLs."""

    ssh_key_file: str = declared("", "Deploy key for ssh URLs; a path.", "FLOPS_GIT_SSH_KEY_FILE")
    user: str = declared("", "User for https URLs, beside a token.", "FLOPS_GIT_USER")
    token: str = declared("", "Password or token for https URLs.", "FLOPS_GIT_TOKEN", secret=True)
    timeout_seconds: float = declared(
        120.0, "How long one call of git may take.", "FLOPS_CLONE_TIMEOUT_SECONDS"
    )


class _TransientError(Exception):
    """Worth another attempt."""


class GitRepositories:
    """``RepositorySource`` by the git program."""

    def __init__(self, commands: Commands, settings: GitSettings) -> None:
        self._commands = commands
        self._settings = settings

    def fetch(self, url: str, ref: str, folder: Path) -> Checkout:
        """See the port. Only the requested commit is fetched where the server allows it."""
        refuse_options(url, ref)
        folder.mkdir(parents=True, exist_ok=True)
        self._local(["init", "--quiet"], folder, url)
        shallow = self._fetch(url, ["--depth=1", "--no-tags"], ref or "HEAD", folder)
        commit = "FETCH_HEAD" if shallow.is_success else self._search(url, ref, folder, shallow)
        self._local(["checkout", "--quiet", "--detach", commit], folder, url)
        name = self._local(["rev-parse", "HEAD"], folder, url).output.strip()
        shutil.rmtree(folder / ".git")
        return Checkout(name, folder)

    def read(self, checkout: Checkout) -> dict[str, str]:
        """See the port. Links and huge files are left out."""
        root = checkout.folder
        candidates = {*root.glob("*"), *root.rglob("*.py")}
        return {
            file.relative_to(root).as_posix(): text_of(file.name, file.read_bytes())
            for file in sorted(candidates)
            if file.is_file() and not file.is_symlink() and file.stat().st_size < READABLE_BYTES
        }

    def _search(self, url: str, ref: str, folder: Path, first: Finished) -> str:
        """Fetch all branches and tags, for servers that do not serve a commit by its hash."""
        if not ref:
            raise self._unreachable(url, ref, first)
        everything = ["--tags", "--force"]
        whole = self._fetch(url, everything, "+refs/heads/*:refs/remotes/origin/*", folder)
        if not whole.is_success:
            raise self._unreachable(url, ref, whole)
        for name in (f"refs/remotes/origin/{ref}", f"refs/tags/{ref}", ref):
            argv = ["rev-parse", "--quiet", "--verify", "--end-of-options", f"{name}^{{commit}}"]
            finished = self._git(argv, folder, url)
            if finished.is_success:
                return finished.output.strip()
        raise RepositoryUnreachableError(
            f"the repository {without_credentials(url)} has no branch, tag or commit '{ref}'",
            hint="Correct ml_repo_ref in the project SLA, or push what it refers to.",
        )

    def _fetch(self, url: str, options: list[str], refspec: str, folder: Path) -> Finished:
        argv = ["fetch", "--quiet", *options, "--", without_credentials(url), refspec]

        def attempt() -> Finished:
            finished = self._git(argv, folder, url)
            if not finished.is_success and _TRANSIENT.search(finished.errors):
                raise _TransientError(finished)
            return finished

        retrying = Retrying(
            stop=stop_after_attempt(2),
            wait=wait_fixed(1),
            retry=retry_if_exception_type(_TransientError),
            reraise=True,
        )
        try:
            return retrying(attempt)
        except _TransientError as error:
            raise self._unreachable(url, "", error.args[0]) from None

    def _local(self, arguments: list[str], folder: Path, url: str) -> Finished:
        finished = self._git(arguments, folder, url)
        if not finished.is_success:
            raise self._unreachable(url, "", finished)
        return finished

    def _git(self, arguments: list[str], folder: Path, url: str) -> Finished:
        try:
            return self._commands.run(
                ["git", *arguments],
                self._settings.timeout_seconds,
                folder=folder,
                extra=environment_of(url, self._settings),
            )
        except CommandTimeoutError as error:
            raise RepositoryUnreachableError(
                f"cloning {without_credentials(url)} took more than "
                f"{self._settings.timeout_seconds:g} seconds",
                hint="Check that the git host answers, or raise FLOPS_CLONE_TIMEOUT_SECONDS.",
            ) from error
        except CommandMissingError as error:
            raise RepositoryUnreachableError(
                "git is not installed where the image-builder runs", hint="Install git there."
            ) from error

    def _unreachable(self, url: str, ref: str, finished: Finished) -> RepositoryUnreachableError:
        message = without_credentials(last_lines(finished.errors, 4)).replace("\n", "; ")
        hint = "Check ml_repo_url in the project SLA: this machine must be able to clone it."
        if _ACCESS.search(message):
            hint = (
                "The repository is private or does not exist: correct the URL, or give the "
                "image-builder a deploy key (FLOPS_GIT_SSH_KEY_FILE) or a token (FLOPS_GIT_TOKEN)."
            )
        at_ref = f" ({ref})" if ref else ""
        return RepositoryUnreachableError(
            f"the repository {without_credentials(url)}{at_ref} cannot be cloned; "
            f"git reports: {message}",
            hint=hint,
        )


def refuse_options(url: str, ref: str) -> None:
    """Raise ``RepositoryUnreachableError`` for what git would read as an option or a helper."""
    hint = "Correct ml_repo_url or ml_repo_ref in the project SLA."
    if not url or url.startswith("-") or "::" in url.split("/", 1)[0]:
        raise RepositoryUnreachableError(f"'{url}' is not a git URL", hint=hint)
    if ref.startswith("-") or re.search(r"[\s:?*\[\\^~\x00]|\.\.", ref):
        raise RepositoryUnreachableError(
            f"'{ref}' is not the name of a branch, tag or commit", hint=hint
        )


def without_credentials(text: str) -> str:
    """Return ``text`` without the user and password of any http(s) URL in it."""
    return re.sub(r"(https?://)[^/@\s]*@", r"\1", text)


def environment_of(url: str, settings: GitSettings) -> dict[str, str]:
    """Return git's environment; it holds the credentials, which no process list may show."""
    ssh = ["ssh", "-oBatchMode=yes", "-oStrictHostKeyChecking=accept-new", "-oConnectTimeout=20"]
    if settings.ssh_key_file:
        ssh += ["-oIdentitiesOnly=yes", "-i", settings.ssh_key_file]
    variables = {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
        "GIT_HTTP_LOW_SPEED_LIMIT": "1000",
        "GIT_HTTP_LOW_SPEED_TIME": "30",
        "GIT_SSH_COMMAND": shlex.join(ssh),
        "LC_ALL": "C",
    }
    parts = urlsplit(url) if url.startswith(("http://", "https://")) else None
    if parts is None:
        return variables
    user = unquote(parts.username or "") or settings.user or "oauth2"
    secret = unquote(parts.password or "") or settings.token
    if parts.username and not parts.password and not settings.token:
        secret, user = user, "oauth2"
    if secret:
        login = base64.b64encode(f"{user}:{secret}".encode()).decode()
        host = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], "/", "", ""))
        variables |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{host}.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {login}",
        }
    return variables
