#!/bin/sh
# What the Dockerfiles of all services share. It runs in their first stage only, on the building
# machine's own platform, so that images for another platform need no emulation (docs/adr/0020).
set -eu

# Adds the account that services run as to the files of a root folder.
user() { # ROOT HOME
    mkdir -p "$1/etc"
    [ -e "$1/etc/passwd" ] || cp /etc/passwd /etc/group "$1/etc/"
    echo "flops:x:10001:10001::$2:/usr/sbin/nologin" >> "$1/etc/passwd"
    echo 'flops:x:10001:' >> "$1/etc/group"
}

# Prepares a service's image: the account, folders that it owns, and uv for what follows.
prepare() { # [FOLDER ...]
    user / /home/flops
    mkdir -p /home/flops "$@"
    python -m venv uv
    uv/bin/pip install --no-cache-dir --require-hashes -r bootstrap.lock
}

# Lays the packages of a lock out for the platform of the image.
packages() { # LOCK FOLDER
    case "${TARGETARCH:-$(dpkg --print-architecture)}" in arm64) cpu=aarch64 ;; *) cpu=x86_64 ;; esac
    export PYC_INVALIDATION_MODE=UNCHECKED_HASH UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy \
        UV_NO_PROGRESS=1 UV_PYTHON_DOWNLOADS=never
    # Every lock is complete; the one of the built-in datasets leaves the code's dependencies out.
    uv/bin/uv pip install --no-deps --target "$2" --python-platform "$cpu-unknown-linux-gnu" \
        --only-binary :all: --require-hashes -r "$1"
}

# Compiles our own code; unchecked, so that equal code makes equal layers.
code() { # FOLDER [OPTION ...]
    python -m compileall -q --invalidation-mode unchecked-hash "$@"
}

# Lays out the base of an actor: our own code, and what it needs as a list, not installed. The
# image-builder resolves that together with the user's dependencies and adds both.
actor() { # SERVICE
    mkdir -p /image/flops/code /image/flops/site
    python - "$1" << 'END'
import pathlib
import platform
import shutil
import sys

import packages

needs = packages.needs_of(pathlib.Path("services", sys.argv[1]))
flops = pathlib.Path("/image/flops")
(flops / "requirements.in").write_text("\n".join(needs.requirements) + "\n")
(flops / "python-version").write_text(platform.python_version() + "\n")
for source in needs.sources:
    shutil.copytree(source, flops / "src", dirs_exist_ok=True)
END
    code /image/flops/src -s /image
}

"$@"
