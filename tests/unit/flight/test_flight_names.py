import pytest
from hypothesis import given
from hypothesis import strategies as st

from flops_contracts.exit_codes import ExitCode
from flops_flight.errors import DataRejectedError
from flops_flight.names import FragmentName, fragment_name, parse_fragment_name

DIGEST = "0123456789abcdef" * 2


@given(st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z"))
def test_every_tag_survives_in_a_name(tag):
    assert parse_fragment_name(fragment_name(tag, DIGEST)) == FragmentName(tag, DIGEST)


def test_a_tag_with_dots_is_everything_before_the_digest():
    assert parse_fragment_name(f"v1.0.{DIGEST}.parquet").tag == "v1.0"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "mnist",
        "mnist.parquet",
        f"../mnist.{DIGEST}.parquet",
        f"/etc/mnist.{DIGEST}.parquet",
        f"a/b.{DIGEST}.parquet",
        f"a\\b.{DIGEST}.parquet",
        f".hidden.{DIGEST}.parquet",
        f"a\0b.{DIGEST}.parquet",
        f"a.{DIGEST}.parquet\n",
        f"a.{DIGEST.upper()}.parquet",
        f"a.{DIGEST[1:]}.parquet",
        f"{'a' * 10_000}.{DIGEST}.parquet",
    ],
)
def test_anything_but_a_plain_name_is_refused(name):
    with pytest.raises(DataRejectedError) as refused:
        parse_fragment_name(name)

    assert refused.value.exit_code is ExitCode.DATA_REJECTED
