import pytest

from flops_contracts.exit_codes import ExitCode
from flops_utils.data_source import DataSource, NoDataSourceError, source_from

LEARNER = {
    "FLOPS_DATA_SERVER_ADDRESS": "172.17.0.1:11027",
    "FLOPS_DATA_TAGS": "mnist, v1.0,",
    "FLOPS_PROJECT_ID": "0123456789ab",
    "FLOPS_LEARNER_INDEX": "1",
    "FLOPS_NODE_LEARNERS": "3",
}


def test_a_learner_is_found_in_the_environment():
    assert source_from(LEARNER) == DataSource(
        "172.17.0.1:11027", ("mnist", "v1.0"), "0123456789ab", 1, 3, shared=False
    )


def test_shared_data_are_asked_for_by_split():
    assert source_from({**LEARNER, "FLOPS_DATA_SPLIT": "shared"}).shared


def test_without_a_project_all_data_are_read_and_nothing_is_claimed():
    alone = {name: LEARNER[name] for name in ("FLOPS_DATA_SERVER_ADDRESS", "FLOPS_DATA_TAGS")}

    assert source_from(alone).shared


def test_outside_of_flops_the_error_says_how_to_try_a_repository():
    with pytest.raises(NoDataSourceError, match="FLOPS_DATA_TAGS not set") as outside:
        source_from({"FLOPS_DATA_SERVER_ADDRESS": "localhost:11027"})

    assert "To try a repository" in outside.value.hint
    assert outside.value.exit_code is ExitCode.BAD_SETTINGS


def test_an_invalid_number_is_reported():
    with pytest.raises(NoDataSourceError, match="FLOPS_LEARNER_INDEX"):
        source_from({**LEARNER, "FLOPS_LEARNER_INDEX": "first"})
