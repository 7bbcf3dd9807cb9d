"""The names of published services, over HTTP."""

import json
from collections.abc import Mapping
from typing import Final

import requests

from flops_manager.adapters.oakestra_session import direct_session

TIMEOUT_SECONDS: Final = (1.0, 3.0)
MAX_ANSWER_BYTES: Final = 1024


class HttpIdentities:
    """Asks ``/healthz``; see ``flops_runtime.asgi.Named``. Follows no redirect."""

    def instance_at(self, url: str) -> str:
        """See ``Identities``."""
        try:
            with (
                direct_session() as http,
                http.get(
                    f"{url}/healthz", timeout=TIMEOUT_SECONDS, allow_redirects=False, stream=True
                ) as answer,
            ):
                body = next(answer.iter_content(MAX_ANSWER_BYTES), b"")
            document = json.loads(body) if answer.ok else None
        except (requests.RequestException, ValueError):
            return ""
        return str(document.get("instance", "")) if isinstance(document, Mapping) else ""
