"""What the node holds, tag by tag; names and types of columns, but no values."""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from flops_flight.messages import TagData
from flops_ml_data_server.access.rules import TagRules
from flops_ml_data_server.storage.fragments import StoredFragment


def tags_of(
    fragments: Iterable[StoredFragment], rules: Callable[[str], TagRules]
) -> tuple[TagData, ...]:
    """Return a line for each tag, sorted by tag."""
    ordered = sorted(fragments, key=lambda one: (one.name.tag, one.name.digest))
    return tuple(
        _tag(tag, list(group), rules(tag))
        for tag, group in groupby(ordered, key=lambda one: one.name.tag)
    )


def _tag(tag: str, fragments: Sequence[StoredFragment], rules: TagRules) -> TagData:
    schema = fragments[0].schema
    return TagData(
        tag=tag,
        fragments=len(fragments),
        rows=sum(one.rows for one in fragments),
        bytes=sum(one.bytes for one in fragments),
        columns={field.name: str(field.type) for field in schema},
        is_uniform=all(one.schema.equals(schema) for one in fragments),
        owner=rules.owner,
        customers=rules.customers,
        projects=rules.projects,
    )
