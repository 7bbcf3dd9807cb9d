"""The HTTP API beside the status API: data, rules and the audit log."""

import json
import logging
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from flops_contracts.declared import dump
from flops_contracts.errors import FlopsError
from flops_flight.errors import DataRejectedError, InvalidRequestError, NoDataError, NotAllowedError
from flops_flight.names import is_tag
from flops_ml_data_server.access.callers import Caller, Doorkeeper, TokenRefusedError
from flops_ml_data_server.access.rules import document_of, rules_from
from flops_ml_data_server.store import Store
from flops_runtime.status import Page, Request

logger = logging.getLogger(__name__)

STATUS: Final[dict[type[FlopsError], HTTPStatus]] = {
    TokenRefusedError: HTTPStatus.UNAUTHORIZED,
    NotAllowedError: HTTPStatus.FORBIDDEN,
    NoDataError: HTTPStatus.NOT_FOUND,
    DataRejectedError: HTTPStatus.BAD_REQUEST,
    InvalidRequestError: HTTPStatus.BAD_REQUEST,
}
INSIDE: Final = ("127.", "::1")


class HttpApi:
    """Answers requests from the store."""

    def __init__(self, store: Store, doorkeeper: Doorkeeper, *, is_local_only: bool) -> None:
        self._store = store
        self._doorkeeper = doorkeeper
        self._is_local_only = is_local_only

    def page(self, request: Request) -> Page | None:
        """Answer a request; None for an unknown page."""
        for method, pattern, answer in self._routes():
            match = re.fullmatch(pattern, request.path)
            if match and request.method == method:
                return self._answered(request, match.groups(), answer)
        return None

    def _routes(self) -> tuple[tuple[str, str, Callable[..., dict[str, Any]]], ...]:
        return (
            ("GET", "/api/stats", self._stats),
            ("GET", "/api/fragments", self._list),
            ("DELETE", "/api/fragments/([^/]+)", self._drop),
            ("DELETE", "/api/tags/([^/]+)", self._drop_tag),
            ("GET", "/api/tags/([^/]+)/rules", self._rules),
            ("PUT", "/api/tags/([^/]+)/rules", self._set_rules),
            ("GET", "/api/audit", self._audit),
        )

    def _answered(
        self, request: Request, arguments: tuple[str, ...], answer: Callable[..., dict[str, Any]]
    ) -> Page:
        is_inside = request.peer.startswith(INSIDE)
        try:
            if self._is_local_only and not is_inside:
                # These pages are not encrypted, and the operator configured encryption.
                raise NotAllowedError("with TLS, these pages are only for the server's own host")
            caller = self._doorkeeper.caller(request.headers, request.peer, is_inside=is_inside)
            return HTTPStatus.OK, {"message": "ok", **answer(caller, request, *arguments)}
        except FlopsError as error:
            status = STATUS.get(type(error), HTTPStatus.SERVICE_UNAVAILABLE)
            return status, {"message": str(error)}
        except OSError as error:
            logger.exception("the volume failed")
            return HTTPStatus.INSUFFICIENT_STORAGE, {"message": f"the volume failed: {error}"}

    def _stats(self, _caller: Caller, _request: Request) -> dict[str, Any]:
        return dump(self._store.stats())

    def _list(self, caller: Caller, request: Request) -> dict[str, Any]:
        tag = request.query.get("tag")
        fragments = self._store.fragments(caller, None if tag is None else (tag,))
        return {
            "fragments": [
                {"name": str(fragment.name), "rows": fragment.rows, "bytes": fragment.bytes}
                for fragment in fragments
            ]
        }

    def _drop(self, caller: Caller, _request: Request, name: str) -> dict[str, Any]:
        self._store.drop(caller, name)
        return {"message": f"dropped {name}"}

    def _drop_tag(self, caller: Caller, _request: Request, tag: str) -> dict[str, Any]:
        dropped = self._store.drop_tag(caller, _checked(tag))
        return {"message": f"dropped {dropped} fragments", "dropped": dropped}

    def _rules(self, _caller: Caller, _request: Request, tag: str) -> dict[str, Any]:
        return {"rules": document_of(self._store.rules(_checked(tag)))}

    def _set_rules(self, caller: Caller, request: Request, tag: str) -> dict[str, Any]:
        try:
            document = json.loads(request.body)
        except ValueError as error:
            raise InvalidRequestError(f"the body is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise InvalidRequestError("the body is not a JSON object")
        self._store.set_rules(caller, _checked(tag), rules_from(document))
        return {"rules": document_of(self._store.rules(tag))}

    def _audit(self, caller: Caller, request: Request) -> dict[str, Any]:
        limit = request.query.get("limit", "100")
        if not limit.isdecimal():
            raise InvalidRequestError("limit is not a number")
        entries = self._store.audit_entries(caller, request.query.get("tag", ""), int(limit))
        return {"entries": entries}


def _checked(tag: str) -> str:
    if not is_tag(tag):
        raise DataRejectedError(f"'{tag[:150]}' is not a data tag")
    return tag
