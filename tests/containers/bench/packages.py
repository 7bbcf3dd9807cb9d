"""Debian packages: what the bench needs of this machine, and what its own Debian has too old."""

import shutil
from pathlib import Path
from typing import Final

from containers.bench.shell import BenchError, run, say

PROGRAMS: Final = {
    "buildah": "buildah",
    "docker-registry": "docker-registry",
    "dockerd": "docker.io",
    "iptables": "iptables",
    "mmdebstrap": "mmdebstrap",
    "runc": "runc",
    "skopeo": "skopeo",
}
"""Programs, and the packages that bring them."""

PLUGINS: Final = ("docker-buildx", "docker-compose")
"""Debian 12's own compose is 1.29, which does not read our files; Debian 13's run on 12, too."""

TARGETS: Final = ("apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)")


def ensure_packages() -> None:
    """Install what is missing; raise ``BenchError`` where that cannot be done."""
    missing = sorted({name for program, name in PROGRAMS.items() if not shutil.which(program)})
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise BenchError(f"missing here, and this is not Debian: {', '.join(missing)}")
    say(f"installing {', '.join(missing)}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-qq"], seconds=300, env=quiet)
    install = ["apt-get", "install", "-qq", "-y", "--no-install-recommends"]
    run([*install, *missing], seconds=900, env=quiet)


def mirror_lines(suite: str) -> list[str]:
    """Return this machine's own Debian sources, as lines for ``suite``."""
    rows = {tuple(row.split()) for row in run([*TARGETS, "Created-By: Packages"]).splitlines()}
    own = sorted(
        row for row in rows if row[1].startswith(("bookworm", "trixie")) and row[2] == "main"
    )
    if not own:
        run(["apt-get", "update", "-qq"], seconds=300)
        raise BenchError("apt knows no Debian 12 sources; they were just updated: try again")
    release = own[0][1].partition("-")[0]
    if suite == release:
        return [f"deb {site} {name} main" for site, name, _ in own]
    return [f"deb {site} {suite} main" for site, name, _ in own if name == release]


def ensure_plugins(folder: Path) -> Path:
    """Return a docker configuration folder whose plugins are compose v2 and buildx."""
    plugins = folder / "docker" / "cli-plugins"
    if all((plugins / name).exists() for name in PLUGINS):
        return plugins.parent
    say("fetching compose v2 and buildx")
    state = folder / "trixie"
    for name in ("lists/partial", "archives/partial"):
        (state / name).mkdir(parents=True, exist_ok=True)
    (state / "sources.list").write_text("\n".join(mirror_lines("trixie")) + "\n")
    (state / "apt.conf").write_text(
        f'Dir::State "{state}";\nDir::State::status "/var/lib/dpkg/status";\n'
        f'Dir::Cache "{state}";\n'
        f'Dir::Etc::sourcelist "{state}/sources.list";\nDir::Etc::sourceparts "-";\n'
        'Acquire::Languages "none";\n'
    )
    env = {"APT_CONFIG": str(state / "apt.conf")}
    run(["apt-get", "update", "-qq"], seconds=300, env=env)
    run(["apt-get", "download", *PLUGINS], seconds=300, env=env, folder=state)
    plugins.mkdir(parents=True, exist_ok=True)
    for name in PLUGINS:
        package = next(state.glob(f"{name}_*.deb"))
        run(["dpkg-deb", "-x", package, state / "root"])
        shutil.move(state / "root/usr/libexec/docker/cli-plugins" / name, plugins / name)
    shutil.rmtree(state)
    return plugins.parent
