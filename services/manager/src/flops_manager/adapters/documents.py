"""Projects, mocks and commands as documents, and back. Times are ISO 8601 text in UTC."""

from collections.abc import Mapping
from dataclasses import fields as dataclass_fields
from typing import Any, Final

from marshmallow import ValidationError, fields

from flops_contracts.payloads import (
    ActorImagesSchema,
    FragmentSchema,
    MessageSchema,
    ProgressSchema,
    RoundCompletedSchema,
    TrainedSchema,
)
from flops_contracts.roles import MockStage, Role, Stage
from flops_contracts.schemas import TupleOf
from flops_contracts.sla_schemas import MockSlaSchema, ProjectSlaSchema
from flops_manager.domain.commands import (
    Announce,
    Command,
    CreateApplications,
    Deploy,
    Locate,
    Place,
    Remove,
    Undeploy,
    UndeployLost,
)
from flops_manager.domain.errors import UnreadableRecordError
from flops_manager.domain.mocks import Mock
from flops_manager.domain.projects import (
    ClusterRound,
    LearnerFailed,
    Placement,
    Project,
    ProjectError,
    Service,
    StageEntry,
)
from flops_manager.ports.stores import Pending, Record

COMMANDS: Final[dict[str, type[Any]]] = {
    one.__name__: one
    for one in (
        Announce,
        CreateApplications,
        Deploy,
        Locate,
        Place,
        Remove,
        Undeploy,
        UndeployLost,
    )
}


def _role(*, required: bool = True) -> fields.Enum[Role]:
    if required:
        return fields.Enum(Role, by_value=True, required=True)
    return fields.Enum(Role, by_value=True, load_default=None, allow_none=True)


def _time(*, required: bool = False) -> fields.AwareDateTime:
    if required:
        return fields.AwareDateTime(required=True, format="iso")
    return fields.AwareDateTime(load_default=None, allow_none=True, format="iso")


def _text() -> fields.String:
    return fields.String(load_default="")


def _number() -> fields.Integer:
    return fields.Integer(load_default=0)


def _maybe(schema: type[MessageSchema]) -> fields.Nested:
    return fields.Nested(schema, load_default=None, allow_none=True)


def _many(schema: type[MessageSchema]) -> TupleOf:
    return TupleOf(fields.Nested(schema), load_default=())


class ServiceSchema(MessageSchema):
    """See ``Service``."""

    builds = Service
    role = _role()
    instance = fields.String(required=True)
    stage = fields.String(required=True)
    job_id = _text()
    cluster = _text()
    node = _text()
    address = _text()
    public_address = _text()
    status = _text()
    state = _text()
    round = fields.Integer(load_default=None, allow_none=True)
    memory_mb = fields.Float(load_default=None, allow_none=True)
    rows = fields.Integer(load_default=None, allow_none=True)
    index = _number()
    attempt = _number()
    starts = _number()
    redeployed = _number()
    lost_by = _text()
    deployed_at = _time()
    running_since = _time()
    last_heartbeat = _time()
    last_lines = TupleOf(fields.String(), load_default=())


class PlacementSchema(MessageSchema):
    """See ``Placement``."""

    builds = Placement
    role = _role()
    cluster = _text()
    node = _text()
    index = _number()
    node_index = _number()
    node_learners = fields.Integer(load_default=1)


class ProjectErrorSchema(MessageSchema):
    """See ``ProjectError``."""

    builds = ProjectError
    reason = fields.String(required=True)
    stage = fields.String(required=True)
    hint = _text()
    where = _text()
    error = _text()
    role = _role(required=False)
    instance = _text()
    cluster = _text()
    node = _text()
    round = fields.Integer(load_default=None, allow_none=True)
    cycle = fields.Integer(load_default=None, allow_none=True)
    exit_code = fields.Integer(load_default=None, allow_none=True)
    last_lines = TupleOf(fields.String(), load_default=())
    at = _time()


class LearnerFailedSchema(MessageSchema):
    """See ``LearnerFailed``."""

    builds = LearnerFailed
    instance = fields.String(required=True)
    error = fields.Nested(ProjectErrorSchema, required=True)
    is_replaced = fields.Boolean(load_default=False)


class ClusterRoundSchema(MessageSchema):
    """See ``ClusterRound``."""

    builds = ClusterRound
    cluster = fields.String(required=True)
    completed = fields.Nested(RoundCompletedSchema, required=True)


class StageEntrySchema(MessageSchema):
    """See ``StageEntry``."""

    builds = StageEntry
    stage = fields.Enum(Stage, by_value=True, required=True)
    entered_at = _time(required=True)


class ProjectSchema(MessageSchema):
    """See ``Project``."""

    builds = Project
    id = fields.String(required=True)
    customer_id = fields.String(required=True, data_key="owner")
    sla = fields.Nested(ProjectSlaSchema, required=True)
    stage = fields.Enum(Stage, by_value=True, required=True)
    created_at = _time(required=True)
    updated_at = _time(required=True)
    stage_history = _many(StageEntrySchema)
    attempt = _number()
    grid_token = _text()
    services = _many(ServiceSchema)
    placements = _many(PlacementSchema)
    images = _maybe(ActorImagesSchema)
    commit = _text()
    python_version = _text()
    dependency_lock = _text()
    rounds = _many(RoundCompletedSchema)
    cluster_rounds = _many(ClusterRoundSchema)
    trained = _maybe(TrainedSchema)
    model_image = _text()
    model_address = _text()
    learner_failures = _many(LearnerFailedSchema)
    error = _maybe(ProjectErrorSchema)
    stopped_in = fields.Enum(Stage, by_value=True, load_default=None, allow_none=True)
    progress = _maybe(ProgressSchema)
    waiting = _text()
    notices = TupleOf(fields.String(), load_default=())
    takes_runs_along = fields.Boolean(load_default=False)
    trace = _text()
    is_deleted = fields.Boolean(load_default=False)


class MockSchema(MessageSchema):
    """See ``Mock``."""

    builds = Mock
    id = fields.String(required=True)
    customer_id = fields.String(required=True, data_key="owner")
    sla = fields.Nested(MockSlaSchema, required=True)
    stage = fields.Enum(MockStage, by_value=True, required=True)
    created_at = _time(required=True)
    updated_at = _time(required=True)
    services = _many(ServiceSchema)
    provided = TupleOf(fields.String(), load_default=())
    fragments = _many(FragmentSchema)
    error = _maybe(ProjectErrorSchema)
    progress = _maybe(ProgressSchema)
    is_deleted = fields.Boolean(load_default=False)
    trace = _text()


def document_from_record(record: Record[Any], schema: MessageSchema) -> dict[str, Any]:
    """Return what is stored: the subject under ``_id``, its version, and its outbox."""
    return {
        **schema.dump(record.subject),
        "_id": record.subject.id,
        "version": record.version,
        "todo": [_document_from_pending(one) for one in record.todo],
    }


def record_from_document(document: Mapping[str, Any], schema: MessageSchema) -> Record[Any]:
    """Return what was stored; raise ``UnreadableRecordError``."""
    try:
        return Record(
            subject=schema.load(dict(document)),
            version=document["version"],
            todo=tuple(_pending_from_document(one) for one in document["todo"]),
        )
    except (ValidationError, KeyError, TypeError, ValueError) as error:
        raise UnreadableRecordError(
            f"What is stored as {document.get('_id')} cannot be read: {error!r}"[:500],
            hint="Another version of FLOps wrote it, or somebody else; mend or remove it.",
        ) from error


def _document_from_pending(pending: Pending) -> dict[str, Any]:
    command = pending.command
    told = {one.name: getattr(command, one.name) for one in dataclass_fields(command)}
    texts = {key: str(value) if isinstance(value, str) else value for key, value in told.items()}
    return {"kind": type(command).__name__, "failures": pending.failures, **texts}


def _pending_from_document(document: Mapping[str, Any]) -> Pending:
    told = {key: value for key, value in document.items() if key not in {"kind", "failures"}}
    if "role" in told:
        told["role"] = Role(told["role"])
    command: Command = COMMANDS[document["kind"]](**told)
    return Pending(command, document["failures"])
