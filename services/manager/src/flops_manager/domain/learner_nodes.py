"""How many learners each node takes, by the data that it holds and what is free on it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flops_contracts.api.answers import TagStats
from flops_contracts.roles import Role
from flops_contracts.sla import DataSplit, ProjectSla, ResourceConstraints
from flops_manager.domain.columns import Held, require_alike
from flops_manager.domain.errors import NoRoomError, NotPlaceableError
from flops_manager.domain.nodes import LEARNER_ADDON, Landscape, Node
from flops_manager.domain.subjects import Placement

UNLISTED_HINT: Final = (
    "Make the clusters' resource APIs reachable for the manager (FLOPS_CLUSTER_RESOURCE_PORT), "
    "or set FLOPS_PLACEMENT to addons where the root honours that constraint."
)


@dataclass(frozen=True)
class _Candidate:
    """A node that could take learners: how many fit, and its rows of data (None: unknown)."""

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
    rooms = {candidate.node.label: candidate.room(sla.data_split) for candidate in candidates}
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
    unlisted = sorted({node.cluster for node in landscape.nodes if not node.name})
    if not nodes and unlisted:
        raise NotPlaceableError(
            f"No active node is known to have the addon {addon}; "
            f"the addons of workers are not reported by {', '.join(unlisted)}.",
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
    answering = [node for node in nodes if node.label in data]
    if not answering:
        return tuple(
            _Candidate(node, _capacity(node, sla.resource_constraints, sla.learners), None)
            for node in nodes
        )
    rows = {
        node: sum(data[node.label][tag].rows for tag in tags if tag in data[node.label])
        for node in answering
    }
    candidates = tuple(
        _Candidate(node, _capacity(node, sla.resource_constraints, sla.learners), rows[node])
        for node in answering
        if rows[node]
    )
    if not candidates:
        raise NotPlaceableError(_no_data(tags, answering, data), hint=_no_data_hint(tags))
    require_alike(
        Held(node.label, tag, data[node.label][tag])
        for node in (candidate.node for candidate in candidates)
        for tag in tags
        if tag in data[node.label]
    )
    return candidates


def _no_data(
    tags: Sequence[str], nodes: Sequence[Node], data: Mapping[str, Mapping[str, TagStats]]
) -> str:
    present = [
        f"'{tag}' ({stats.rows} rows on {node.label})"
        for node in nodes
        for tag, stats in sorted(data[node.label].items())
    ]
    problem = "The SLA lists no data_tags." if not tags else f"No data are tagged {_list(tags)}."
    return f"{problem} Data on the nodes: {', '.join(present) or 'none'}."


def _no_data_hint(tags: Sequence[str]) -> str:
    tag = tags[0] if tags else "<tag>"
    return f"Push data tagged '{tag}', start a mock with that tag, or list a tag that exists."


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
    learners, needs = sla.learners, sla.resource_constraints
    fits = sum(candidate.capacity for candidate in candidates)
    if fits < learners:
        where = ", ".join(
            f"{candidate.capacity} on {candidate.node.label}" for candidate in candidates
        )
        raise NoRoomError(
            f"The SLA asks for {learners} learners with {needs.vcpus} vcpus and {needs.memory} MB "
            f"each, but the nodes with data have room for {fits} ({where}).",
            hint="Ask for fewer learners or smaller resource_constraints, or add nodes.",
        )
    if sum(rooms.values()) < learners:
        rows = sum(candidate.rows or 0 for candidate in candidates)
        raise NotPlaceableError(
            f"The SLA asks for {learners} learners, but there are only {rows} rows of data "
            f"tagged {_list(sla.training_configuration.data_tags)} where they could run.",
            hint="Ask for fewer learners, push more data, or set data_split to shared.",
        )


def _spread(
    count: int, candidates: Sequence[_Candidate], rooms: Mapping[str, int]
) -> tuple[Node, ...]:
    """Return a node for each learner: always the one where its share of rows is the largest."""
    taken: Counter[str] = Counter()
    chosen: list[Node] = []
    for _ in range(count):
        free = [each for each in candidates if taken[each.node.label] < rooms[each.node.label]]
        best = max(free, key=lambda each: (each.rows or 1) / (taken[each.node.label] + 1))
        taken[best.node.label] += 1
        chosen.append(best.node)
    return tuple(sorted(chosen, key=lambda node: node.label))


def _list(tags: Sequence[str]) -> str:
    return " or ".join(f"'{tag}'" for tag in tags)
