"""The messages beside the data: tickets, criteria, and the bodies and results of actions.

Old clients send a bare file name as ticket and ``{"data_tags": [...]}`` as criteria; both stay.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from marshmallow import ValidationError

from flops_contracts.declared import about, declared, dump, load
from flops_contracts.events import Fragment
from flops_contracts.sla import DATA_TAG, MAX_LEARNERS
from flops_flight.errors import InvalidRequestError

CLAIM: Final = "claim"
STATS: Final = "stats"
HEALTH: Final = "health"
DROP: Final = "drop_dataset"

CLIENT_HEADER: Final = "flops-client"
PROJECT_HEADER: Final = "flops-project"
CUSTOMER_HEADER: Final = "flops-customer"
TRACE_HEADER: Final = "traceparent"

_COUNT: Final = about(minimum=0, strict=True)


@dataclass(frozen=True)
class Identity:
    """The caller, and its project and customer; optional, but some rules of tags need it."""

    client: str = ""
    project_id: str = ""
    customer_id: str = ""
    trace: str = ""
    """The traceparent of the caller, where traces are on."""

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers with the identity."""
        headers = {
            CLIENT_HEADER: self.client,
            PROJECT_HEADER: self.project_id,
            CUSTOMER_HEADER: self.customer_id,
            TRACE_HEADER: self.trace,
        }
        return [(name.encode(), value.encode()) for name, value in headers.items() if value]


@dataclass(frozen=True)
class Part:
    """Rows of one fragment: ``rows`` of them, from ``offset`` on; no ``rows`` means to the end."""

    name: str
    offset: int = declared(0, minimum=0, strict=True)
    rows: int | None = declared(None, minimum=0, strict=True)


@dataclass(frozen=True)
class Share:
    """The data of one learner; the shares of a project's learners on a node do not overlap."""

    parts: tuple[Part, ...]

    @property
    def rows(self) -> int:
        """The number of rows."""
        return sum(part.rows or 0 for part in self.parts)


@dataclass(frozen=True)
class Claim:
    """A learner's request for its share. The project id becomes a file name, so no path."""

    project_id: str = field(metadata=about(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z"))
    learner_index: int = field(metadata=_COUNT)
    node_learners: int = field(metadata=about(minimum=1, maximum=MAX_LEARNERS, strict=True))
    data_tags: tuple[str, ...] = field(metadata=about(pattern=DATA_TAG))


@dataclass(frozen=True)
class Upload:
    """An upload whose name the server makes from the content; the command of its descriptor."""

    data_tag: str = field(metadata=about(pattern=DATA_TAG))


@dataclass(frozen=True)
class UploadEnd:
    """The last message of such an upload: without it, the stream broke and nothing is kept."""

    rows: int = field(metadata=_COUNT)


@dataclass(frozen=True)
class TagData:
    """The data of a node under one tag. ``is_uniform`` if all fragments have equal columns.

    If not, ``difference`` says in which two of them what is unlike.

    Only the named customers and projects may use it; if none are named, everybody may.
    """

    tag: str
    fragments: int = field(metadata=_COUNT)
    rows: int = field(metadata=_COUNT)
    bytes: int = field(metadata=_COUNT)
    columns: Mapping[str, str] = field(default_factory=dict)
    is_uniform: bool = True
    difference: str = ""
    owner: str = ""
    customers: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()


@dataclass(frozen=True)
class NodeData:
    """A summary of a node's data, without values. ``free_bytes`` is the room for more.

    ``logs_may_leave`` says whether its owner lets learners send their logs to the manager.
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
        """Return the number of rows with these data tags."""
        return sum(tag.rows for tag in self.tags if tag.tag in tags)


@dataclass(frozen=True)
class Criteria:
    """The criteria of a listing; None, which old clients cannot send, means every tag."""

    data_tags: tuple[str, ...] | None = None


Message = Claim | Fragment | NodeData | Part | Share | Upload | UploadEnd
M = TypeVar("M", Claim, Criteria, Fragment, NodeData, Part, Share, Upload, UploadEnd)


def encode(message: Message) -> bytes:
    """Return ``message`` as JSON."""
    return json.dumps(dump(message)).encode()


def decode(kind: type[M], data: bytes) -> M:
    """Return the message in ``data``; raise ``InvalidRequestError``."""
    try:
        return load(kind, json.loads(data))
    except (ValidationError, ValueError, RecursionError) as error:
        problems = error.messages if isinstance(error, ValidationError) else error
        raise InvalidRequestError(f"cannot read {kind.__name__}: {problems}") from error


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
    return decode(Criteria, criteria).data_tags if criteria else None
