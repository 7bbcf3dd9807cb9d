"""Projects, mocks and models with every field filled, as the manager's API answers them."""

from dataclasses import replace
from datetime import timedelta

from flops_contracts.api.answers import (
    ActorLog,
    Finding,
    LearnerFailed,
    Model,
    ProjectError,
    StageEntry,
)
from flops_contracts.events import Progress
from flops_contracts.roles import MockStage, Role, Stage
from flops_manager.domain.mocks import Mock
from flops_manager.domain.projects import ClusterRound, Project
from flops_manager.domain.subjects import Service
from support.wire_samples import (
    BEGIN,
    FRAGMENT,
    IMAGES_BUILT,
    LEARNER,
    LOCK,
    MOCK_ID,
    MOCK_SLA,
    PAYLOADS,
    PROJECT_ID,
    PROJECT_SLA,
    ROUND,
    TRAINED,
    an_event,
)

LATER = BEGIN + timedelta(minutes=3)

ERROR = ProjectError(
    reason="fit_model raised ValueError: no rows",
    stage="training",
    hint="Look at model_manager.py.",
    where="model_manager.py:12",
    error="UserCodeError",
    role=Role.LEARNER,
    instance=LEARNER,
    cluster="munich",
    node="node1",
    round=2,
    exit_code=30,
    last_lines=("fitting", "Traceback"),
    at=LATER,
)

CYCLE = replace(ROUND, round=1, rounds=2, is_cycle=True)

SERVICE = Service(
    role=Role.LEARNER,
    instance=LEARNER,
    stage="training",
    job_id="5f" * 12,
    cluster="munich",
    node="node1",
    address="10.30.129.7",
    public_address="192.0.2.7",
    status="RUNNING",
    state="fitting",
    index=1,
    starts=1,
    deployed_at=BEGIN,
    last_heartbeat=LATER,
)


def a_project(stage: Stage = Stage.FAILED, **changes: object) -> Project:
    """Return a project that has seen everything."""
    values = {
        "id": PROJECT_ID,
        "customer_id": "ada",
        "sla": PROJECT_SLA,
        "stage": stage,
        "created_at": BEGIN,
        "updated_at": LATER,
        "stage_history": (StageEntry(Stage.SUBMITTED, BEGIN), StageEntry(stage, LATER)),
        "attempt": 1,
        "grid_token": "never-leaves-the-manager",
        "services": (SERVICE,),
        "images": IMAGES_BUILT,
        "commit": "c0ffee" * 6 + "c0ff",
        "python_version": "3.11",
        "dependency_lock": LOCK,
        "rounds": (CYCLE,),
        "cluster_rounds": (ClusterRound("munich", ROUND),),
        "trained": TRAINED,
        "model_image": "registry:5073/ada/trained_model:abab",
        "model_address": "http://192.0.2.8:8080",
        "learner_failures": (LearnerFailed(LEARNER, ERROR),),
        "error": ERROR,
        "stopped_in": Stage.TRAINING,
        "progress": Progress("round 2", done=1, total=3, unit="rounds"),
        "notices": ("The pin of mlflow is dropped.",),
    }
    return Project(**{**values, **changes})


def a_mock(stage: MockStage = MockStage.COMPLETED) -> Mock:
    """Return a mock that provided its data."""
    return Mock(
        id=MOCK_ID,
        customer_id="ada",
        sla=MOCK_SLA,
        stage=stage,
        created_at=BEGIN,
        updated_at=LATER,
        services=(SERVICE,),
        provided=(SERVICE.instance,),
        fragments=(FRAGMENT,),
        error=None,
        progress=Progress("sending", done=3, total=3, unit="fragments"),
    )


MODEL = Model(
    id=PROJECT_ID,
    owner="ada",
    name=TRAINED.model_name,
    version=TRAINED.model_version,
    model_uri=TRAINED.model_uri,
    run_id=TRAINED.run_id,
    experiment_id=TRAINED.experiment_id,
    best_round=TRAINED.best_round,
    best_cycle=TRAINED.best_round,
    rounds=TRAINED.rounds,
    loss=TRAINED.loss,
    accuracy=TRAINED.accuracy,
    image="registry:5073/ada/trained_model:abab",
    address="http://192.0.2.8:8080",
    repository="https://git.example/ada/digits",
    commit="c0ffee" * 6 + "c0ff",
    trained_at=LATER,
)

LOG = ActorLog(
    role=Role.LEARNER,
    instance=LEARNER,
    cluster="munich",
    node="node1",
    is_live=True,
    lines=("fitting", "done"),
)

FINDINGS = (
    Finding("capacity", is_ok=True, message="2 learners fit on 3 nodes."),
    Finding("data", is_ok=False, message="No node has 'mnist'.", hint="Provide data first."),
)

HISTORY = tuple(
    replace(an_event(kind), event_id=f"event-{seq}") for seq, kind in enumerate(PAYLOADS, start=1)
)
