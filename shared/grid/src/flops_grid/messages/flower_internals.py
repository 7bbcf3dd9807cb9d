"""All uses of Flower's private API; ``test_grid_flower_internals`` pins it.

Anybody can implement Flower's ``Grid``, but a message can be created only in a process with a run
id, and the grid has to set its id.
"""

import logging
from typing import Any, Final

from flwr.app import Error, Message, Metadata, RecordDict
from flwr.common.constant import ErrorCode
from flwr.supercore.run import Run as Run  # noqa: PLC0414 - the server has it from here
from flwr.supercore.task_identity import TaskIdentity

RUN_ID: Final = 1
AGGREGATOR_NODE_ID: Final = 1
LEARNER_RAISED: Final = ErrorCode.CLIENT_APP_RAISED_EXCEPTION
LEARNER_GONE: Final = ErrorCode.NODE_UNAVAILABLE

METADATA: Final = (
    "run_id",
    "message_id",
    "src_node_id",
    "dst_node_id",
    "reply_to_message_id",
    "group_id",
    "created_at",
    "ttl",
    "message_type",
)


def take_identity() -> None:
    """Allow this process to create messages; without it ``Message(...)`` raises."""
    TaskIdentity.run_id = RUN_ID
    TaskIdentity.node_id = AGGREGATOR_NODE_ID
    TaskIdentity.task_id = 1


def empty_run() -> Run:
    """Return a run for ``Grid.run``."""
    return Run.create_empty(RUN_ID)


def set_message_id(message: Message, message_id: str) -> None:
    """Set the id of a message; Flower leaves that to the grid and has no setter."""
    message.metadata.__dict__["_message_id"] = message_id


def metadata_values(message: Message) -> dict[str, Any]:
    """Return the metadata of ``message`` as plain values."""
    return {name: getattr(message.metadata, name) for name in METADATA}


def message_with_metadata(content: RecordDict | Error, values: dict[str, Any]) -> Message:
    """Return a message with exactly these metadata; raise ``TypeError`` or ``ValueError``."""
    metadata = Metadata(**{name: values[name] for name in METADATA})
    metadata.delivered_at = ""
    message: Message = Message(content, metadata=metadata)  # type: ignore[call-overload] # private
    return message


def route_logs(level: int = logging.WARNING) -> None:
    """Route Flower's log through ours: its own handler prints every step."""
    logger = logging.getLogger("flwr")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    logger.setLevel(level)
