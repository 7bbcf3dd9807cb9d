"""Access to the volume under its rules; Flight and HTTP both use it.

Each action first checks the rules, then writes to the audit log, then happens.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
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
from flops_ml_data_server.storage.fragments import StoredFragment
from flops_ml_data_server.storage.uploads import PendingFragment
from flops_ml_data_server.storage.volume import Volume

logger = logging.getLogger(__name__)

SERVER: Final = Caller(name="ml-data-server", is_operator=True)
DAY_SECONDS: Final = 86_400
CLAIM_DAYS: Final = 90
"""How long a project's shares are kept after the last claim."""


class Store:
    """Fragments, claims, rules and the audit log of one volume."""

    def __init__(
        self, volume: Volume, rulebook: Rulebook, log: Audit, *, logs_may_leave: bool = True
    ) -> None:
        self._logs_may_leave = logs_may_leave
        self._volume = volume
        self._rulebook = rulebook
        self._audit = log
        self._claims = Claims(volume)
        self.on_change: Callable[[], None] = lambda: None

    def fragments(
        self, caller: Caller, tags: tuple[str, ...] | None = None
    ) -> tuple[StoredFragment, ...]:
        """Return the complete fragments with one of ``tags`` that the caller may use."""
        fragments = self._volume.fragments(tags)
        may_use = {
            tag: self._rulebook.rules(tag).may_use(caller)
            for tag in {fragment.name.tag for fragment in fragments}
        }
        return tuple(fragment for fragment in fragments if may_use[fragment.name.tag])

    def find(self, caller: Caller, name: str) -> StoredFragment:
        """Return a fragment; raises what ``Volume.find`` does, and ``NotAllowedError``."""
        tag = parse_fragment_name(name).tag
        self._rulebook.rules(tag).check_use(tag, caller)
        return self._volume.find(name)

    def read(self, caller: Caller, part: Part) -> tuple[StoredFragment, Iterator[pa.RecordBatch]]:
        """Return a fragment and the requested rows of it."""
        fragment = self.find(caller, part.name)
        batches = self._volume.read(fragment, part.offset, part.rows)
        rows = fragment.rows - part.offset if part.rows is None else part.rows
        self._audit.add(audit.READ, caller, part.name, offset=part.offset, rows=rows)
        return fragment, batches

    def upload(
        self, caller: Caller, tag: str, schema: pa.Schema
    ) -> AbstractContextManager[PendingFragment]:
        """Begin an upload; unless it is published, it is gone at the end of the context."""
        rules = self._rulebook.rules(tag)
        rules.check_change(tag, caller)
        return self._volume.begin(schema, rules.quota_mb * 10**6)

    def publish(
        self, caller: Caller, pending: PendingFragment, name: FragmentName
    ) -> StoredFragment:
        """Publish a finished upload as ``Volume.publish`` does."""
        stored = self._volume.publish(pending, name)
        self._audit.add(audit.PUT, caller, str(stored.name), rows=stored.rows, bytes=stored.bytes)
        self.on_change()
        return stored

    def drop(self, caller: Caller, name: str) -> None:
        """Remove a fragment; downloads under way are completed."""
        tag = parse_fragment_name(name).tag
        self._rulebook.rules(tag).check_change(tag, caller)
        self._drop(caller, self._volume.find(name), audit.DROPPED)

    def drop_tag(self, caller: Caller, tag: str) -> int:
        """Remove all fragments of a tag; return their number."""
        self._rulebook.rules(tag).check_change(tag, caller)
        fragments = self._volume.fragments((tag,))
        for fragment in fragments:
            self._drop(caller, fragment, audit.DROPPED)
        return len(fragments)

    def claim(self, caller: Caller, claim: Claim) -> Share:
        """Return a learner's share; a project may claim the data that it may use."""
        caller = replace(caller, project_id=caller.project_id or claim.project_id)
        if caller.project_id != claim.project_id:
            raise NotAllowedError("a project may claim data for itself only")
        for tag in claim.data_tags:
            self._rulebook.rules(tag).check_use(tag, caller)
        share = self._claims.share(claim)
        facts = {"learner": claim.learner_index, "of": claim.node_learners, "rows": share.rows}
        self._audit.add(audit.CLAIMED, caller, ",".join(claim.data_tags), **facts)
        return share

    def stats(self) -> NodeData:
        """Return a summary of the node's data, which every caller may know."""
        tags = tags_of(self._volume.fragments(), self._rulebook.rules)
        return NodeData(tags, self._volume.free_bytes, self._logs_may_leave)

    def rules(self, tag: str) -> TagRules:
        """Return the rules of a tag."""
        return self._rulebook.rules(tag)

    def set_rules(self, caller: Caller, tag: str, rules: TagRules) -> None:
        """Set the rules of a tag; only its owner and the operator may."""
        if not caller.is_operator and not self._rulebook.rules(tag).owner:
            raise NotAllowedError("only the operator of the node may set the first rules of a tag")
        self._rulebook.rules(tag).check_change(tag, caller)
        self._audit.add(audit.RULED, caller, tag, rules=document_of(rules))
        self._rulebook.write(tag, rules)
        self.on_change()

    def audit_entries(self, caller: Caller, tag: str, limit: int) -> list[dict[str, object]]:
        """Return the last entries of the audit log; only the operator and a tag's owner may."""
        owner = self._rulebook.rules(tag).owner if tag else ""
        if not caller.is_operator and not (owner and caller.name == owner):
            raise NotAllowedError("only the operator and the owner of a tag may read the audit log")
        return self._audit.entries(tag, limit)

    def sweep(self, now_seconds: float) -> None:
        """Remove silent uploads, expired fragments, old claims and unused memory."""
        self._volume.clean_up()
        self._claims.forget_before(now_seconds - CLAIM_DAYS * DAY_SECONDS)
        for fragment in self._volume.fragments():
            days = self._rulebook.rules(fragment.name.tag).retention_days
            if days and fragment.path.stat().st_mtime < now_seconds - days * DAY_SECONDS:
                self._drop(SERVER, fragment, audit.EXPIRED)

    def _drop(self, caller: Caller, fragment: StoredFragment, action: str) -> None:
        name = str(fragment.name)
        self._audit.add(action, caller, name, rows=fragment.rows, bytes=fragment.bytes)
        self._volume.drop(name)
        logger.info("%s: %s", action, name)
        self.on_change()
