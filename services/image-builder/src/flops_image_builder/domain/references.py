"""Names of images: valid for every OCI registry, and equal exactly when the content is."""

import json
import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

LOCAL_OWNER: Final = "local"
"""The owner of repositories that have none: paths and file:// URLs."""

_SCP_LIKE = re.compile(r"^(?:[^/@]+@)?[^/:]{2,}:(?!//)(?P<path>.+)$")


def image_component(text: str) -> str:
    """Return ``text`` as one component of an OCI name: lower case, single separators."""
    kept = re.sub(r"[^a-z0-9._-]+", "-", text.lower())
    kept = re.sub(r"[._-]{2,}", "-", kept).strip("._-")
    return kept or "x"


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
    """Return a tag that differs whenever one of the parts that make up an image differs."""
    document = [part if isinstance(part, str) else list(part) for part in parts]
    return sha256(json.dumps(document).encode()).hexdigest()[:20]


def actor_image(registry: str, url: str, role: str, tag: str) -> str:
    """Return the reference of a project's learner or aggregator."""
    return f"{registry}/{repository_path(url)}/{image_component(role)}:{tag}"


def model_image(registry: str, customer: str, run_id: str) -> str:
    """Return the reference of the inference server of a training run's model."""
    return f"{registry}/{image_component(customer)}/trained_model:{image_component(run_id)}"
