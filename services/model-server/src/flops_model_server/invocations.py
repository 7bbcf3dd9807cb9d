"""Requests for predictions: MLflow's protocol, with errors that a client can read.

MLflow parses requests and calls the model; see ``mlflow.pyfunc.scoring_server.invocations``. What
is different here: an error is one sentence instead of a traceback, numbers that JSON does not have
become null, and no input ends in an internal error.
"""

import asyncio
import json
import logging
import math
import re
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from mlflow.environment_variables import MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST, INTERNAL_ERROR, ErrorCode
from mlflow.pyfunc import scoring_server

from flops_model_server.metrics import INVOCATIONS
from flops_runtime.asgi import Application, Receive, Scope, Send

logger = logging.getLogger(__name__)

JSON: Final = "application/json"
LONGEST_SENTENCE: Final = 500
_FOLDERS: Final = re.compile(r"(?:/[\w.+-]+)+/")
_NOT_IN_JSON: Final = re.compile(r"\b(?:NaN|Infinity)\b")


class ClientGoneError(Exception):
    """The client closed the connection before its request was complete."""


@dataclass(frozen=True)
class Answer:
    """The answer to a request."""

    status: int
    media_type: str
    text: str


class Invocations:
    """Answers requests for predictions; ``application`` answers all others."""

    def __init__(self, application: Application, model: Any) -> None:
        self._application = application
        self._model = model
        self._schema = model.metadata.get_input_schema()
        self._timeout_seconds = float(MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT.get())  # type: ignore[no-untyped-call]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        is_ours = scope["type"] == "http" and (scope["path"], scope["method"]) == (
            INVOCATIONS,
            "POST",
        )
        if not is_ours:
            await self._application(scope, receive, send)
            return
        try:
            body = await _body_of(receive)
        except ClientGoneError:
            return
        content_type = dict(scope["headers"]).get(b"content-type", b"").decode("latin-1")
        try:
            answer = await asyncio.wait_for(
                asyncio.to_thread(self.answer, body, content_type), self._timeout_seconds
            )
        except TimeoutError:
            answer = _refusal(
                HTTPStatus.GATEWAY_TIMEOUT,
                f"The model did not answer within {self._timeout_seconds:g} s.",
            )
        await _send(send, answer)

    def answer(self, body: bytes, content_type: str) -> Answer:
        """Return predictions, or what is wrong with the request or the model."""
        if not content_type:
            types = ", ".join(scoring_server.CONTENT_TYPES)
            return _refusal(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"The header Content-Type is missing; it has to be one of {types}.",
            )
        try:
            result = scoring_server.invocations(  # type: ignore[no-untyped-call]
                body, content_type, self._model, self._schema
            )
        except RecursionError:
            return _refusal(HTTPStatus.BAD_REQUEST, "The request is nested too deeply.")
        except MlflowException as error:
            return _explained(error)
        except Exception:
            reference = _reference()
            logger.exception("%s: a request could not be answered", reference)
            return _refusal(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                f"The request could not be answered; the server's log says why ({reference}).",
                INTERNAL_ERROR,
            )
        text = result.response
        if result.mimetype == JSON and _NOT_IN_JSON.search(text):
            text = json.dumps(_as_json_has_it(json.loads(text)), allow_nan=False)
        return Answer(result.status, result.mimetype, text)


def _explained(error: MlflowException) -> Answer:
    """Return MLflow's error as one sentence."""
    status = HTTPStatus(error.get_http_status_code())  # type: ignore[no-untyped-call]
    # MLflow adds the traceback of what the model raised, and raises its own error meanwhile.
    cause = error.__context__ if "stack_trace" in error.json_kwargs else None
    if cause is not None:
        reference = _reference()
        logger.warning("%s: the model failed", reference, exc_info=cause)
        reason = f"{type(cause).__name__}: {_first_line(str(cause))}".rstrip(": ")
        return _refusal(
            status,
            f"The model cannot predict from this input: {reason} ({reference} in the log).",
        )
    # Around its reason MLflow writes the whole input, and advice on its own versions.
    message = error.message.rpartition("\nError: ")[2].partition("\nInput:")[0]
    return _refusal(status, _first_line(message.partition(" IMPORTANT: ")[0]))


def _refusal(status: HTTPStatus, sentence: str, code: int = BAD_REQUEST) -> Answer:
    document = {"error_code": ErrorCode.Name(code), "message": sentence}
    return Answer(status, JSON, json.dumps(document))


def _reference() -> str:
    """Return a text by which an answer's error is found in the log."""
    return uuid.uuid4().hex[:12]


def _first_line(text: str) -> str:
    """Return the beginning of a text, with files instead of paths of this machine."""
    line = text.strip().partition("\n")[0].strip()
    return _FOLDERS.sub("", line)[:LONGEST_SENTENCE]


def _as_json_has_it(value: Any) -> Any:
    """Return parsed JSON with null in place of NaN and infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_as_json_has_it(item) for item in value]
    if isinstance(value, dict):
        return {key: _as_json_has_it(item) for key, item in value.items()}
    return value


async def _body_of(receive: Receive) -> bytes:
    """Return the body of a request; raise ``ClientGoneError``."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _send(send: Send, answer: Answer) -> None:
    body = answer.text.encode()
    headers = [
        (b"content-type", answer.media_type.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": int(answer.status), "headers": headers})
    await send({"type": "http.response.body", "body": body})
