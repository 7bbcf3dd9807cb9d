"""The marshmallow schema of every payload; ``PAYLOADS`` says which kind carries which."""

from marshmallow import EXCLUDE, fields, validate

from flops_contracts.events import (
    Acknowledged,
    Actor,
    ActorImages,
    ActorsBuilt,
    DataLoaded,
    DataProvided,
    Empty,
    Failure,
    Finished,
    Fragment,
    Heartbeat,
    Kind,
    LearnerPresence,
    LearnerRound,
    ModelBuilt,
    ModelServing,
    Notice,
    Progress,
    RoundCompleted,
    RoundStarted,
    StageChanged,
    Trained,
)
from flops_contracts.roles import Role
from flops_contracts.schemas import DataclassSchema, TupleOf


class MessageSchema(DataclassSchema):
    """A schema that drops unknown keys, so that a newer actor can talk to an older manager."""

    class Meta:
        """marshmallow's options."""

        unknown = EXCLUDE


def _text(*, required: bool = False) -> fields.String:
    return fields.String(required=True) if required else fields.String(load_default="")


def _count(*, required: bool = False) -> fields.Integer:
    at_least_zero = validate.Range(min=0)
    if required:
        return fields.Integer(required=True, validate=at_least_zero)
    return fields.Integer(load_default=0, validate=at_least_zero)


def _number() -> fields.Float:
    # Python's own JSON may write NaN; a metric that is not a number travels as null instead.
    return fields.Float(load_default=None, allow_none=True)


class ActorSchema(MessageSchema):
    """See ``Actor``."""

    builds = Actor
    role = fields.Enum(Role, by_value=True, required=True)
    instance = _text(required=True)
    cluster = _text()
    node = _text()


class EmptySchema(MessageSchema):
    """See ``Empty``."""

    builds = Empty


class HeartbeatSchema(MessageSchema):
    """See ``Heartbeat``."""

    builds = Heartbeat
    state = _text(required=True)
    round = fields.Integer(load_default=None, allow_none=True)
    memory_mb = _number()
    rows = fields.Integer(load_default=None, allow_none=True)


class ProgressSchema(MessageSchema):
    """See ``Progress``."""

    builds = Progress
    message = _text(required=True)
    done = fields.Float(load_default=0)
    total = _number()
    unit = _text()


class NoticeSchema(MessageSchema):
    """See ``Notice``."""

    builds = Notice
    message = _text(required=True)


class FailureSchema(MessageSchema):
    """See ``Failure``."""

    builds = Failure
    reason = _text(required=True)
    exit_code = fields.Integer(required=True)
    error = _text()
    hint = _text()
    where = _text()
    origin = _text()
    origin_cluster = _text()
    round = fields.Integer(load_default=None, allow_none=True)
    cycle = fields.Integer(load_default=None, allow_none=True)
    last_lines = TupleOf(fields.String(), load_default=())


class ActorImagesSchema(MessageSchema):
    """See ``ActorImages``."""

    builds = ActorImages
    learner = _text(required=True)
    aggregator = _text(required=True)


class ActorsBuiltSchema(MessageSchema):
    """See ``ActorsBuilt``."""

    builds = ActorsBuilt
    images = fields.Nested(ActorImagesSchema, required=True)
    commit = _text(required=True)
    python_version = _text(required=True)
    dependency_lock = _text(required=True)
    reused = fields.Boolean(load_default=False)


class ModelBuiltSchema(MessageSchema):
    """See ``ModelBuilt``."""

    builds = ModelBuilt
    image = _text(required=True)
    reused = fields.Boolean(load_default=False)


class DataLoadedSchema(MessageSchema):
    """See ``DataLoaded``."""

    builds = DataLoaded
    rows = _count(required=True)
    bytes = _count(required=True)
    columns = TupleOf(fields.String(), load_default=())


class LearnerPresenceSchema(MessageSchema):
    """See ``LearnerPresence``."""

    builds = LearnerPresence
    learner = _text(required=True)
    present = _count(required=True)
    expected = _count(required=True)
    reason = _text()


class RoundStartedSchema(MessageSchema):
    """See ``RoundStarted``."""

    builds = RoundStarted
    round = _count(required=True)
    rounds = _count(required=True)
    cycle = fields.Integer(load_default=1)
    is_cycle = fields.Boolean(load_default=False)


class LearnerRoundSchema(MessageSchema):
    """See ``LearnerRound``."""

    builds = LearnerRound
    learner = _text(required=True)
    samples = _count()
    fit_seconds = fields.Float(load_default=0.0)
    evaluate_seconds = fields.Float(load_default=0.0)
    upload_seconds = fields.Float(load_default=0.0)
    error = _text()
    is_surplus = fields.Boolean(load_default=False)


class RoundCompletedSchema(MessageSchema):
    """See ``RoundCompleted``."""

    builds = RoundCompleted
    round = _count(required=True)
    rounds = _count(required=True)
    loss = _number()
    accuracy = _number()
    seconds = fields.Float(required=True)
    cycle = fields.Integer(load_default=1)
    metrics = fields.Dict(keys=fields.String(), values=fields.Float(), load_default=dict)
    learners = TupleOf(fields.Nested(LearnerRoundSchema), load_default=())
    is_cycle = fields.Boolean(load_default=False)


class TrainedSchema(MessageSchema):
    """See ``Trained``."""

    builds = Trained
    run_id = _text(required=True)
    experiment_id = _text(required=True)
    model_uri = _text(required=True)
    model_name = _text(required=True)
    model_version = _text(required=True)
    best_round = _count(required=True)
    rounds = _count(required=True)
    loss = _number()
    accuracy = _number()


class FinishedSchema(MessageSchema):
    """See ``Finished``."""

    builds = Finished
    rounds = _count(required=True)
    samples = _count(required=True)


class ModelServingSchema(MessageSchema):
    """See ``ModelServing``."""

    builds = ModelServing
    port = fields.Integer(required=True)


class FragmentSchema(MessageSchema):
    """See ``Fragment``."""

    builds = Fragment
    name = _text(required=True)
    rows = _count(required=True)
    bytes = _count(required=True)
    labels = fields.Dict(keys=fields.String(), values=fields.Integer(), load_default=dict)
    partition = fields.Integer(load_default=None, allow_none=True)
    node = _text()


class DataProvidedSchema(MessageSchema):
    """See ``DataProvided``."""

    builds = DataProvided
    data_tag = _text(required=True)
    fragments = TupleOf(fields.Nested(FragmentSchema), required=True)


class StageChangedSchema(MessageSchema):
    """See ``StageChanged``."""

    builds = StageChanged
    stage = _text(required=True)
    previous = _text()
    reason = _text()
    hint = _text()


class AcknowledgedSchema(MessageSchema):
    """See ``Acknowledged``."""

    builds = Acknowledged
    event_id = _text(required=True)


PAYLOADS: dict[Kind, type[MessageSchema]] = {
    Kind.STARTED: EmptySchema,
    Kind.HEARTBEAT: HeartbeatSchema,
    Kind.PROGRESS: ProgressSchema,
    Kind.NOTICE: NoticeSchema,
    Kind.FAILED: FailureSchema,
    Kind.ACTORS_BUILT: ActorsBuiltSchema,
    Kind.MODEL_BUILT: ModelBuiltSchema,
    Kind.DATA_LOADED: DataLoadedSchema,
    Kind.LEARNER_JOINED: LearnerPresenceSchema,
    Kind.LEARNER_LEFT: LearnerPresenceSchema,
    Kind.ROUND_STARTED: RoundStartedSchema,
    Kind.ROUND_COMPLETED: RoundCompletedSchema,
    Kind.TRAINED: TrainedSchema,
    Kind.FINISHED: FinishedSchema,
    Kind.MODEL_SERVING: ModelServingSchema,
    Kind.DATA_PROVIDED: DataProvidedSchema,
    Kind.STAGE_CHANGED: StageChangedSchema,
    Kind.ACKNOWLEDGED: AcknowledgedSchema,
}
