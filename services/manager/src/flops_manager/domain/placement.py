"""Decide what goes where. Pure: the nodes, what is free on them and their data come in."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from flops_contracts.roles import Role
from flops_contracts.sla import DataSplit, Mode, ProjectSla, ResourceConstraints
from flops_manager.domain.deployments import MEMORY_MB
from flops_manager.domain.errors import NotPlaceableError
from flops_manager.domain.nodes import (
    BUILDER_ADDON,
    LEARNER_ADDON,
    Landscape,
    Node,
    PlacementMode,
    TagStats,
)
from flops_manager.domain.projects import Placement

_UNLISTED_HINT: Final = (
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


def place_project(sla: ProjectSla, landscape: Landscape) -> tuple[Placement, ...]:
    """Return where builder, aggregator and learners go; raise ``NotPlaceableError``."""
    if sla.training_configuration.mode is Mode.HIERARCHICAL:
        raise NotPlaceableError(
            "Hierarchical mode is not available yet.",
            hint="Set training_configuration.mode to classic.",
        )
    landscape = _eligible(landscape)
    builder = _roomiest(_nodes_with(landscape, BUILDER_ADDON, "imageBuilder"), Role.BUILDER)
    aggregator = _roomiest(landscape.nodes, Role.AGGREGATOR)
    learners = place_learners(sla, _without_room_for(aggregator, landscape))
    placements = (
        Placement(Role.BUILDER, builder.cluster, builder.name),
        Placement(Role.AGGREGATOR, aggregator.cluster, aggregator.name),
        *learners,
    )
    return without_nodes(placements) if landscape.mode is PlacementMode.ADDONS else placements


def place_learners(sla: ProjectSla, landscape: Landscape) -> tuple[Placement, ...]:
    """Spread the learners over the nodes that hold data, in proportion to their rows."""
    nodes = _nodes_with(landscape, LEARNER_ADDON, "FLOps")
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


def without_nodes(placements: Sequence[Placement]) -> tuple[Placement, ...]:
    """Leave the nodes to the orchestrator's scheduler; a learner's share is one of all then."""
    total = sum(1 for one in placements if one.role is Role.LEARNER)
    return tuple(
        replace(one, cluster="", node="", node_index=one.index, node_learners=total)
        for one in placements
    )


def place_mock(data_tag: str, landscape: Landscape) -> Placement:
    """Return the learner node that holds the fewest rows of the tag, so that mocks spread."""
    landscape = _eligible(landscape)
    nodes = _nodes_with(landscape, LEARNER_ADDON, "FLOps")

    def rows(node: Node) -> int:
        stats = landscape.data.get(node.label, {}).get(data_tag)
        return stats.rows if stats else 0

    answering = [one for one in nodes if one.label in landscape.data] or list(nodes)
    node = min(answering, key=rows)
    if landscape.mode is PlacementMode.ADDONS:
        return Placement(Role.MOCK_DATA_PROVIDER)
    return Placement(Role.MOCK_DATA_PROVIDER, node.cluster, node.name)


def _eligible(landscape: Landscape) -> Landscape:
    """Leave out what nothing can be placed on in the landscape's mode."""
    if not landscape.nodes:
        raise NotPlaceableError(
            "The orchestrator has no active cluster with a worker.",
            hint="Start a cluster and a NodeEngine, then retry the project.",
        )
    if landscape.mode is not PlacementMode.DIRECT:
        return landscape
    named = tuple(one for one in landscape.nodes if one.name)
    if not named:
        raise NotPlaceableError(
            "FLOPS_PLACEMENT is direct, but no cluster tells the names of its workers.",
            hint=_UNLISTED_HINT,
        )
    return replace(landscape, nodes=named)


def _without_room_for(aggregator: Node, landscape: Landscape) -> Landscape:
    """Take off what the aggregator will occupy while the learners run."""
    nodes = tuple(
        replace(one, memory_mb=one.memory_mb - MEMORY_MB[Role.AGGREGATOR])
        if one == aggregator and one.memory_mb is not None
        else one
        for one in landscape.nodes
    )
    return replace(landscape, nodes=nodes)


def _nodes_with(landscape: Landscape, addon: str, switch: str) -> tuple[Node, ...]:
    nodes = landscape.with_addon(addon)
    unlisted = sorted({one.cluster for one in landscape.nodes if not one.name})
    if not nodes and unlisted:
        raise NotPlaceableError(
            f"No active node is known to have the addon {addon}; of {', '.join(unlisted)} "
            "nobody tells which workers have it.",
            hint=_UNLISTED_HINT,
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
        raise NotPlaceableError(
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


def _roomiest(nodes: Sequence[Node], role: Role) -> Node:
    best = max(nodes, key=lambda one: (one.memory_mb or 0, one.vcpus or 0))
    needed = MEMORY_MB[role]
    if best.memory_mb is not None and best.memory_mb < needed:
        raise NotPlaceableError(
            f"The {role} needs {needed} MB of memory, but no node that could run it has more than "
            f"{best.memory_mb:.0f} MB free ({best.label}).",
            hint="Free memory or add nodes, then retry the project.",
        )
    return best


def _list(tags: Sequence[str]) -> str:
    return " or ".join(f"'{tag}'" for tag in tags)
