"""The HTTP status of each error, and the catch-all handler for unexpected errors."""

import logging
from http import HTTPStatus
from typing import Final

from flask import Flask, Response, jsonify
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RoutingException
from werkzeug.wrappers import Response as BaseResponse

from flops_contracts.api.answers import Error
from flops_contracts.declared import dump
from flops_contracts.errors import FlopsError
from flops_contracts.sla_documents import InvalidSlaError
from flops_manager.domain import errors as domain
from flops_manager.entrypoints.api.incoming import InvalidRequestError
from flops_manager.entrypoints.api.telemetry import request_id

logger = logging.getLogger(__name__)


class TooManyStreamsError(FlopsError):
    """As many live streams are open as this process serves."""


STATUS: Final[dict[type[FlopsError], HTTPStatus]] = {
    InvalidSlaError: HTTPStatus.BAD_REQUEST,
    InvalidRequestError: HTTPStatus.BAD_REQUEST,
    domain.NotAuthenticatedError: HTTPStatus.UNAUTHORIZED,
    domain.NotAllowedError: HTTPStatus.FORBIDDEN,
    # Subjects of other customers answer as if they did not exist.
    domain.SubjectNotFoundError: HTTPStatus.NOT_FOUND,
    domain.ModelNotFoundError: HTTPStatus.NOT_FOUND,
    domain.IllegalTransitionError: HTTPStatus.CONFLICT,
    domain.StaleProjectError: HTTPStatus.CONFLICT,
    domain.AlreadyExistsError: HTTPStatus.CONFLICT,
    domain.NotPlaceableError: HTTPStatus.CONFLICT,
    domain.NoRoomError: HTTPStatus.CONFLICT,
    domain.NotYetError: HTTPStatus.CONFLICT,
    domain.KeyReusedError: HTTPStatus.UNPROCESSABLE_ENTITY,
    domain.TooManyProjectsError: HTTPStatus.TOO_MANY_REQUESTS,
    domain.UnreadableRecordError: HTTPStatus.INTERNAL_SERVER_ERROR,
    domain.UnstorableError: HTTPStatus.BAD_REQUEST,
    domain.RecordTooLargeError: HTTPStatus.INSUFFICIENT_STORAGE,
    domain.ServiceAddressTakenError: HTTPStatus.CONFLICT,
    domain.NoPortLeftError: HTTPStatus.CONFLICT,
    domain.OrchestratorRefusedError: HTTPStatus.BAD_GATEWAY,
    domain.ModelServerError: HTTPStatus.BAD_GATEWAY,
    domain.OrchestratorUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    domain.StoreUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    domain.TrackingUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    TooManyStreamsError: HTTPStatus.SERVICE_UNAVAILABLE,
}

HEADERS: Final[dict[HTTPStatus, dict[str, str]]] = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "5"},
}


def register_error_handlers(app: Flask) -> None:
    """Answer every error with JSON that has a ``message``."""
    app.register_error_handler(FlopsError, answer_expected)
    app.register_error_handler(HTTPException, answer_http)
    app.register_error_handler(Exception, answer_unexpected)


def answer_expected(error: FlopsError) -> Response:
    """Answer an error of the table above; any other is a bug."""
    status = STATUS.get(type(error))
    if status is None:
        return answer_unexpected(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.warning("request %s: %s", request_id(), error.reason)
    sentences = (error.reason, f"({error.where})" if error.where else "", error.hint)
    message = " ".join(text for text in sentences if text)
    problems = None
    if isinstance(error, InvalidSlaError | InvalidRequestError):
        problems = {path: tuple(texts) for path, texts in error.problems.items()}
    return _answer(Error(message, errors=problems), status, HEADERS.get(status, {}))


def answer_http(error: HTTPException) -> BaseResponse:
    """Answer errors of the framework: unknown paths, wrong methods, bodies too large."""
    if isinstance(error, RoutingException):
        return error.get_response()
    original = error.get_response()
    headers = {name: original.headers[name] for name in ("Allow",) if name in original.headers}
    status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    message = f"{status.phrase}. {error.description or ''}".strip()
    return _answer(Error(message), status, headers)


def answer_unexpected(error: Exception) -> Response:
    """Answer a bug with an id only; the log has the details under the same id."""
    logger.error("request %s failed", request_id(), exc_info=error)
    message = f"Internal error. Search FLOps' log for the id {request_id()}."
    answer = Error(message, error_id=request_id())
    return _answer(answer, HTTPStatus.INTERNAL_SERVER_ERROR, {})


def _answer(answer: Error, status: HTTPStatus, headers: dict[str, str]) -> Response:
    response = jsonify(dump(answer))
    response.status_code = status
    response.headers.update(headers)
    return response
