"""The data on the node by tag: names and types of columns, but no values."""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from flops_flight.columns import described, difference
from flops_flight.messages import TagData
from flops_ml_data_server.access.rules import TagRules
from flops_ml_data_server.storage.fragments import StoredFragment


def tags_of(
    fragments: Iterable[StoredFragment], rules: Callable[[str], TagRules]
) -> tuple[TagData, ...]:
    """Return a summary of each tag, sorted by tag."""
    ordered = sorted(fragments, key=lambda fragment: (fragment.name.tag, fragment.name.digest))
    return tuple(
        _tag(tag, list(group), rules(tag))
        for tag, group in groupby(ordered, key=lambda fragment: fragment.name.tag)
    )


def _tag(tag: str, fragments: Sequence[StoredFragment], rules: TagRules) -> TagData:
    first = fragments[0]
    differences = (
        difference(first.schema, other.schema, (str(first.name), str(other.name)))
        for other in fragments[1:]
    )
    unlike = next(filter(None, differences), "")
    return TagData(
        tag=tag,
        fragments=len(fragments),
        rows=sum(fragment.rows for fragment in fragments),
        bytes=sum(fragment.bytes for fragment in fragments),
        columns=described(first.schema),
        is_uniform=not unlike,
        difference=unlike,
        owner=rules.owner,
        customers=rules.customers,
        projects=rules.projects,
    )
