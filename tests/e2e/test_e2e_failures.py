"""Projects that cannot work fail with their origin, a reason and a hint, and leave nothing."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flops_cli.errors import RefusedError
from flops_contracts.roles import Stage
from support.suite import SAMPLE, a_project_sla, a_repository
from support.waiting import until

pytestmark = pytest.mark.e2e

MODEL = (SAMPLE / "model_manager.py").read_text()
CONDA = (SAMPLE / "conda.yaml").read_text()


def with_dependencies(*pins):
    lines = "".join(f"  - {pin}\n" for pin in pins)
    return f"name: x\nchannels: [conda-forge]\ndependencies:\n  - python=3.11\n{lines}"


@dataclass(frozen=True)
class Case:
    """A broken variant of the base case, and the expected error."""

    role: str
    reason: str
    changes: dict = field(default_factory=dict)
    sla: dict = field(default_factory=dict)
    where: str = ""


CASES = {
    "an unreachable repository": Case(
        "builder", "no-such-repository", sla={"ml_repo_url": "file:///no-such-repository"}
    ),
    "no model_manager.py": Case("builder", "model_manager.py", {"model_manager.py": None}),
    "no fit_model": Case(
        "builder",
        "fit_model",
        {"model_manager.py": MODEL.replace("def fit_model", "def fit_the_model")},
        where="model_manager.py:",
    ),
    "a dependency that does not exist": Case(
        "builder",
        "no-such-distribution-of-flops",
        {"conda.yaml": with_dependencies("numpy=2.4.6", "no-such-distribution-of-flops=1.0")},
        where="conda.yaml:",
    ),
    "two dependencies that conflict": Case(
        "builder",
        "numpy",
        {"conda.yaml": with_dependencies("numpy=2.4.6", "scipy=1.11.4")},
    ),
    "no data with that tag": Case(
        "manager",
        "no-such-tag",
        sla={"training_configuration": {"data_tags": ["no-such-tag"]}},
    ),
    "a fit_model that raises": Case(
        "learner",
        "the weights are on strike",
        {
            "model_manager.py": MODEL.replace(
                "    def fit_model(self) -> int:\n",
                "    def fit_model(self) -> int:\n"
                '        raise RuntimeError("the weights are on strike")\n\n'
                "    def fit_another(self) -> int:\n",
            )
        },
        where="model_manager.py:",
    ),
    "more learners than capacity": Case(
        "manager", "room for", sla={"resource_constraints": {"memory": 100_000_000}}
    ),
    "more learners than rows": Case(
        "manager",
        "500 rows",
        sla={"learners": 501, "training_configuration": {"data_tags": ["mnist-held-out"]}},
    ),
}


@pytest.fixture(scope="module")
def failed(world, tmp_path_factory):
    """Submit all of them at once; return the projects by the names of their cases."""
    folder: Path = tmp_path_factory.mktemp("broken")
    submitted = {}
    for number, (name, case) in enumerate(CASES.items()):
        repository = a_repository(folder / f"repository{number}", case.changes)
        sla = a_project_sla(repository, **case.sla)
        submitted[name] = world.client.submit_project(sla)
    return {name: world.finished(project_id) for name, project_id in submitted.items()}


@pytest.mark.parametrize("name", CASES)
def test_the_project_fails_with_a_reason_one_can_act_on(failed, name):
    project, case = failed[name], CASES[name]

    assert project.stage is Stage.FAILED
    assert case.reason in project.failure.reason
    assert case.where in project.failure.where
    assert project.failure.hint
    assert case.role in (project.failure.role or "manager")


@pytest.mark.parametrize("name", CASES)
def test_nothing_of_it_runs_on_but_its_observer(world, failed, name):
    project = failed[name]

    until(lambda: world.is_gone(project.id, "flops_project_observer"), 20)


def test_the_traceback_of_user_code_reaches_the_user(failed):
    project = failed["a fit_model that raises"]
    failure = project.failure

    assert failure.where.startswith("model_manager.py:")
    assert any("the weights are on strike" in line for line in failure.last_lines)
    assert project.document["error"]["round"] == 1


def test_an_invalid_sla_is_refused_with_every_problem_and_its_path(world):
    sla = {
        **a_project_sla("file:///x", training_configuration={"training_rounds": 0}),
        "ml_model_flavor": "sklaern",
        "ml_repo_uri": "x",
    }

    with pytest.raises(RefusedError) as caught:
        world.client.submit_project(sla)

    paths = {problem.partition(":")[0] for problem in caught.value.errors}
    assert paths == {"ml_model_flavor", "ml_repo_uri", "training_configuration.training_rounds"}


def test_a_cancelled_project_leaves_nothing(world, tmp_path):
    project_id = world.client.submit_project(a_project_sla(a_repository(tmp_path / "r")))

    world.client.cancel_project(project_id)

    assert world.finished(project_id).stage is Stage.CANCELLED
    until(lambda: world.is_gone(project_id, "flops_project_observer"), 20)
