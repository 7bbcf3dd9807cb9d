"""Updates in fewer bits: what is lost is made up for, and nothing false is taken in."""

import numpy as np
import pytest
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, RecordDict
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of_numpy

from flops_grid.messages.flower_internals import take_identity
from flops_grid.updates.compression import (
    COMPRESSION,
    STEPS,
    Compression,
    CompressionError,
    decompressed,
)
from flops_grid.wire.frames import size_of

KINDS = sorted(STEPS)


@pytest.fixture(autouse=True, scope="module")
def _identity():
    take_identity()


def asked(kind, sent):
    config = ConfigRecord({COMPRESSION: kind} if kind else {})
    return Message(RecordDict({"arrays": ArrayRecord(sent), "config": config}), 5, "train")


def sent_back(compression, message, trained):
    """Return the reply of a client whose training gives ``trained``."""

    def answer(message, _context):
        return Message(RecordDict({"arrays": ArrayRecord(trained)}), reply_to=message)

    return compression(message, Context(1, 0, {}, RecordDict(), {}), answer)


def arrived(reply, sent):
    description = reply.content[COMPRESSION]
    return decompressed(reply.content["arrays"], description, ArrayRecord(sent)).to_numpy_ndarrays()


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=40)
@given(
    update=arrays_of_numpy.arrays(
        st.sampled_from([np.float32, np.float64]),
        arrays_of_numpy.array_shapes(max_dims=3, max_side=5),
        elements=st.floats(-1e6, 1e6, width=32),
    )
)
def test_what_arrives_is_as_near_as_a_step_of_the_type(kind, update):
    sent = [np.full_like(update, 3)]

    (array,) = arrived(sent_back(Compression(), asked(kind, sent), [sent[0] + update]), sent)

    # A step of int8 is a 127th of the largest number, float16 has 11 bits.
    step = np.abs(update).max(initial=0) / (127 if kind == "int8" else 2**10)
    assert array.dtype == update.dtype
    np.testing.assert_allclose(array, sent[0] + update, rtol=1e-6, atol=0.51 * step + 1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0, 3), (), (1, 1)])
def test_a_parameter_of_any_shape_arrives(kind, shape):
    sent = [np.ones(shape, np.float32), np.zeros(2)]
    trained = [np.full(shape, 1.5, np.float32), np.zeros(2)]
    compression = Compression()

    for _ in range(2):
        reply = sent_back(compression, asked(kind, sent), trained)
        array, _ = arrived(reply, sent)

        np.testing.assert_array_equal(array, trained[0], strict=True)


@pytest.mark.parametrize("kind", KINDS)
def test_over_the_rounds_nothing_is_lost_but_the_last_rest(kind):
    random = np.random.default_rng(1)
    sent, compression, moved, expected = np.zeros(500), Compression(), np.zeros(500), np.zeros(500)
    for _ in range(50):
        update = random.uniform(-1, 1, 500)
        reply = sent_back(compression, asked(kind, [sent]), [sent + update])
        moved += arrived(reply, [sent])[0] - sent
        expected += update

    # Half a step of the coarser type; without feedback, 50 roundings would add up to more.
    assert np.abs(moved - expected).max() <= 0.51 / STEPS["int8"]


@pytest.mark.parametrize(("kind", "times"), [("float16", 2), ("int8", 4)])
def test_a_reply_has_as_many_bytes_less_as_the_type(kind, times):
    sent = [np.zeros(100_000, np.float32)]

    reply = sent_back(Compression(), asked(kind, sent), [sent[0] + 1])

    assert size_of(reply) == pytest.approx(400_000 / times, rel=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_whole_numbers_flags_and_small_types_travel_as_they_are(kind):
    sent = [np.zeros(3), np.arange(3), np.array([True, False]), np.zeros(2, np.float16)]
    trained = [np.ones(3), np.arange(3) + 1, np.array([False, False]), np.ones(2, np.float16)]

    arrays = arrived(sent_back(Compression(), asked(kind, sent), trained), sent)

    assert [item.tolist() for item in arrays] == [item.tolist() for item in trained]
    assert [item.dtype for item in arrays] == [item.dtype for item in trained]


@pytest.mark.parametrize(
    ("kind", "trained"),
    [
        ("", [np.ones(3)]),
        ("int8", [np.array([1, np.nan, 3])]),
        ("int8", [np.ones(4)]),
        ("int8", [np.ones(3), np.ones(3)]),
        ("lzma", [np.ones(3)]),
    ],
)
def test_what_cannot_be_compressed_or_should_not_goes_as_it_is(kind, trained):
    reply = sent_back(Compression(), asked(kind, [np.zeros(3)]), trained)

    assert COMPRESSION not in reply.content
    for item, other in zip(reply.content["arrays"].to_numpy_ndarrays(), trained, strict=True):
        np.testing.assert_array_equal(item, other)


@pytest.mark.parametrize(
    "description",
    [
        {},
        {"type": "int4", "keys": ["0"], "scales": [1.0]},
        {"type": "int8", "keys": ["0"], "scales": []},
        {"type": "int8", "keys": ["0"], "scales": [float("nan")]},
        {"type": "int8", "keys": ["0"], "scales": [-1.0]},
        {"type": "int8", "keys": ["7"], "scales": [1.0]},
        {"type": "float16", "keys": ["0"], "scales": [1.0]},
        {"type": "int8", "keys": "0", "scales": [1.0]},
    ],
)
def test_a_description_that_does_not_fit_is_refused(description):
    update = ArrayRecord([np.zeros(3, np.int8)])

    with pytest.raises(CompressionError):
        decompressed(update, ConfigRecord(description), ArrayRecord([np.zeros(3)]))
