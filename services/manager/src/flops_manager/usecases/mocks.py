"""Mock data providers: submitting them; everything else is as with every subject."""

from collections.abc import Callable
from datetime import datetime

from flops_contracts.roles import MockStage
from flops_contracts.sla import MockSla
from flops_manager.domain.mock_lifecycle import MOCKS
from flops_manager.domain.mocks import Mock
from flops_manager.ports.stores import EventStore, MockStore
from flops_manager.usecases.caller import Caller
from flops_manager.usecases.kept_logs import KeptLogs
from flops_manager.usecases.liveness import Liveness
from flops_manager.usecases.subjects import Subjects, subject_id
from flops_runtime import tracing


class Mocks(Subjects[Mock]):
    """Everything that can be done with mocks."""

    def __init__(
        self,
        store: MockStore,
        history: EventStore,
        logs: KeptLogs,
        liveness: Liveness,
        now: Callable[[], datetime],
    ) -> None:
        super().__init__(MOCKS, store, history, logs, liveness, now)

    def submit(self, sla: MockSla, caller: Caller, idempotency_key: str = "") -> Mock:
        """Store a new mock and let the worker start it; the same key returns the first mock.

        Raises ``NotAllowedError`` if the SLA names another customer and the caller is not an Admin,
        ``KeyReusedError`` if the key's first mock has another SLA, and ``AlreadyExistsError``
        while it is being deleted.
        """
        caller.require_customer(sla.customer_id)
        now = self._now()
        mock = Mock(
            id=subject_id(Mock.noun, sla.customer_id, idempotency_key),
            customer_id=sla.customer_id,
            sla=sla,
            stage=MockStage.SUBMITTED,
            created_at=now,
            updated_at=now,
            trace=tracing.current(),
        )
        return self._add(mock, caller, is_repeatable=bool(idempotency_key))
