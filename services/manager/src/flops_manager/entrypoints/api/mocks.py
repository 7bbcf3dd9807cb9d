"""The views on mock data providers."""

from flask import Response, g, request

from flops_contracts.api.answers import (
    Answer,
    LogLinesAnswer,
    MockAnswer,
    MocksAnswer,
    MockSubmitted,
)
from flops_contracts.api.queries import LogQuery, MocksQuery, Query, SubmitQuery
from flops_contracts.sla_documents import read_mock_sla
from flops_manager.domain.mocks import Mock
from flops_manager.entrypoints.api.answers import lines_answer, state_of
from flops_manager.entrypoints.api.callers import Call
from flops_manager.entrypoints.api.incoming import body_of, idempotency_key_of
from flops_manager.entrypoints.api.pictures import draw_labels
from flops_manager.usecases.mocks import Mocks


class MockViews:
    """One method per route."""

    def __init__(self, mocks: Mocks) -> None:
        self._mocks = mocks

    def submit(self, call: Call[SubmitQuery]) -> MockSubmitted:
        """Submit a mock, or only check its SLA."""
        key = idempotency_key_of(request)
        sla = read_mock_sla(body_of(request))
        call.caller.require_customer(sla.customer_id)
        if call.query.dry_run:
            return MockSubmitted("The SLA is valid. Nothing was created (dry run).")
        mock = self._mocks.submit(sla, call.caller, key)
        g.project_id = mock.id
        return MockSubmitted(f"Mock data provider {mock.id} is submitted.", mock_id=mock.id)

    def list(self, call: Call[MocksQuery]) -> MocksAnswer:
        """List the sender's mocks; an Admin's list has everyone's."""
        number, size = call.query.page, call.query.page_size
        page = self._mocks.list(call.scope, call.query.stage, number, size)
        return MocksAnswer(
            f"{len(page.items)} of {page.total} mock data providers.",
            mocks=tuple(map(state_of, page.items)),
            page=number,
            page_size=size,
            total=page.total,
        )

    def get(self, call: Call[Query], mock_id: str) -> MockAnswer:
        """Return a mock."""
        mock = self._mocks.get(mock_id, call.caller)
        return MockAnswer(f"Mock data provider {mock.id}: {mock.stage}.", state_of(mock))

    def lines(self, call: Call[LogQuery], mock_id: str) -> LogLinesAnswer:
        """Return lines of the provider's log."""
        return lines_answer(self._mocks.lines(mock_id, call.caller, call.query))

    def labels(self, call: Call[Query], mock_id: str) -> Response:
        """Draw how many rows of each label each partition has."""
        return labels_picture(self._mocks.get(mock_id, call.caller))

    def delete(self, call: Call[Query], mock_id: str) -> Answer:
        """Stop and delete a mock; the data it stored stay."""
        self._mocks.delete(mock_id, call.caller)
        return Answer(f"Mock data provider {mock_id} is deleted; the data it stored stay.")


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
