"""Hints for services that the orchestrator does not place."""

from typing import Final

_REFUSED: Final = {
    "TargetClusterNotFound": "The cluster left the orchestrator; retry, to place it again.",
    "TargetClusterNotActive": (
        "The chosen cluster has not reported for 30 s; start it again, or retry, to place it again."
    ),
    "TargetClusterNoCapacity": (
        "The chosen cluster is full by now; free memory or vcpus there, ask for less in "
        "resource_constraints, or retry, to place it again."
    ),
    "NoActiveClusterWithCapacity": (
        "No cluster has the memory and vcpus; free some, add nodes, or ask for less in "
        "resource_constraints, then retry."
    ),
    "NO_QUALIFIED_WORKER_FOUND": (
        "No worker has the addon that is asked for; switch it on with 'NodeEngine config addon', "
        "then retry."
    ),
}

NODE_SCHEDULED: Final = "NODE_SCHEDULED"
"""The status of a service whose node is decided, but does not run it yet."""

_SILENT: Final = {
    "CLUSTER_SCHEDULED": (
        "The cluster found no node: it is full or gone, which the orchestrator never reports. "
        "Look at the cluster's scheduler, or retry, to place it again."
    ),
    NODE_SCHEDULED: (
        "The node has it, but does not start it: it may still pull the image; "
        "look at its NodeEngine."
    ),
}


def hint_when_refused(status: str) -> str:
    """Return what helps against a scheduler's refusal."""
    return _REFUSED.get(status, "Free resources or add nodes, then retry.")


def hint_when_silent(status: str) -> str:
    """Return where to look for a service that gets no further."""
    return _SILENT.get(
        status, "The orchestrator's scheduler gives no answer; look at its logs, then retry."
    )
