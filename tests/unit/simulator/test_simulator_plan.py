"""Valid and refused plans."""

import json

import pytest

from flops_contracts.sla_documents import InvalidSlaError
from flops_simulator.plan import Plan, UnusablePlanError

SLA = {"customerID": "ada", "ml_repo_url": "https://git.example/r", "ml_model_flavor": "sklearn"}


def written(folder, files=4, **changes):
    data = folder / "data"
    data.mkdir()
    for number in range(files):
        (data / f"partition-{number}.parquet").touch()
    plan = {"sla": SLA, "data": str(data), "clusters": 0, "processes": 2, "seed": 7, **changes}
    file = folder / "plan.json"
    file.write_text(json.dumps(plan))
    return file


def test_each_file_is_a_learner_in_their_order(tmp_path):
    plan = Plan.read(written(tmp_path, files=12))

    assert list(plan.learners)[:2] == ["learner01", "learner02"]
    assert plan.learners["learner02"].name == "partition-1.parquet"
    assert (plan.clusters, plan.processes, plan.seed) == (0, 2, 7)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"clusters": 3}, "cannot be spread evenly over 3 clusters"),
        ({"files": 0}, "there are no data"),
        ({"seed": None}, "is not a valid plan"),
        ({"processes": "many"}, "is not a valid plan"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(tmp_path, changes, problem):
    with pytest.raises(UnusablePlanError, match=problem):
        Plan.read(written(tmp_path, **changes))


def test_an_sla_is_checked(tmp_path):
    with pytest.raises(InvalidSlaError):
        Plan.read(written(tmp_path, sla={"customerID": "ada"}))


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(UnusablePlanError, match="is not a valid plan"):
        Plan.read(tmp_path / "none.json")
