"""The answers of the API as schemas: they write the JSON and describe it in /openapi.json.

Every answer is an object with ``message``. Names are the wire's: always ``project_id``, never
``id``; secrets such as a project's grid token have no field here and so are never sent.
"""

from typing import Any

from marshmallow import Schema, fields, pre_dump

from flops_contracts.declared import schema_of
from flops_contracts.events import ActorImages, Fragment, Progress, RoundCompleted, Trained
from flops_contracts.log_lines import LogLine
from flops_contracts.roles import MockStage, Role, Stage
from flops_contracts.sla import MockSla, ProjectSla
from flops_manager.domain.projects import ClusterRound
from flops_manager.entrypoints.api.event_answers import NumberedEventSchema


def _what(text: str) -> dict[str, str]:
    return {"description": text}


def _word(kind: type[Role] | type[Stage] | type[MockStage]) -> fields.Enum[Any]:
    return fields.Enum(kind, by_value=True)


class AnswerSchema(Schema):
    """An answer with a sentence about what happened."""

    message = fields.String(required=True, metadata=_what("What happened, for people."))


class ErrorSchema(AnswerSchema):
    """Why a request was refused or failed."""

    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata=_what("Every problem of an invalid SLA or request: path to sentences."),
    )
    error_id = fields.String(metadata=_what("Search FLOps' log for it; only for status 500."))


class ActorStateSchema(Schema):
    """One service of a project, as the orchestrator and its own heartbeats describe it."""

    role = _word(Role)
    instance = fields.String(metadata=_what("Its service name at the orchestrator."))
    stage = fields.String(metadata=_what("The stage it was started for."))
    status = fields.String(metadata=_what("The orchestrator's; PLANNED before, REMOVED after."))
    state = fields.String(metadata=_what("Its state in its last heartbeat."))
    round = fields.Integer(
        allow_none=True, metadata=_what("From its heartbeat: the current or last round.")
    )
    memory_mb = fields.Float(
        allow_none=True, metadata=_what("From its heartbeat: resident memory, in 10^6 bytes.")
    )
    rows = fields.Integer(
        allow_none=True, metadata=_what("From its heartbeat: how many rows of data it loaded.")
    )
    cluster = fields.String()
    node = fields.String()
    address = fields.String(metadata=_what("Its address for other services."))
    public_address = fields.String(metadata=_what("Its address for everybody else."))
    index = fields.Integer()
    starts = fields.Integer(metadata=_what("How often it started; the orchestrator restarts it."))
    redeployed = fields.Integer(metadata=_what("How often the manager deployed it again."))
    deployed_at = fields.AwareDateTime(allow_none=True, format="iso")
    last_heartbeat = fields.AwareDateTime(allow_none=True, format="iso")


class OriginatedErrorSchema(Schema):
    """A failure and where it came from."""

    reason = fields.String()
    hint = fields.String(metadata=_what("What to change."))
    error = fields.String(metadata=_what("The class of the error."))
    where = fields.String(metadata=_what("File and line, if it is about a file."))
    stage = fields.String()
    role = fields.Enum(Role, by_value=True, allow_none=True)
    instance = fields.String()
    cluster = fields.String()
    node = fields.String()
    round = fields.Integer(allow_none=True)
    cycle = fields.Integer(allow_none=True)
    exit_code = fields.Integer(allow_none=True)
    last_lines = fields.List(fields.String())
    at = fields.AwareDateTime(allow_none=True, format="iso")


class LearnerFailureSchema(Schema):
    """A lost learner or cluster's aggregator; the project may go on without it."""

    instance = fields.String()
    error = fields.Nested(OriginatedErrorSchema)
    is_replaced = fields.Boolean(metadata=_what("Whether another was started in its place."))


class ClusterRoundSchema(schema_of(RoundCompleted)):  # type: ignore[misc]
    """A round of one cluster in hierarchical mode; ``cycle`` is the cycle that it belongs to."""

    cluster = fields.String()

    @pre_dump
    def flatten(self, below: ClusterRound, **_: Any) -> dict[str, Any]:
        """Put the cluster beside the fields of its round."""
        return {**vars(below.completed), "cluster": below.cluster}


class StageEntrySchema(Schema):
    """When a stage was entered."""

    stage = _word(Stage)
    entered_at = fields.AwareDateTime(format="iso")


class ProjectSummarySchema(Schema):
    """A project in a list."""

    project_id = fields.String(attribute="id")
    owner = fields.String(attribute="customer_id")
    stage = _word(Stage)
    created_at = fields.AwareDateTime(format="iso")
    updated_at = fields.AwareDateTime(format="iso")
    ml_repo_url = fields.String(attribute="sla.ml_repo_url")
    ml_model_flavor = fields.String(attribute="sla.ml_model_flavor")
    waiting = fields.String(metadata=_what("What it waits for, with its position in the queue."))
    rounds_completed = fields.Function(
        lambda project: project.completed_rounds, metadata={"type": "integer"}
    )
    rounds = fields.Integer(
        attribute="expected_rounds", metadata=_what("In hierarchical mode: cycles.")
    )
    accuracy = fields.Float(
        allow_none=True, metadata=_what("Of the trained model, or of the last round so far.")
    )
    reason = fields.String(
        attribute="error.reason", metadata=_what("Why it failed; absent if it did not.")
    )


class ProjectSchema(Schema):
    """The full state of a project."""

    project_id = fields.String(attribute="id")
    owner = fields.String(attribute="customer_id")
    stage = _word(Stage)
    stage_entered_at = fields.AwareDateTime(attribute="entered_at", format="iso")
    stage_history = fields.List(fields.Nested(StageEntrySchema))
    created_at = fields.AwareDateTime(format="iso")
    updated_at = fields.AwareDateTime(format="iso")
    attempt = fields.Integer(metadata=_what("How often it was retried."))
    progress = fields.Nested(schema_of(Progress), allow_none=True)
    actors = fields.List(fields.Nested(ActorStateSchema), attribute="services")
    rounds = fields.List(
        fields.Nested(schema_of(RoundCompleted)),
        metadata=_what("Rounds of the project's aggregator; in hierarchical mode its cycles."),
    )
    cluster_rounds = fields.List(
        fields.Nested(ClusterRoundSchema),
        metadata=_what("Hierarchical mode: the rounds of each cluster, the last 2,000."),
    )
    best_cycle = fields.Integer(
        allow_none=True, metadata=_what("Hierarchical mode: the cycle of the best model.")
    )
    images = fields.Nested(schema_of(ActorImages), allow_none=True)
    commit = fields.String()
    python_version = fields.String()
    dependency_lock = fields.String()
    trained = fields.Nested(schema_of(Trained), allow_none=True)
    model_image = fields.String()
    model_address = fields.String(
        metadata=_what("URL of the served model; empty if it is not served.")
    )
    learner_failures = fields.List(fields.Nested(LearnerFailureSchema))
    error = fields.Nested(OriginatedErrorSchema, allow_none=True)
    stopped_in = fields.Enum(
        Stage, by_value=True, allow_none=True, metadata=_what("The stage that failed or ended.")
    )
    waiting = fields.String(metadata=_what("What it waits for, with its position in the queue."))
    notices = fields.List(fields.String())
    sla = fields.Nested(schema_of(ProjectSla))


class MockSchema(Schema):
    """The full state of a mock data provider."""

    mock_id = fields.String(attribute="id")
    owner = fields.String(attribute="customer_id")
    stage = _word(MockStage)
    created_at = fields.AwareDateTime(format="iso")
    updated_at = fields.AwareDateTime(format="iso")
    services = fields.List(
        fields.Nested(ActorStateSchema), metadata=_what("A provider for each node.")
    )
    progress = fields.Nested(schema_of(Progress), allow_none=True)
    fragments = fields.List(fields.Nested(schema_of(Fragment)))
    error = fields.Nested(OriginatedErrorSchema, allow_none=True)
    sla = fields.Nested(schema_of(MockSla))


class ModelSchema(Schema):
    """A trained model."""

    project_id = fields.String(attribute="id")
    owner = fields.String(attribute="customer_id")
    name = fields.String(metadata=_what("Its name in the model registry of MLflow."))
    version = fields.String()
    model_uri = fields.String()
    run_id = fields.String()
    experiment_id = fields.String()
    best_round = fields.Integer(metadata=_what("In hierarchical mode: the cycle."))
    best_cycle = fields.Integer(allow_none=True, metadata=_what("Null in classic mode."))
    rounds = fields.Integer()
    loss = fields.Float(allow_none=True)
    accuracy = fields.Float(allow_none=True)
    image = fields.String(metadata=_what("The image of its inference server; empty if none."))
    address = fields.String(metadata=_what("URL where it is served; empty if it is not."))
    repository = fields.String()
    commit = fields.String()
    trained_at = fields.AwareDateTime(format="iso")


class FindingSchema(Schema):
    """One thing that a dry run checked."""

    check = fields.String()
    is_ok = fields.Boolean()
    message = fields.String()
    hint = fields.String()


class ActorLogSchema(Schema):
    """The last lines of one service."""

    role = _word(Role)
    instance = fields.String()
    cluster = fields.String()
    node = fields.String()
    is_live = fields.Boolean(metadata=_what("Whether the orchestrator still has the service."))
    lines = fields.List(fields.String())


class ProjectSubmittedSchema(AnswerSchema):
    """The id of the project; with dry_run the findings instead."""

    project_id = fields.String()
    is_ok = fields.Boolean(metadata=_what("Dry run only: whether all checks passed."))
    findings = fields.List(fields.Nested(FindingSchema), metadata=_what("Dry run only."))


class MockSubmittedSchema(AnswerSchema):
    """The id of the mock; with dry_run only the message."""

    mock_id = fields.String()


class PageAnswerSchema(AnswerSchema):
    """A page of a list; ``total`` counts all pages."""

    page = fields.Integer()
    page_size = fields.Integer()
    total = fields.Integer()


class ProjectAnswerSchema(AnswerSchema):
    """One project."""

    project = fields.Nested(ProjectSchema)


class ProjectsAnswerSchema(PageAnswerSchema):
    """Projects, newest first."""

    projects = fields.List(fields.Nested(ProjectSummarySchema))


class EventsAnswerSchema(AnswerSchema):
    """History in order; ask again with ``after=last_seq`` for more."""

    events = fields.List(fields.Nested(NumberedEventSchema))
    last_seq = fields.Integer()


class LogsAnswerSchema(AnswerSchema):
    """Logs of a project's services."""

    logs = fields.List(fields.Nested(ActorLogSchema))


class KeptLineSchema(schema_of(LogLine)):  # type: ignore[misc]
    """A line that an actor logged."""

    class Meta:
        """marshmallow's options."""

        exclude = ("number",)

    seq = fields.Integer()
    role = fields.Enum(Role, by_value=True, attribute="actor.role")
    instance = fields.String(attribute="actor.instance")
    cluster = fields.String(attribute="actor.cluster")
    node = fields.String(attribute="actor.node")
    left_out = fields.Integer(
        metadata=_what("How many lines before this one were dropped because there were too many.")
    )


class LogLinesAnswerSchema(AnswerSchema):
    """Lines in order; ask again with ``after=last_seq`` for what is logged later."""

    lines = fields.List(fields.Nested(KeptLineSchema))
    last_seq = fields.Integer()


class MockAnswerSchema(AnswerSchema):
    """One mock data provider."""

    mock = fields.Nested(MockSchema)


class MocksAnswerSchema(PageAnswerSchema):
    """Mock data providers, newest first."""

    mocks = fields.List(fields.Nested(MockSchema))


class ModelAnswerSchema(AnswerSchema):
    """One trained model."""

    model = fields.Nested(ModelSchema)


class ModelsAnswerSchema(PageAnswerSchema):
    """Trained models, newest first."""

    models = fields.List(fields.Nested(ModelSchema))


class TrackingAnswerSchema(AnswerSchema):
    """The address of the customer's MLflow."""

    tracking_server_url = fields.String()
    is_running = fields.Boolean(metadata=_what("False while it is still being deployed."))


class DatabaseAnswerSchema(AnswerSchema):
    """The number of projects and mocks that a reset removed."""

    projects = fields.Integer()
    mocks = fields.Integer()
