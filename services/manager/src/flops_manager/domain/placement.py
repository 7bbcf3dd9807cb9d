"""Deciding which service goes where, from the nodes, their free resources and their data."""

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
    """The placements below the root aggregator, and why the other clusters are left out."""

    placements: tuple[Placement, ...] = ()
    left_out: dict[str, NotPlaceableError] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """The clusters that take part."""
        return frozenset(place.cluster for place in self.placements)


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
    for name in sorted({node.cluster for node in landscape.nodes}):
        index = sum(place.role is Role.CLUSTER_AGGREGATOR for place in placed)
        try:
            own = _place_cluster(sla, _of_cluster(landscape, name))
        except NotPlaceableError as error:
            left_out[name] = error
            continue
        aggregator, learners = replace(own[0], index=index), own[1:]
        first = len(placed) - index
        placed += (aggregator, *(replace(place, index=first + place.index) for place in learners))
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
    """Return placements that leave the nodes to the scheduler; learners share all data then."""
    total = sum(place.role is Role.LEARNER for place in placements)
    return tuple(
        replace(place, cluster="", node="", node_index=place.index, node_learners=total)
        for place in placements
    )


def _within_clusters(placements: Sequence[Placement]) -> tuple[Placement, ...]:
    """Return the same within each cluster, whose learners share the cluster's data."""
    learners = Counter(place.cluster for place in placements if place.role is Role.LEARNER)
    seen: Counter[str] = Counter()
    free: list[Placement] = []
    for place in placements:
        index, total = seen[place.cluster], learners[place.cluster]
        seen[place.cluster] += place.role is Role.LEARNER
        free.append(replace(place, node="", node_index=index, node_learners=total))
    return tuple(free)


def _of_cluster(landscape: Landscape, name: str) -> Landscape:
    """Return one cluster by itself; it must report its data if any cluster does."""
    nodes = tuple(node for node in landscape.nodes if node.cluster == name)
    if landscape.data and not any(node.label in landscape.data for node in nodes):
        raise NotPlaceableError(
            "None of its data servers answers.",
            hint="Check whether its nodes have the addon FLOps-learner and can be reached.",
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

    answering = [node for node in nodes if node.label in landscape.data] or list(nodes)
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
    """Return the landscape without nodes that its mode cannot place services on."""
    if not landscape.nodes:
        raise NotPlaceableError(
            "The orchestrator has no active cluster with a worker.",
            hint="Start a cluster and a NodeEngine, then retry the project.",
        )
    if landscape.mode is not PlacementMode.DIRECT:
        return landscape
    named = tuple(node for node in landscape.nodes if node.name)
    if not named:
        raise NotPlaceableError(
            "FLOPS_PLACEMENT is direct, but no cluster reports the names of its workers.",
            hint=UNLISTED_HINT,
        )
    return replace(landscape, nodes=named)


def _without_room_for(aggregator: Node, landscape: Landscape, flavor: Flavor) -> Landscape:
    """Return the landscape without the memory that the aggregator will need beside learners."""
    needed = memory_mb(Role.AGGREGATOR, flavor)
    nodes = tuple(
        replace(node, memory_mb=node.memory_mb - needed)
        if node == aggregator and node.memory_mb is not None
        else node
        for node in landscape.nodes
    )
    return replace(landscape, nodes=nodes)


def _roomiest(nodes: Sequence[Node], role: Role, flavor: Flavor) -> Node:
    best = max(nodes, key=lambda node: (node.memory_mb or 0, node.vcpus or 0))
    needed = memory_mb(role, flavor)
    if best.memory_mb is not None and best.memory_mb < needed:
        raise NoRoomError(
            f"The {role} needs {needed} MB of memory, but no node that could run it has more than "
            f"{best.memory_mb:.0f} MB free ({best.label}).",
            hint="Free memory or add nodes, then retry the project.",
        )
    return best
