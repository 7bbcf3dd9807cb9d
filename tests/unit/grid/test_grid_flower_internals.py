"""The contract with the installed flwr: what ``flower_internals`` uses is still as it was."""

import inspect
import logging

import pytest
from flwr.app import Error, Message, Metadata, RecordDict
from flwr.serverapp import Grid

from flops_grid.messages import flower_internals
from flops_grid.server.grid import StreamGrid


def test_a_process_with_an_identity_makes_messages():
    flower_internals.take_identity()

    message = Message(RecordDict(), 5, "train")

    assert message.metadata.src_node_id == flower_internals.AGGREGATOR_NODE_ID
    assert message.metadata.run_id == flower_internals.RUN_ID


def test_a_message_can_be_given_an_id_that_its_reply_refers_to():
    flower_internals.take_identity()
    message = Message(RecordDict(), 5, "train")

    flower_internals.set_message_id(message, "m1")

    assert message.metadata.message_id == "m1"
    assert Message(RecordDict(), reply_to=message).metadata.reply_to_message_id == "m1"


def test_metadata_survive_being_taken_apart():
    flower_internals.take_identity()
    values = flower_internals.metadata_values(Message(RecordDict(), 5, "evaluate", group_id="2"))

    rebuilt = flower_internals.message_with_metadata(Error(2, "why"), values)

    assert flower_internals.metadata_values(rebuilt) == values
    assert rebuilt.error.reason == "why"


def test_every_metadata_field_but_those_of_tasks_is_carried():
    parameters = set(inspect.signature(Metadata).parameters)

    assert parameters - set(flower_internals.METADATA) == {"src_task_id", "dst_task_id"}


def test_an_unknown_message_type_is_refused():
    flower_internals.take_identity()
    values = flower_internals.metadata_values(Message(RecordDict(), 5, "train"))

    with pytest.raises(ValueError, match="Invalid message type"):
        flower_internals.message_with_metadata(RecordDict(), {**values, "message_type": "steal"})


def test_the_only_run_is_a_run():
    assert flower_internals.empty_run().run_id == flower_internals.RUN_ID


def test_our_grid_has_all_that_flower_asks_of_a_grid():
    assert not getattr(StreamGrid, "__abstractmethods__", None)
    assert {name for name in vars(Grid) if not name.startswith("_")} <= set(dir(StreamGrid))


def test_flowers_own_console_handler_is_gone_after_routing():
    flower_internals.route_logs()

    assert logging.getLogger("flwr").handlers == []
