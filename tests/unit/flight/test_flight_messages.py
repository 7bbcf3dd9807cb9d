import pytest

from flops_contracts.events import Fragment
from flops_flight.errors import InvalidRequestError, NoDataError, error_from_flight, flight_error
from flops_flight.messages import (
    Claim,
    NodeData,
    Part,
    Share,
    TagData,
    Upload,
    UploadEnd,
    decode,
    decode_criteria,
    decode_ticket,
    encode,
    encode_criteria,
    encode_ticket,
)

NODE = NodeData((TagData("v1.0", 2, 10, 99, {"x": "int64"}, is_uniform=False),), free_bytes=7)


@pytest.mark.parametrize(
    "message",
    [
        Claim("0123456789ab", 1, 2, ("mnist",)),
        Fragment("n", 1, 2, {"cat": 1}),
        NODE,
        Part("n", 3, 4),
        Share((Part("n", 0, 4), Part("m", 1, 2))),
        Upload("mnist"),
        UploadEnd(3),
    ],
    ids=lambda message: type(message).__name__,
)
def test_every_message_survives_the_wire(message):
    assert decode(type(message), encode(message)) == message


@pytest.mark.parametrize("part", [Part("mnist.x.parquet"), Part("mnist.x.parquet", 5, 10)])
def test_a_ticket_names_a_fragment_or_some_of_its_rows(part):
    assert decode_ticket(encode_ticket(part)) == part


def test_the_ticket_of_a_whole_fragment_is_its_bare_name():
    assert encode_ticket(Part("mnist.x.parquet")) == b"mnist.x.parquet"


@pytest.mark.parametrize("tags", [None, (), ("a", "b.c")])
def test_criteria_survive_the_wire(tags):
    assert decode_criteria(encode_criteria(tags)) == tags


def test_criteria_of_old_clients_are_read():
    assert decode_criteria(b'{"data_tags": ["mnist"]}') == ("mnist",)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"project_id": "../x"}', b"[" * 100_000])
def test_a_claim_that_cannot_be_read_is_refused(data):
    with pytest.raises(InvalidRequestError):
        decode(Claim, data)


def test_an_error_keeps_its_type_reason_and_hint_on_the_wire():
    sent = flight_error(NoDataError("none here", hint="Send some."))

    received = error_from_flight(sent, "node:11027")

    assert (type(received), received.reason, received.hint) == (
        NoDataError,
        "none here",
        "Send some.",
    )


def test_a_node_counts_the_rows_a_project_would_find():
    assert (NODE.rows_of(("v1.0", "other")), NODE.rows_of(("v1",))) == (10, 0)
