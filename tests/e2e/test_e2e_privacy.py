"""A project with differential privacy of secure sums, from its SLA to the end, in two clusters."""

import pytest
import requests

from flops_aggregator.privacy.accounting import epsilon_after
from flops_cli.commands.projects import privacy
from flops_contracts.privacy import DifferentialPrivacy
from flops_contracts.roles import Stage
from support.suite import a_project_sla, a_repository

pytestmark = pytest.mark.e2e

PROMISE = {"clipping_norm": 1.0, "noise_multiplier": 2.0, "clipping": "learner"}
ROUNDS, CYCLES = 2, 9
PRIVATE = DifferentialPrivacy(1.0, 2.0)
BUDGET = epsilon_after(3, PRIVATE) + 0.01


@pytest.fixture(scope="module")
def project(world, tmp_path_factory):
    """Return a project whose budget allows a cycle and a half."""
    repository = a_repository(tmp_path_factory.mktemp("private") / "repository")
    training = {
        "mode": "hierarchical",
        "data_tags": ["mnist-spread"],
        "training_rounds": ROUNDS,
        "training_cycles": CYCLES,
        "min_available_clients": 3,
        "min_fit_clients": 3,
        "min_evaluate_clients": 3,
    }
    promise = {
        "differential_privacy": {**PROMISE, "epsilon_budget": BUDGET},
        "secure_aggregation": {},
    }
    sla = a_project_sla(repository, training_configuration=training, privacy=promise)
    return world.finished(world.client.submit_project(sla))


def test_it_ends_well_when_the_budget_is_spent(project):
    assert (project.stage, project.failure) == (Stage.COMPLETED, None)
    assert len(project.rounds) == 2
    assert any("privacy budget is spent" in notice for notice in project.document["notices"])


def test_every_cycle_reports_what_was_spent(project):
    spent = [round_.epsilon for round_ in project.rounds]

    assert spent == pytest.approx([epsilon_after(2, PRIVATE), epsilon_after(3, PRIVATE)])
    assert privacy(project) == f"epsilon {spent[-1]:.4g} spent of {BUDGET:g}, delta 1e-05"


def test_mlflow_has_it_as_steps(project, world):
    url = world.client.tracking().url
    answer = requests.get(
        f"{url}/api/2.0/mlflow/metrics/get-history",
        params={"run_id": project.document["trained"]["run_id"], "metric_key": "epsilon"},
        timeout=120,
    )

    assert [metric["step"] for metric in answer.json()["metrics"]] == [1, 2]
