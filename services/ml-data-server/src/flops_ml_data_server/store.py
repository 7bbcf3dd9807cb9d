"""The volume as callers may use it: every door (Flight, HTTP) goes through here.

Rules are asked first, then what will happen is written to the audit log, then it happens.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa

from flops_flight.errors import NotAllowedError
from flops_flight.messages import Claim, NodeData, Part, Share
from flops_flight.names import FragmentName, parse_fragment_name
from flops_ml_data_server.access import audit
from flops_ml_data_server.access.audit import Audit
from flops_ml_data_server.access.callers import Caller
from flops_ml_data_server.access.rules import Rulebook, TagRules, document_of
from flops_ml_data_server.claims import Claims
from flops_ml_data_server.inventory import tags_of
from flops_ml_data_server.storage.fragments import BATCH_BYTES, StoredFragment, read_rows
from flops_ml_data_server.storage.uploads import PendingFragment
from flops_ml_data_server.storage.volume import Volume

logger = logging.getLogger(__name__)

SERVER: Final = Caller(name="ml-data-server", is_operator=True)
DAY_SECONDS: Final = 86_400
CLAIM_DAYS: Final = 90
"""How long a project's shares are kept after the last of its learners asked."""


@dataclass
class Upload:
    """An upload under way; ``publish`` ends it."""

    store: "Store"
    caller: Caller
    tag: str
    pending: PendingFragment

    def publish(self, digest: str, name_digest: str) -> StoredFragment:
        """Let everybody see it; the name is the sender's, or else made from the content."""
        name = FragmentName(self.tag, name_digest or digest)
        return self.store.keep(self.caller, self.pending, digest, name)


class Store:
    """Fragments, claims, rules and the audit log of one volume."""

    def __init__(
        self, volume: Volume, rulebook: Rulebook, log: Audit, *, logs_may_leave: bool = True
    ) -> None:
        self._logs_may_leave = logs_may_leave
        self.volume = volume
        self._rulebook = rulebook
        self._audit = log
        self._claims = Claims(volume)
        self.on_change: Callable[[], None] = lambda: None

    def fragments(
        self, caller: Caller, tags: tuple[str, ...] | None = None
    ) -> tuple[StoredFragment, ...]:
        """Return the complete fragments with one of ``tags`` that the caller may use."""
        found = self.volume.fragments(tags)
        may_use = {
            tag: self._rulebook.rules(tag).may_use(caller)
            for tag in {one.name.tag for one in found}
        }
        return tuple(one for one in found if may_use[one.name.tag])

    def find(self, caller: Caller, name: str) -> StoredFragment:
        """Return a fragment; raises what ``Volume.find`` does, and ``NotAllowedError``."""
        tag = parse_fragment_name(name).tag
        self._rulebook.rules(tag).check_use(tag, caller)
        return self.volume.find(name)

    def read(self, caller: Caller, part: Part) -> tuple[StoredFragment, Iterator[pa.RecordBatch]]:
        """Return a fragment and the asked rows of it."""
        fragment = self.find(caller, part.name)
        batch_bytes = min(BATCH_BYTES, self.volume.memory.share_bytes)
        batches = read_rows(fragment, part.offset, part.rows, batch_bytes)
        rows = fragment.rows - part.offset if part.rows is None else part.rows
        self._audit.add(audit.READ, caller, part.name, offset=part.offset, rows=rows)
        return fragment, batches

    @contextmanager
    def upload(self, caller: Caller, tag: str, schema: pa.Schema) -> Iterator[Upload]:
        """Take in data; what is not published is gone at the end."""
        rules = self._rulebook.rules(tag)
        rules.check_change(tag, caller)
        with self.volume.begin(schema, rules.quota_mb * 10**6) as pending:
            yield Upload(self, caller, tag, pending)

    def keep(
        self, caller: Caller, pending: PendingFragment, digest: str, name: FragmentName
    ) -> StoredFragment:
        """Publish a finished upload."""
        stored = self.volume.publish(pending, digest, name)
        self._audit.add(audit.PUT, caller, str(name), rows=stored.rows, bytes=stored.bytes)
        self.on_change()
        return stored

    def drop(self, caller: Caller, name: str) -> None:
        """Remove a fragment; who reads it now reads it to its end."""
        tag = parse_fragment_name(name).tag
        self._rulebook.rules(tag).check_change(tag, caller)
        self._drop(caller, self.volume.find(name), audit.DROPPED)

    def drop_tag(self, caller: Caller, tag: str) -> int:
        """Remove all fragments of a tag; return how many those were."""
        self._rulebook.rules(tag).check_change(tag, caller)
        found = self.volume.fragments((tag,))
        for fragment in found:
            self._drop(caller, fragment, audit.DROPPED)
        return len(found)

    def claim(self, caller: Caller, claim: Claim) -> Share:
        """Return a learner's share; a project may claim what it may use."""
        caller = replace(caller, project_id=caller.project_id or claim.project_id)
        if caller.project_id != claim.project_id:
            raise NotAllowedError("a project claims for itself only")
        for tag in claim.data_tags:
            self._rulebook.rules(tag).check_use(tag, caller)
        share = self._claims.share(claim)
        facts = {"learner": claim.learner_index, "of": claim.node_learners, "rows": share.rows}
        self._audit.add(audit.CLAIMED, caller, ",".join(claim.data_tags), **facts)
        return share

    def stats(self) -> NodeData:
        """Return what the node holds; everybody may know that much."""
        tags = tags_of(self.volume.fragments(), self._rulebook.rules)
        return NodeData(tags, self.volume.free_bytes, self._logs_may_leave)

    def rules(self, tag: str) -> TagRules:
        """Return the rules of a tag."""
        return self._rulebook.rules(tag)

    def rule(self, caller: Caller, tag: str, rules: TagRules) -> None:
        """Set the rules of a tag: for the operator, or the owner that a tag has."""
        if not caller.is_operator and not self._rulebook.rules(tag).owner:
            raise NotAllowedError("only the operator of the node can give a tag its first rules")
        self._rulebook.rules(tag).check_change(tag, caller)
        self._audit.add(audit.RULED, caller, tag, rules=document_of(rules))
        self._rulebook.write(tag, rules)
        self.on_change()

    def audited(self, caller: Caller, tag: str, limit: int) -> list[dict[str, object]]:
        """Return the last entries of the audit log, for the operator, or for a tag's owner."""
        owner = self._rulebook.rules(tag).owner if tag else ""
        if not caller.is_operator and not (owner and caller.name == owner):
            raise NotAllowedError("the audit log is for the operator, and for owners of tags")
        return self._audit.entries(tag, limit)

    def sweep(self, now_seconds: float) -> None:
        """Remove what its time has come for: silent uploads, old fragments, old claims, memory."""
        self.volume.expire_uploads()
        self.volume.memory.give_back()
        self._claims.forget_before(now_seconds - CLAIM_DAYS * DAY_SECONDS)
        for fragment in self.volume.fragments():
            days = self._rulebook.rules(fragment.name.tag).retention_days
            if days and fragment.path.stat().st_mtime < now_seconds - days * DAY_SECONDS:
                self._drop(SERVER, fragment, audit.EXPIRED)

    def _drop(self, caller: Caller, fragment: StoredFragment, action: str) -> None:
        name = str(fragment.name)
        self._audit.add(action, caller, name, rows=fragment.rows, bytes=fragment.bytes)
        self.volume.drop(name)
        logger.info("%s: %s", action, name)
        self.on_change()
