"""Inference servers, over HTTP."""

from typing import Final

import requests

from flops_manager.adapters.oakestra_session import direct_session
from flops_manager.domain.errors import ModelServerError

TIMEOUT_SECONDS: Final = (3.0, 20.0)
MAX_ANSWER_BYTES: Final = 64 * 1024


class HttpModelServers:
    """Posts to ``/invocations``, as MLflow defines it; follows no redirect."""

    def predict(self, address: str, sample: bytes) -> str:
        """See ``ModelServers``."""
        try:
            with (
                direct_session() as http,
                http.post(
                    f"{address.rstrip('/')}/invocations",
                    data=sample,
                    headers={"Content-Type": "application/json"},
                    timeout=TIMEOUT_SECONDS,
                    allow_redirects=False,
                    stream=True,
                ) as answer,
            ):
                body = next(answer.iter_content(MAX_ANSWER_BYTES), b"")
        except requests.RequestException as error:
            raise ModelServerError(
                f"The model at {address} does not answer: {type(error).__name__}.",
                hint="Check that it is still deployed, and see its log.",
            ) from error
        text = body.decode(errors="replace")
        if not answer.ok:
            raise ModelServerError(f"The model refuses the sample ({answer.status_code}): {text}")
        return text
