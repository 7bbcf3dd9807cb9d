"""Decide what goes where. Pure: the nodes, what is free on them and their data come in."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from flops_contracts.roles import Role
from flops_contracts.sla import Flavor, ProjectSla
from flops_manager.domain.deployments import memory_mb
from flops_manager.domain.errors import NoRoomError, NotPlaceableError
from flops_manager.domain.learner_nodes import UNLISTED_HINT, nodes_with, place_learners
from flops_manager.domain.nodes import (
    BUILDER_ADDON,
    LEARNER_ADDON,
    Landscape,
    Node,
    PlacementMode,
)
from flops_manager.domain.subjects import Placement


@dataclass(frozen=True)
class Clusters:
    """What goes where below the root aggregator, and why the other clusters take no part."""

    placements: tuple[Placement, ...] = ()
    left_out: dict[str, NotPlaceableError] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """The clusters that take part."""
        return frozenset(one.cluster for one in self.placements)


def place_project(sla: ProjectSla, landscape: Landscape) -> tuple[Placement, ...]:
    """Return where builder, aggregators and learners go; raise ``NotPlaceableError``."""
    landscape = _eligible(landscape)
    flavor = sla.ml_model_flavor
    builder = _roomiest(nodes_with(landscape, BUILDER_ADDON, "imageBuilder"), Role.BUILDER, flavor)
    aggregator = _roomiest(landscape.nodes, Role.AGGREGATOR, flavor)
    placements = (
        Placement(Role.BUILDER, builder.cluster, builder.name),
        Placement(Role.AGGREGATOR, aggregator.cluster, aggregator.name),
    )
    landscape = _without_room_for(aggregator, landscape, flavor)
    if sla.training_configuration.is_hierarchical:
        below = _enough(sla, place_clusters(sla, landscape)).placements
    else:
        below = place_learners(sla, landscape)
    if landscape.mode is not PlacementMode.ADDONS:
        return placements + below
    if sla.training_configuration.is_hierarchical:
        return without_nodes(placements) + _within_clusters(below)
    return without_nodes(placements + below)


def place_clusters(sla: ProjectSla, landscape: Landscape) -> Clusters:
    """Place an aggregator and all its learners in each cluster that has the data and the room."""
    placed: tuple[Placement, ...] = ()
    left_out: dict[str, NotPlaceableError] = {}
    for name in sorted({one.cluster for one in landscape.nodes}):
        index = sum(1 for one in placed if one.role is Role.CLUSTER_AGGREGATOR)
        try:
            own = _place_cluster(sla, _of_cluster(landscape, name))
        except NotPlaceableError as error:
            left_out[name] = error
            continue
        aggregator, learners = replace(own[0], index=index), own[1:]
        first = len(placed) - index
        placed += (aggregator, *(replace(one, index=first + one.index) for one in learners))
    return Clusters(placed, left_out)


def left_out(sla: ProjectSla, landscape: Landscape) -> tuple[str, ...]:
    """Return a sentence for each active cluster that takes no part in a hierarchical training."""
    if not sla.training_configuration.is_hierarchical:
        return ()
    clusters = place_clusters(sla, _eligible(landscape))
    return tuple(
        f"The cluster {name} is left out. {error.reason}"
        for name, error in clusters.left_out.items()
    )


def without_nodes(placements: Sequence[Placement]) -> tuple[Placement, ...]:
    """Leave the nodes to the orchestrator's scheduler; a learner's share is one of all then."""
    total = sum(1 for one in placements if one.role is Role.LEARNER)
    return tuple(
        replace(one, cluster="", node="", node_index=one.index, node_learners=total)
        for one in placements
    )


def _within_clusters(placements: Sequence[Placement]) -> tuple[Placement, ...]:
    """Leave the nodes of each cluster to the scheduler; shares are among the cluster's learners."""
    learners = Counter(one.cluster for one in placements if one.role is Role.LEARNER)
    seen: Counter[str] = Counter()
    free: list[Placement] = []
    for one in placements:
        index = seen[one.cluster]
        seen[one.cluster] += one.role is Role.LEARNER
        free.append(replace(one, node="", node_index=index, node_learners=learners[one.cluster]))
    return tuple(free)


def _of_cluster(landscape: Landscape, name: str) -> Landscape:
    """Return one cluster by itself; it must tell of its data if any cluster does."""
    nodes = tuple(one for one in landscape.nodes if one.cluster == name)
    if landscape.data and not any(one.label in landscape.data for one in nodes):
        raise NotPlaceableError(
            "None of its data servers answers.",
            hint="See whether its nodes have the addon FLOps-learner and can be reached.",
        )
    return replace(landscape, nodes=nodes)


def _place_cluster(sla: ProjectSla, cluster: Landscape) -> tuple[Placement, ...]:
    """Return the places of a cluster's aggregator, first, and of its learners."""
    aggregator = _roomiest(cluster.nodes, Role.CLUSTER_AGGREGATOR, sla.ml_model_flavor)
    learners = place_learners(sla, _without_room_for(aggregator, cluster, sla.ml_model_flavor))
    return (
        Placement(Role.CLUSTER_AGGREGATOR, aggregator.cluster, aggregator.name),
        *learners,
    )


def _enough(sla: ProjectSla, clusters: Clusters) -> Clusters:
    needed = sla.training_configuration.min_clusters
    if len(clusters.names) >= needed:
        return clusters
    reasons = " ".join(f"{name}: {error.reason}" for name, error in clusters.left_out.items())
    hints = [error.hint for error in clusters.left_out.values() if error.hint]
    is_full = any(isinstance(error, NoRoomError) for error in clusters.left_out.values())
    raise (NoRoomError if is_full else NotPlaceableError)(
        f"Hierarchical training needs at least {needed} of the clusters, "
        f"but {len(clusters.names)} can take part. {reasons}",
        hint=hints[0] if hints else "Start more clusters, or lower min_clusters.",
    )


def place_mock(data_tag: str, count: int, landscape: Landscape) -> tuple[Placement, ...]:
    """Return the learner nodes that hold the fewest rows of the tag, so that mocks spread.

    Raises ``NotPlaceableError`` where there are fewer than ``count``.
    """
    landscape = _eligible(landscape)
    nodes = nodes_with(landscape, LEARNER_ADDON, "FLOps")

    def rows(node: Node) -> int:
        stats = landscape.data.get(node.label, {}).get(data_tag)
        return stats.rows if stats else 0

    answering = [one for one in nodes if one.label in landscape.data] or list(nodes)
    if len(answering) < count:
        raise NotPlaceableError(
            f"The mock SLA asks for {count} nodes, but only {len(answering)} can take data.",
            hint="Ask for fewer nodes, or add nodes with the addon FLOps-learner.",
        )
    role = Role.MOCK_DATA_PROVIDER
    if landscape.mode is PlacementMode.ADDONS:
        return tuple(Placement(role, index=index) for index in range(count))
    chosen = sorted(answering, key=rows)[:count]
    return tuple(
        Placement(role, node.cluster, node.name, index) for index, node in enumerate(chosen)
    )


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
            hint=UNLISTED_HINT,
        )
    return replace(landscape, nodes=named)


def _without_room_for(aggregator: Node, landscape: Landscape, flavor: Flavor) -> Landscape:
    """Take off what the aggregator will occupy while the learners run."""
    needed = memory_mb(Role.AGGREGATOR, flavor)
    nodes = tuple(
        replace(one, memory_mb=one.memory_mb - needed)
        if one == aggregator and one.memory_mb is not None
        else one
        for one in landscape.nodes
    )
    return replace(landscape, nodes=nodes)


def _roomiest(nodes: Sequence[Node], role: Role, flavor: Flavor) -> Node:
    best = max(nodes, key=lambda one: (one.memory_mb or 0, one.vcpus or 0))
    needed = memory_mb(role, flavor)
    if best.memory_mb is not None and best.memory_mb < needed:
        raise NoRoomError(
            f"The {role} needs {needed} MB of memory, but no node that could run it has more than "
            f"{best.memory_mb:.0f} MB free ({best.label}).",
            hint="Free memory or add nodes, then retry the project.",
        )
    return best
