"""The command line's settings; options on the command line come first."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flops_contracts.access import DataServerAccess
from flops_contracts.declared import declared


def _url(text: str) -> str:
    """Return the address without a slash at its end; raise ``ValueError`` if it is not one."""
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # a port that is not a number, or too large
        is_address = False
    if not is_address:
        raise ValueError(f"is '{text}', but must be an address such as http://host:5072")
    return text.rstrip("/")


def chosen(variables: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """Return the settings ``names`` that are set, as values or as files that hold them."""
    return {
        name: value
        for name, value in variables.items()
        if value and (name in names or name.removesuffix("_FILE") in names)
    }


def _folder(text: str) -> Path:
    return Path(text).resolve()


@dataclass(frozen=True)
class Settings:
    """Where the manager and the orchestrator are, who the user is, where files lie."""

    data_server_access: DataServerAccess
    api_url: str = declared(
        "http://127.30.0.1:5072", "Address of the manager.", "FLOPS_API_URL", parse=_url
    )
    oakestra_url: str = declared(
        "http://127.30.0.1:10000", "Root orchestrator.", "FLOPS_OAKESTRA_URL", parse=_url
    )
    user: str = declared("", "User at the root, instead of a login.", "FLOPS_USER")
    password: str = declared("", "Password of FLOPS_USER.", "FLOPS_PASSWORD", secret=True)
    xdg_config_home: str = declared(
        "", "Folder of the user's configuration; default ~/.config.", "XDG_CONFIG_HOME"
    )
    user_home: str = declared("/", "The user's home folder.", "HOME")
    home: Path | None = declared(
        None, "State of the embedded suite; default .flops.", "FLOPS_HOME", parse=_folder
    )
    repository: Path | None = declared(
        None, "Checkout of FLOps that `flops local` runs.", "FLOPS_REPOSITORY", parse=_folder
    )
    local_network: str = declared(
        "",
        "First two octets of the embedded suite's addresses; default the first unused one from "
        "127.30.",
        "FLOPS_LOCAL_NETWORK",
    )
    local_topology: Any = declared(
        list,
        "Clusters and nodes of `flops local up`, as local-oakestra reads them.",
        "FLOPS_LOCAL_TOPOLOGY",
    )
    data_server: str = declared(
        "", "Data server for `flops data`: host[:port].", "FLOPS_DATA_SERVER"
    )

    @property
    def config_folder(self) -> Path:
        """Where the command line keeps its own files."""
        return Path(self.xdg_config_home or Path(self.user_home) / ".config") / "flops"
