import pytest
from hypothesis import given
from hypothesis import strategies as st

from flops_contracts.events import Fragment
from flops_flight.errors import NoDataError
from flops_flight.messages import Part
from flops_ml_data_server.shares import divide


@st.composite
def divisible(draw):
    rows = draw(st.lists(st.integers(0, 50), min_size=1, max_size=12).filter(any))
    fragments = [Fragment(f"f{number}", count, count) for number, count in enumerate(rows)]
    return fragments, draw(st.integers(1, min(20, sum(rows))))


def rows_in(shares):
    return [
        (part.name, row)
        for share in shares
        for part in share.parts
        for row in range(part.offset, part.offset + part.rows)
    ]


@given(divisible())
def test_shares_are_disjoint_and_together_everything(given):
    fragments, learners = given

    rows = rows_in(divide(fragments, learners))

    assert sorted(rows) == sorted(
        (fragment.name, row) for fragment in fragments for row in range(fragment.rows)
    )


@given(divisible())
def test_nobody_goes_without(given):
    fragments, learners = given

    shares = divide(fragments, learners)

    assert len(shares) == learners
    assert min(share.rows for share in shares) > 0


@given(divisible(), st.randoms())
def test_the_order_of_listing_does_not_matter(given, random):
    fragments, learners = given
    shuffled = random.sample(fragments, len(fragments))

    assert divide(shuffled, learners) == divide(fragments, learners)


def test_enough_fragments_are_given_whole_and_balanced():
    fragments = [Fragment(name, rows, 0) for name, rows in [("a", 9), ("b", 5), ("c", 5)]]

    shares = divide(fragments, 2)

    assert [share.parts for share in shares] == [
        (Part("a", 0, 9),),
        (Part("b", 0, 5), Part("c", 0, 5)),
    ]


def test_too_few_fragments_are_cut_into_ranges():
    shares = divide([Fragment("a", 10, 0)], 3)

    assert [share.parts for share in shares] == [
        (Part("a", 0, 3),),
        (Part("a", 3, 3),),
        (Part("a", 6, 4),),
    ]


def test_fewer_rows_than_learners_is_reported_with_both_numbers():
    with pytest.raises(NoDataError, match="2 rows cannot be shared by 3 learners"):
        divide([Fragment("a", 2, 0)], 3)
