"""The shapes of the root's answers, the odd ones included."""

import json
import logging
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, jsonify
from werkzeug.exceptions import HTTPException

logger = logging.getLogger(__name__)

Answer = tuple[dict[str, Any], int]


def twice_encoded(document: Any) -> Response:
    """Return a JSON string that contains JSON, because the root encodes most documents twice."""
    return jsonify(json.dumps(document))


def mislabelled(document: Any) -> Response:
    """Return JSON labelled as HTML, as the root does where no schema is declared."""
    return Response(json.dumps(document), content_type="text/html; charset=utf-8")


def failed(status: int) -> Answer:
    """Return an error as the root does, without a reason."""
    return {"code": int(status), "status": HTTPStatus(status).phrase}, int(status)


def answer_all_errors(app: Flask) -> None:
    """Answer errors of the framework and bugs in the same shape."""

    def of_http(error: HTTPException) -> Any:
        return failed(error.code or 500)

    def of_bug(error: Exception) -> Any:
        logger.error("unexpected failure", exc_info=error)
        return failed(500)

    app.register_error_handler(HTTPException, of_http)
    app.register_error_handler(Exception, of_bug)
