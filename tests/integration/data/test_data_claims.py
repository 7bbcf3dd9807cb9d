"""The learners of a project on one node, each asking for its share."""

import json
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from flops_flight.errors import DataRejectedError, InvalidRequestError, NoDataError
from support.data_plane import a_data_server, a_table

PROJECT = "0123456789ab"


def values(server, project, learners, tags=("mnist",)):
    shares = [server.claim(project, index, learners, tags) for index in range(learners)]
    return [server.read_share(share).column("x").to_pylist() for share in shares]


def test_whole_fragments_are_given_when_there_are_enough(server):
    names = {server.upload("mnist", a_table(10, first)).name for first in (0, 10, 20)}

    shares = [server.claim(PROJECT, index, 2, ("mnist",)) for index in range(2)]

    assert {part.name for share in shares for part in share.parts} == names
    assert sorted(share.rows for share in shares) == [10, 20]


def test_rows_are_cut_when_fragments_are_too_few(server):
    server.upload("mnist", a_table(10))

    assert values(server, PROJECT, 3) == [[0, 1, 2], [3, 4, 5], [6, 7, 8, 9]]


def test_shares_over_several_tags_are_disjoint_and_everything(server):
    server.upload("a", a_table(7))
    server.upload("b", a_table(9, first=7))

    claimed = values(server, PROJECT, 5, ("a", "b"))

    assert sorted(value for share in claimed for value in share) == list(range(16))


def test_a_learner_that_returns_finds_its_share_though_data_arrived(server):
    server.upload("mnist", a_table(10))
    before = values(server, PROJECT, 2)

    server.upload("mnist", a_table(10, first=10))

    assert values(server, PROJECT, 2) == before
    assert values(server, "ba9876543210", 2) != before


def test_shares_outlive_the_server(tmp_path):
    with a_data_server(tmp_path) as node, node.client() as server:
        server.upload("mnist", a_table(10))
        before = values(server, PROJECT, 2)
        server.upload("mnist", a_table(10, first=10))

    with a_data_server(tmp_path) as node, node.client() as server:
        assert values(server, PROJECT, 2) == before


def test_learners_that_ask_at_once_do_not_overlap(node, server):
    server.upload("mnist", a_table(100))

    def ask(index):
        with node.client() as client:
            return client.read_share(client.claim(PROJECT, index, 8, ("mnist",)))

    with ThreadPoolExecutor(8) as pool:
        claimed = pa.concat_tables(pool.map(ask, range(8)))

    assert sorted(claimed.column("x").to_pylist()) == list(range(100))


def test_another_number_of_learners_is_divided_again(server):
    server.upload("mnist", a_table(10))
    values(server, PROJECT, 2)

    assert values(server, PROJECT, 1) == [list(range(10))]


def test_shares_with_a_dropped_fragment_are_divided_again(server):
    gone = server.upload("mnist", a_table(10))
    values(server, PROJECT, 2)
    server.drop(gone.name)
    server.upload("mnist", a_table(4, first=50))

    assert values(server, PROJECT, 2) == [[50, 51], [52, 53]]


def test_a_tag_without_data_is_answered_with_those_that_have(server):
    server.upload("mnist", a_table())
    server.upload("v1.0", a_table())

    with pytest.raises(NoDataError, match="cifar") as refused:
        server.claim(PROJECT, 0, 1, ("cifar",))

    assert refused.value.hint == "It holds data with the tags: mnist, v1.0."


def test_without_tags_there_are_no_data(server):
    server.upload("mnist", a_table())

    with pytest.raises(NoDataError, match="no data tag"):
        server.claim(PROJECT, 0, 1, ())


def test_too_many_learners_for_the_rows_are_refused_with_both_numbers(server):
    server.upload("mnist", a_table(2))

    with pytest.raises(NoDataError, match="2 rows cannot be shared by 3 learners"):
        server.claim(PROJECT, 0, 3, ("mnist",))


@pytest.mark.parametrize(
    ("project", "index", "learners"),
    [(PROJECT, 2, 2), (PROJECT, -1, 2), (PROJECT, 0, 0), ("../../x", 0, 1), ("", 0, 1)],
)
def test_impossible_claims_are_refused(server, node, project, index, learners):
    server.upload("mnist", a_table())

    with pytest.raises(InvalidRequestError):
        server.claim(project, index, learners, ("mnist",))
    assert not list(node.volume.parent.glob("*.json"))


def test_a_broken_record_of_shares_is_made_again(server, node):
    server.upload("mnist", a_table(4))
    before = values(server, PROJECT, 2)
    record = node.volume / ".claims" / f"{PROJECT}.json"
    record.write_text(json.dumps({"data_tags": ["mnist"], "shares": 7}))

    assert values(server, PROJECT, 2) == before


def test_a_volume_that_fails_is_reported(server, node):
    server.upload("mnist", a_table())
    (node.volume / ".claims").write_text("a file where the folder should be")

    with pytest.raises(DataRejectedError, match="the volume of the data server failed"):
        server.claim(PROJECT, 0, 1, ("mnist",))
