"""What the command line is told by the environment; options on the command line come first."""

from dataclasses import dataclass, field
from pathlib import Path

from flops_runtime.environment import Environment


@dataclass(frozen=True)
class Settings:
    """Where the manager and the orchestrator are, who the user is, where files lie."""

    api_url: str
    oakestra_url: str
    user: str
    password: str = field(repr=False)
    config_folder: Path
    home: Path | None
    repository: Path | None
    data_server: str
    data_server_token: str = field(repr=False)
    data_server_ca: str

    @classmethod
    def from_env(cls, environment: Environment) -> "Settings":
        """Read them; raise ``BadSettingsError`` with everything that is wrong."""
        settings = cls(
            api_url=environment.text(
                "FLOPS_API_URL", "http://127.30.0.1:5072", help="The manager's address."
            ).rstrip("/"),
            oakestra_url=environment.text(
                "FLOPS_OAKESTRA_URL", "http://127.30.0.1:10000", help="The root orchestrator."
            ).rstrip("/"),
            user=environment.text("FLOPS_USER", "", help="User at the root, instead of a login."),
            password=environment.text("FLOPS_PASSWORD", "", help="Password of FLOPS_USER."),
            config_folder=_config_folder(environment),
            home=_optional_path(environment, "FLOPS_HOME", "State of the embedded suite: .flops."),
            repository=_optional_path(
                environment, "FLOPS_REPOSITORY", "Checkout of FLOps that `flops local` runs."
            ),
            data_server=environment.text(
                "FLOPS_DATA_SERVER", "", help="Data server for `flops data`: host[:port]."
            ),
            data_server_token=environment.text(
                "FLOPS_DATA_SERVER_TOKEN", "", help="Token that it asks for, if any."
            ),
            data_server_ca=environment.text(
                "FLOPS_DATA_SERVER_CA",
                "",
                help="Certificate authority of the data server (PEM); turns TLS on.",
            ),
        )
        environment.check()
        return settings


def _config_folder(environment: Environment) -> Path:
    folder = environment.text(
        "XDG_CONFIG_HOME", "", help="Folder of the user's configuration; default ~/.config."
    )
    home = environment.text("HOME", "/", help="The user's home folder.")
    return (Path(folder) if folder else Path(home) / ".config") / "flops"


def _optional_path(environment: Environment, name: str, help: str) -> Path | None:
    value = environment.text(name, "", help=help)
    return Path(value).resolve() if value else None
