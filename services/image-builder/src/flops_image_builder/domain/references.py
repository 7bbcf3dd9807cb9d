"""Names of images: valid in every OCI registry, and equal exactly for equal content."""

import json
import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

LOCAL_OWNER: Final = "local"
"""The owner in the name of repositories without one: paths and file:// URLs."""

_SCP_LIKE = re.compile(r"^(?:[^/@]+@)?[^/:]{2,}:(?!//)(?P<path>.+)$")


def image_component(text: str) -> str:
    """Return ``text`` as one component of an OCI name: lower case, single separators."""
    component = re.sub(r"[^a-z0-9._-]+", "-", text.lower())
    return re.sub(r"[._-]{2,}", "-", component).strip("._-") or "x"


def repository_path(url: str) -> str:
    """Return ``owner/repository`` of a git URL, as components of an image name."""
    scp_like = _SCP_LIKE.match(url)
    parts = urlsplit(url)
    is_remote = bool(scp_like) or parts.scheme in {"http", "https", "ssh", "git"}
    path = scp_like["path"] if scp_like else parts.path
    names = [name for name in path.removesuffix("/").removesuffix(".git").split("/") if name]
    repository = names[-1] if names else "x"
    owners = names[:-1] if is_remote and len(names) > 1 else [LOCAL_OWNER]
    return "/".join(image_component(name) for name in (*owners, repository))


def content_tag(*parts: str | Sequence[str]) -> str:
    """Return a tag that changes with any of the parts of an image."""
    document = [part if isinstance(part, str) else list(part) for part in parts]
    return sha256(json.dumps(document).encode()).hexdigest()[:20]


def actor_image(registry: str, url: str, role: str, tag: str) -> str:
    """Return the reference of a project's learner or aggregator."""
    return f"{registry}/{repository_path(url)}/{image_component(role)}:{tag}"


def model_image(registry: str, customer_id: str, run_id: str) -> str:
    """Return the reference of the inference server of a training run's model."""
    return f"{registry}/{image_component(customer_id)}/trained_model:{image_component(run_id)}"
