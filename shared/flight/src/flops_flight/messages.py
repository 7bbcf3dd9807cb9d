"""What travels beside the data: tickets, criteria, the bodies and answers of actions.

Old clients send a bare file name as ticket and ``{"data_tags": [...]}`` as criteria; both stay.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from marshmallow import ValidationError, fields, validate

from flops_contracts.events import Fragment
from flops_contracts.payloads import FragmentSchema, MessageSchema
from flops_contracts.schemas import TupleOf
from flops_contracts.sla_schemas import DATA_TAG, MAX_LEARNERS
from flops_flight.errors import InvalidRequestError

CLAIM: Final = "claim"
STATS: Final = "stats"
HEALTH: Final = "health"
DROP: Final = "drop_dataset"

CLIENT_HEADER: Final = "flops-client"
PROJECT_HEADER: Final = "flops-project"
CUSTOMER_HEADER: Final = "flops-customer"
TRACE_HEADER: Final = "traceparent"


@dataclass(frozen=True)
class Identity:
    """Who makes a call, and for whom; any call may say so, and tags with rules ask for it."""

    client: str = ""
    project_id: str = ""
    customer: str = ""
    trace: str = ""
    """The traceparent of what the call is part of, where traces are on."""

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers that say so."""
        told = {
            CLIENT_HEADER: self.client,
            PROJECT_HEADER: self.project_id,
            CUSTOMER_HEADER: self.customer,
            TRACE_HEADER: self.trace,
        }
        return [(name.encode(), value.encode()) for name, value in told.items() if value]


@dataclass(frozen=True)
class Part:
    """Rows of one fragment: ``rows`` of them, from ``offset`` on; no ``rows`` means to the end."""

    name: str
    offset: int = 0
    rows: int | None = None


@dataclass(frozen=True)
class Share:
    """What one learner trains on; the shares of a project's learners on a node do not overlap."""

    parts: tuple[Part, ...]

    @property
    def rows(self) -> int:
        """How many rows that are."""
        return sum(part.rows or 0 for part in self.parts)


@dataclass(frozen=True)
class Claim:
    """A learner asks for its share; no ``data_tags`` would be no data."""

    project_id: str
    learner_index: int
    node_learners: int
    data_tags: tuple[str, ...]


@dataclass(frozen=True)
class Upload:
    """An upload whose name the server makes from the content; the command of its descriptor."""

    data_tag: str


@dataclass(frozen=True)
class UploadEnd:
    """The last message of such an upload: without it, the stream broke and nothing is kept."""

    rows: int


@dataclass(frozen=True)
class TagData:
    """What a node holds under one tag. ``is_uniform`` says whether all fragments agree.

    Only the named customers and projects may use it; nobody named means everybody.
    """

    tag: str
    fragments: int
    rows: int
    bytes: int
    columns: Mapping[str, str] = field(default_factory=dict)
    is_uniform: bool = True
    owner: str = ""
    customers: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()


@dataclass(frozen=True)
class NodeData:
    """What a node holds; no values, only what they are. ``free_bytes`` is room for more.

    ``logs_may_leave`` says whether its owner lets learners send what they log to the manager.
    """

    tags: tuple[TagData, ...] = ()
    free_bytes: int = 0
    logs_may_leave: bool = True

    @property
    def rows(self) -> int:
        """All rows of the node."""
        return sum(tag.rows for tag in self.tags)

    @property
    def bytes(self) -> int:
        """The size of all files of the node."""
        return sum(tag.bytes for tag in self.tags)

    def rows_of(self, tags: tuple[str, ...]) -> int:
        """Return how many rows a project with these data tags would find."""
        return sum(tag.rows for tag in self.tags if tag.tag in tags)


def _count() -> fields.Integer:
    return fields.Integer(required=True, strict=True, validate=validate.Range(min=0))


class PartSchema(MessageSchema):
    """See ``Part``."""

    builds = Part
    name = fields.String(required=True)
    offset = fields.Integer(load_default=0, strict=True, validate=validate.Range(min=0))
    rows = fields.Integer(
        load_default=None, allow_none=True, strict=True, validate=validate.Range(min=0)
    )


class ShareSchema(MessageSchema):
    """See ``Share``."""

    builds = Share
    parts = TupleOf(fields.Nested(PartSchema), required=True)


class ClaimSchema(MessageSchema):
    """See ``Claim``. The project id becomes a file name, so it holds no path."""

    builds = Claim
    project_id = fields.String(
        required=True, validate=validate.Regexp(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")
    )
    learner_index = _count()
    node_learners = fields.Integer(
        required=True, strict=True, validate=validate.Range(min=1, max=MAX_LEARNERS)
    )
    data_tags = TupleOf(fields.String(validate=validate.Regexp(DATA_TAG)), required=True)


class UploadSchema(MessageSchema):
    """See ``Upload``."""

    builds = Upload
    data_tag = fields.String(required=True, validate=validate.Regexp(DATA_TAG))


class UploadEndSchema(MessageSchema):
    """See ``UploadEnd``."""

    builds = UploadEnd
    rows = _count()


class TagDataSchema(MessageSchema):
    """See ``TagData``."""

    builds = TagData
    tag = fields.String(required=True)
    fragments = _count()
    rows = _count()
    bytes = _count()
    columns = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)
    is_uniform = fields.Boolean(load_default=True)
    owner = fields.String(load_default="")
    customers = TupleOf(fields.String(), load_default=())
    projects = TupleOf(fields.String(), load_default=())


class NodeDataSchema(MessageSchema):
    """See ``NodeData``."""

    builds = NodeData
    tags = TupleOf(fields.Nested(TagDataSchema), required=True)
    free_bytes = fields.Integer(load_default=0)
    logs_may_leave = fields.Boolean(load_default=True)


class CriteriaSchema(MessageSchema):
    """The criteria of a listing; None, which old clients cannot send, means every tag."""

    builds = dict
    data_tags = TupleOf(fields.String(), load_default=None, allow_none=True)


_SCHEMAS: Final[dict[type[Any], MessageSchema]] = {
    schema.builds: schema()
    for schema in (
        ClaimSchema,
        FragmentSchema,
        NodeDataSchema,
        PartSchema,
        ShareSchema,
        UploadEndSchema,
        UploadSchema,
    )
}
Message = Claim | Fragment | NodeData | Part | Share | Upload | UploadEnd
M = TypeVar("M", Claim, Fragment, NodeData, Part, Share, Upload, UploadEnd)


def encode(message: Message) -> bytes:
    """Return ``message`` as JSON."""
    return json.dumps(_SCHEMAS[type(message)].dump(message)).encode()


def decode(kind: type[M], data: bytes) -> M:
    """Return the message in ``data``; raise ``InvalidRequestError``."""
    message: M = _load(_SCHEMAS[kind], data, kind.__name__)
    return message


def encode_ticket(part: Part) -> bytes:
    """Return the ticket of ``part``: the bare name for a whole fragment, else JSON."""
    if part.offset == 0 and part.rows is None:
        return part.name.encode()
    return encode(part)


def decode_ticket(ticket: bytes) -> Part:
    """Read either kind of ticket; the name is not checked here."""
    if ticket.startswith(b"{"):
        return decode(Part, ticket)
    return Part(ticket.decode(errors="replace"))


def encode_criteria(data_tags: tuple[str, ...] | None) -> bytes:
    """Return the criteria that list these tags, or everything."""
    return b"" if data_tags is None else json.dumps({"data_tags": list(data_tags)}).encode()


def decode_criteria(criteria: bytes) -> tuple[str, ...] | None:
    """Return the tags to list; None means every one."""
    if not criteria:
        return None
    tags: tuple[str, ...] | None = _load(CriteriaSchema(), criteria, "criteria")["data_tags"]
    return tags


def _load(schema: MessageSchema, data: bytes, what: str) -> Any:
    try:
        return schema.load(json.loads(data))
    except (ValidationError, ValueError, RecursionError) as error:
        problems = error.messages if isinstance(error, ValidationError) else error
        raise InvalidRequestError(f"cannot read {what}: {problems}") from error
