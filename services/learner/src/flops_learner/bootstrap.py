"""Wires the learner, and runs it from its first step to its result."""

import logging
import threading
from typing import Final

from flops_contracts.errors import FlopsError
from flops_contracts.events import DataLoaded, Finished, Kind
from flops_contracts.sla import DataSplit
from flops_flight.client import DataServer
from flops_grid.client.app import serve_client_app
from flops_grid.messages.flower_internals import route_logs
from flops_grid.user_model import load_user_model
from flops_grid.wire.settings import LinkSettings
from flops_learner.metrics import ROWS
from flops_learner.settings import Settings
from flops_learner.training import Training, freeze_existing_objects
from flops_runtime import tracing
from flops_runtime.reporting import Reporter
from flops_utils import data_source

logger = logging.getLogger(__name__)

ANSWER_SECONDS: Final = 2.0
OWNER_SECONDS: Final = 60.0
"""As long as the learner waits for its data."""


def learn(settings: Settings, reporter: Reporter) -> tuple[Kind, Finished]:
    """Load model and data, reply to the aggregator until it says goodbye, return the result."""
    listener = ReportingListener(reporter)
    # In the background: an unreachable data server is reported when the data are loaded.
    owner = threading.Thread(target=ask_owner, args=(settings, listener), name="owner", daemon=True)
    owner.start()
    try:
        return _learn(settings, reporter, listener)
    finally:
        # After an early failure the last lines of the log may still leave, if the owner allows it.
        owner.join(ANSWER_SECONDS)


def _learn(
    settings: Settings, reporter: Reporter, listener: "ReportingListener"
) -> tuple[Kind, Finished]:
    route_logs()
    data_source.use(_data_source(settings, reporter))
    reporter.progress("loading the model")
    with tracing.span("load the model"):
        model = load_user_model()
    reporter.progress("loading the data")
    with tracing.span("load the data"):
        model.load_data()
    freeze_existing_objects()
    training = Training(model, listener, privacy=settings.order.privacy)
    reporter.progress("joining the aggregator")
    reporter.status.ready()
    ended = serve_client_app(
        training.client_app(),
        settings.order.aggregator_address,
        settings.actor.actor.instance,
        settings.access.token,
        LinkSettings(unreachable_seconds=settings.aggregator_timeout_seconds),
        settings.tls,
    )
    logger.info("the aggregator said goodbye %s", ended.reason)
    return Kind.FINISHED, Finished(training.rounds, training.samples)


class ReportingListener:
    """Sets the status, which every heartbeat contains, to what the learner does."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._logs_may_leave = False

    def decide(self, *, logs_may_leave: bool) -> None:
        """Set whether the owner of the node allows logs, and so tracebacks, to leave it."""
        self._logs_may_leave = logs_may_leave
        self._reporter.decide_on_logs(may_leave=logs_may_leave)
        if not logs_may_leave:
            self._reporter.notice("the owner of this node keeps all logs on it")

    def doing(self, state: str) -> None:
        """Report what is being done."""
        self._reporter.status.doing(state)

    def training(self, round_: int) -> None:
        """Report that a round is being trained."""
        self._reporter.status.doing(f"training round {round_}")
        self._reporter.status.training(round_=round_)

    def noticed(self, text: str) -> None:
        """Notify the user."""
        self._reporter.notice(text)

    def raised(self, text: str) -> None:
        """Notify the user that their code raised, though the learner goes on."""
        withheld = "user code raised; the owner of this node keeps the traceback on it"
        self._reporter.notice(text if self._logs_may_leave else withheld)


def ask_owner(
    settings: Settings, listener: ReportingListener, patience_seconds: float = OWNER_SECONDS
) -> None:
    """Ask the node's data server whether logs may leave the node; by default they stay."""
    try:
        with DataServer(
            settings.data_server_address,
            settings.data_server.token,
            ca=settings.data_server.ca,
        ) as server:
            server.wait_until_reachable(patience_seconds)
            listener.decide(logs_may_leave=server.stats().logs_may_leave)
    except FlopsError as error:
        logger.info(
            "logs stay on this node, because its data server did not allow them to leave: %s", error
        )


def _data_source(settings: Settings, reporter: Reporter) -> data_source.DataSource:
    def report(rows: int, size: int, columns: tuple[str, ...]) -> None:
        reporter.status.training(rows=rows)
        ROWS.set(rows)
        reporter.report(Kind.DATA_LOADED, DataLoaded(rows, size, tuple(columns)))

    return data_source.DataSource(
        server_address=settings.data_server_address,
        data_tags=settings.order.data_tags,
        project_id=settings.actor.subject_id,
        learner_index=settings.order.learner_index,
        node_learners=settings.order.node_learners,
        shared=settings.order.data_split is DataSplit.SHARED,
        on_loaded=report,
        token=settings.data_server.token,
        ca=settings.data_server.ca,
        customer_id=settings.order.customer_id,
        trace=tracing.current,
    )
