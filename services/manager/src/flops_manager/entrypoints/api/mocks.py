"""The views on mock data providers."""

from typing import Any

from flask import Response, g, request

from flops_contracts.sla_documents import read_mock_sla
from flops_manager.domain.mocks import Mock
from flops_manager.entrypoints.api.answers import (
    MockAnswerSchema,
    MocksAnswerSchema,
    MockSubmittedSchema,
)
from flops_manager.entrypoints.api.callers import Call
from flops_manager.entrypoints.api.incoming import (
    body_of,
    idempotency_key_of,
)
from flops_manager.entrypoints.api.pictures import draw_labels
from flops_manager.entrypoints.api.projects import lines_answer, log_query
from flops_manager.usecases.mocks import Mocks

Answer = dict[str, Any]


class MockViews:
    """One method per route."""

    def __init__(self, mocks: Mocks) -> None:
        self._mocks = mocks

    def submit(self, call: Call) -> Answer:
        """Submit a mock, or only check its SLA."""
        key = idempotency_key_of(request)
        sla = read_mock_sla(body_of(request))
        call.caller.require_customer(sla.customer_id)
        if call.query["dry_run"]:
            return {"message": "The SLA is valid. Nothing was created (dry run)."}
        mock = self._mocks.submit(sla, call.caller, key)
        g.project_id = mock.id
        message = f"Mock data provider {mock.id} is submitted."
        document: Answer = MockSubmittedSchema().dump({"message": message, "mock_id": mock.id})
        return document

    def list(self, call: Call) -> Answer:
        """List the sender's mocks; an Admin's list has everyone's."""
        number, size = call.query["page"], call.query["page_size"]
        page = self._mocks.list(call.scope, call.query["stage"], number, size)
        document: Answer = MocksAnswerSchema().dump(
            {
                "message": f"{len(page.items)} of {page.total} mock data providers.",
                "mocks": page.items,
                "page": number,
                "page_size": size,
                "total": page.total,
            }
        )
        return document

    def get(self, call: Call, mock_id: str) -> Answer:
        """Return a mock."""
        mock = self._mocks.get(mock_id, call.caller)
        message = f"Mock data provider {mock.id}: {mock.stage}."
        document: Answer = MockAnswerSchema().dump({"message": message, "mock": mock})
        return document

    def lines(self, call: Call, mock_id: str) -> Answer:
        """Return lines of the provider's log."""
        return lines_answer(self._mocks.lines(mock_id, call.caller, log_query(call)))

    def labels(self, call: Call, mock_id: str) -> Response:
        """Draw how many rows of each label each partition has."""
        return labels_picture(self._mocks.get(mock_id, call.caller))

    def delete(self, call: Call, mock_id: str) -> Answer:
        """Stop and delete a mock; the data it stored stay."""
        self._mocks.delete(mock_id, call.caller)
        return {"message": f"Mock data provider {mock_id} is deleted; the data it stored stay."}


def labels_picture(mock: Mock) -> Response:
    """Return a picture of the labels of a mock's partitions."""
    order = mock.sla.mock_data_configuration
    title = f"{order.dataset_name} by {order.partitioner.name}"
    response = Response(draw_labels(title, mock.fragments), mimetype="image/svg+xml")
    # The picture contains its own style sheet.
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    )
    return response
