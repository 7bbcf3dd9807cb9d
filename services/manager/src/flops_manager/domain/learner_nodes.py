"""Which nodes take how many learners: by the data that they hold and by what is free on them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flops_contracts.roles import Role
from flops_contracts.sla import DataSplit, ProjectSla, ResourceConstraints
from flops_manager.domain.columns import Held, require_alike
from flops_manager.domain.errors import NoRoomError, NotPlaceableError
from flops_manager.domain.nodes import LEARNER_ADDON, Landscape, Node, TagStats
from flops_manager.domain.subjects import Placement

UNLISTED_HINT: Final = (
    "Let the manager reach the clusters' resource APIs (FLOPS_CLUSTER_RESOURCE_PORT), "
    "or set FLOPS_PLACEMENT to addons where the root honours that constraint."
)


@dataclass(frozen=True)
class _Candidate:
    """A node that could take learners: how many fit, and how many rows wait there (None: ?)."""

    node: Node
    capacity: int
    rows: int | None

    def room(self, split: DataSplit) -> int:
        """Return how many learners the node can take: each needs resources, and a row to itself."""
        if self.rows is None:
            return self.capacity
        by_rows = self.rows if split is DataSplit.EXCLUSIVE else self.capacity
        return min(self.capacity, by_rows)


def place_learners(sla: ProjectSla, landscape: Landscape) -> tuple[Placement, ...]:
    """Spread the learners over the nodes that hold data, in proportion to their rows."""
    nodes = nodes_with(landscape, LEARNER_ADDON, "FLOps")
    candidates = _candidates(sla, nodes, landscape.data)
    rooms = {one.node.label: one.room(sla.data_split) for one in candidates}
    _check_room(sla, candidates, rooms)
    chosen = _spread(sla.learners, candidates, rooms)
    totals = Counter(node.label for node in chosen)
    seen: Counter[str] = Counter()
    placements = []
    for index, node in enumerate(chosen):
        placements.append(
            Placement(
                role=Role.LEARNER,
                cluster=node.cluster,
                node=node.name,
                index=index,
                node_index=seen[node.label],
                node_learners=totals[node.label],
            )
        )
        seen[node.label] += 1
    return tuple(placements)


def nodes_with(landscape: Landscape, addon: str, switch: str) -> tuple[Node, ...]:
    """Return the nodes with ``addon``; raise ``NotPlaceableError`` if there are none."""
    nodes = landscape.with_addon(addon)
    unlisted = sorted({one.cluster for one in landscape.nodes if not one.name})
    if not nodes and unlisted:
        raise NotPlaceableError(
            f"No active node is known to have the addon {addon}; of {', '.join(unlisted)} "
            "nobody tells which workers have it.",
            hint=UNLISTED_HINT,
        )
    if not nodes:
        raise NotPlaceableError(
            f"No active node has the addon {addon}.",
            hint=f"On a node, run 'NodeEngine config addon {switch} on' and restart it.",
        )
    return nodes


def _candidates(
    sla: ProjectSla, nodes: Sequence[Node], data: Mapping[str, Mapping[str, TagStats]]
) -> tuple[_Candidate, ...]:
    """Return the nodes with matching data; where no data server answers, every learner node."""
    tags = sla.training_configuration.data_tags
    known = [one for one in nodes if one.label in data]
    if not known:
        return tuple(
            _Candidate(one, _capacity(one, sla.resource_constraints, sla.learners), None)
            for one in nodes
        )
    counted = [
        (one, sum(data[one.label][tag].rows for tag in tags if tag in data[one.label]))
        for one in known
    ]
    found = tuple(
        _Candidate(one, _capacity(one, sla.resource_constraints, sla.learners), rows)
        for one, rows in counted
        if rows
    )
    if not found:
        raise NotPlaceableError(_no_data(tags, known, data), hint=_no_data_hint(tags))
    require_alike(
        Held(node.label, tag, data[node.label][tag])
        for node in (one.node for one in found)
        for tag in tags
        if tag in data[node.label]
    )
    return found


def _no_data(
    tags: Sequence[str], nodes: Sequence[Node], data: Mapping[str, Mapping[str, TagStats]]
) -> str:
    there = [
        f"'{tag}' ({stats.rows} rows on {node.label})"
        for node in nodes
        for tag, stats in sorted(data[node.label].items())
    ]
    asked = "The SLA lists no data_tags." if not tags else f"No data are tagged {_list(tags)}."
    return f"{asked} What is there: {', '.join(there) if there else 'nothing at all'}."


def _no_data_hint(tags: Sequence[str]) -> str:
    wanted = tags[0] if tags else "<tag>"
    return f"Push data tagged '{wanted}', start a mock with that tag, or list a tag that is there."


def _capacity(node: Node, needs: ResourceConstraints, enough: int) -> int:
    """Return how many learners fit the node's free resources; ``enough`` if nothing limits."""
    limits = [enough]
    if needs.vcpus and node.vcpus is not None:
        limits.append(int(node.vcpus // needs.vcpus))
    if needs.memory and node.memory_mb is not None:
        limits.append(int(node.memory_mb // needs.memory))
    return min(limits)


def _check_room(
    sla: ProjectSla, candidates: Sequence[_Candidate], rooms: Mapping[str, int]
) -> None:
    wanted, needs = sla.learners, sla.resource_constraints
    fits = sum(one.capacity for one in candidates)
    if fits < wanted:
        where = ", ".join(f"{one.capacity} on {one.node.label}" for one in candidates)
        raise NoRoomError(
            f"The SLA asks for {wanted} learners with {needs.vcpus} vcpus and {needs.memory} MB "
            f"each, but the nodes with data have room for {fits} ({where}).",
            hint="Ask for fewer learners or smaller resource_constraints, or add nodes.",
        )
    if sum(rooms.values()) < wanted:
        rows = sum(one.rows or 0 for one in candidates)
        raise NotPlaceableError(
            f"The SLA asks for {wanted} learners, but there are only {rows} rows of data "
            f"tagged {_list(sla.training_configuration.data_tags)} where they could run.",
            hint="Ask for fewer learners, push more data, or set data_split to shared.",
        )


def _spread(
    count: int, candidates: Sequence[_Candidate], rooms: Mapping[str, int]
) -> tuple[Node, ...]:
    """Give each next learner to the node where its share of rows would be the largest."""
    taken: Counter[str] = Counter()
    chosen: list[Node] = []
    for _ in range(count):
        free = [one for one in candidates if taken[one.node.label] < rooms[one.node.label]]
        best = max(free, key=lambda one: (one.rows or 1) / (taken[one.node.label] + 1))
        taken[best.node.label] += 1
        chosen.append(best.node)
    return tuple(sorted(chosen, key=lambda node: node.label))


def _list(tags: Sequence[str]) -> str:
    return " or ".join(f"'{tag}'" for tag in tags)
