"""Runs an ordinary ``flwr.clientapp.ClientApp`` until the aggregator says goodbye."""

import logging

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp

from flops_grid.client.link import Ended, Link, Peer
from flops_grid.errors import LearnerError
from flops_grid.messages.flower_internals import LEARNER_RAISED, RUN_ID, take_identity
from flops_grid.wire.settings import LinkSettings
from flops_grid.wire.tls import TlsFiles

logger = logging.getLogger(__name__)


def serve_client_app(
    app: ClientApp,
    address: str,
    name: str,
    token: str,
    settings: LinkSettings | None = None,
    tls: TlsFiles | None = None,
) -> Ended:
    """Reply to the messages of the aggregator at ``address`` (host:port); see ``serve``."""
    files = tls or TlsFiles()
    peer = Peer(address, name, token, files.channel_credentials(), tls_name=files.name)
    return serve(app, Link(peer, settings or LinkSettings()))


def serve(app: ClientApp, link: Link) -> Ended:
    """Reply to the messages that come over ``link`` with ``app`` until the aggregator says goodbye.

    ``app`` runs in the calling thread, once for each message. Its exceptions become error replies.
    Raises ``AggregatorUnreachableError``.
    """
    take_identity()
    context = _context()
    link.start()
    reason = "the learner ended"
    try:
        while not isinstance(item := link.inbox.get(), Ended):
            link.answer(run_app(app, _message(item), context))
            # The next message may be as large: this one must not be kept until it arrives.
            del item
    except BaseException as error:
        reason = f"{type(error).__name__}: {error}"
        raise
    else:
        return item
    finally:
        link.close(reason)


def _context() -> Context:
    return Context(run_id=RUN_ID, node_id=0, node_config={}, state=RecordDict(), run_config={})


def _message(item: Message | Exception) -> Message:
    if isinstance(item, Exception):
        raise item
    return item


def run_app(app: ClientApp, message: Message, context: Context | None = None) -> Message:
    """Return the reply of ``app`` to ``message``; its exception becomes an error reply."""
    try:
        return app(message, context or _context())
    except Exception as error:
        # The user's code may work again in the next round.
        logger.warning("could not reply to %s", message.metadata.message_type, exc_info=error)
        text = LearnerError.from_exception(error).to_text()
        return Message(Error(LEARNER_RAISED, text), reply_to=message)
