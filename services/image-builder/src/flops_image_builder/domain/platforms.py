"""Names of the platforms that images are built for, in registries and for uv."""

from typing import Final

from flops_image_builder.domain.errors import BuildFailedError

_TRIPLES: Final = {
    "linux/amd64": "x86_64-unknown-linux-gnu",
    "linux/arm64": "aarch64-unknown-linux-gnu",
}
_MACHINES: Final = {"x86_64": "linux/amd64", "aarch64": "linux/arm64", "arm64": "linux/arm64"}


def triple_of(platform: str) -> str:
    """Return uv's name of a platform; raise ``BuildFailedError`` for an unsupported one."""
    if platform not in _TRIPLES:
        raise BuildFailedError(
            f"images cannot be built for the platform '{platform}'",
            hint=f"supported_platforms of the project SLA may hold {' and '.join(_TRIPLES)}.",
        )
    return _TRIPLES[platform]


def platform_of(machine: str) -> str:
    """Return the platform for a kernel's machine name."""
    return _MACHINES.get(machine, f"linux/{machine}")


def short(platform: str) -> str:
    """Return a platform's name for use in a tag."""
    return platform.removeprefix("linux/").replace("/", "-")
