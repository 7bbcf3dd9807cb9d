"""The forms for projects and mock data: checked while typing, submitted as an SLA."""

import json
import secrets
from http import HTTPStatus
from typing import Any

from flask import render_template, request

from flops_contracts.api.answers import Finding
from flops_contracts.errors import FlopsError
from flops_contracts.partitioners import PARTITIONERS
from flops_contracts.sla import Flavor, Platform
from flops_contracts.sla_documents import InvalidSlaError, read_mock_sla, read_project_sla
from flops_contracts.strategies import STRATEGIES
from flops_manager.domain.errors import KeyReusedError
from flops_manager.entrypoints.api.errors import STATUS
from flops_manager.entrypoints.web.forms import FIELDS, STARTS, by_field, sla_from
from flops_manager.entrypoints.web.project_pages import Page, to_page
from flops_manager.entrypoints.web.visitors import caller
from flops_manager.usecases.mocks import Mocks
from flops_manager.usecases.projects import Projects


class SubmitPages:
    """The forms: empty, checked, submitted."""

    def __init__(self, projects: Projects, mocks: Mocks) -> None:
        self._projects = projects
        self._mocks = mocks

    def new_project(self) -> Page:
        """Show an empty form for a project."""
        return _form("project", _start("project"))

    def new_mock(self) -> Page:
        """Show an empty form for mock data."""
        return _form("mock", _start("mock"))

    def check_project(self) -> Page:
        """Return the problems of the form, and create nothing."""
        return self._checked("project")

    def check_mock(self) -> Page:
        """Return the problems of the form, and create nothing."""
        return self._checked("mock")

    def submit_project(self) -> Page:
        """Submit a project; the same form sent twice makes one."""
        document = sla_from("project", request.form)
        try:
            sla = read_project_sla(document)
            project = self._projects.submit(sla, caller(), _key())
        except FlopsError as error:
            return _refused("project", error)
        return to_page(f"/projects/{project.id}")

    def submit_mock(self) -> Page:
        """Submit a mock; the same form sent twice makes one."""
        document = sla_from("mock", request.form)
        try:
            mock = self._mocks.submit(read_mock_sla(document), caller(), _key())
        except FlopsError as error:
            return _refused("mock", error)
        return to_page(f"/mocks/{mock.id}")

    def _checked(self, kind: str) -> Page:
        document = sla_from(kind, request.form)
        findings: tuple[Finding, ...] = ()
        problems: dict[str, str] = {}
        try:
            findings = self._findings(kind, document)
        except FlopsError as error:
            problems = _problems(kind, error)
        return render_template(
            "findings.html",
            kind=kind,
            findings=findings,
            problems=problems,
            fields=FIELDS[kind],
            document=json.dumps(document, indent=2),
        )

    def _findings(self, kind: str, document: dict[str, Any]) -> tuple[Finding, ...]:
        if kind == "project":
            return self._projects.check(read_project_sla(document), caller())
        caller().require_customer(read_mock_sla(document).customer_id)
        return (Finding("SLA", True, "The request is complete and valid."),)


def _problems(kind: str, error: FlopsError) -> dict[str, str]:
    if isinstance(error, InvalidSlaError):
        return by_field(kind, error.problems)
    return {"": f"{error.reason} {error.hint}".strip()}


def _refused(kind: str, error: FlopsError) -> Page:
    status = STATUS.get(type(error), HTTPStatus.INTERNAL_SERVER_ERROR)
    values = request.form.to_dict(flat=False)
    # A form that was changed after it was sent needs a new key.
    key = "" if isinstance(error, KeyReusedError) else _key()
    return _form(kind, values, _problems(kind, error), key), status


def _start(kind: str) -> dict[str, list[str]]:
    return {
        **{name: [value] for name, value in STARTS[kind].items()},
        "customerID": [caller().user],
    }


def _form(
    kind: str,
    values: dict[str, list[str]],
    problems: dict[str, str] | None = None,
    key: str = "",
) -> str:
    return render_template(
        f"new_{kind}.html",
        kind=kind,
        values=values,
        problems=problems or {},
        key=key or secrets.token_hex(16),
        flavors=list(Flavor),
        platforms=list(Platform),
        strategies=sorted(STRATEGIES),
        partitioners=sorted(PARTITIONERS),
    )


def _key() -> str:
    return request.form.get("key", "")[:64]
