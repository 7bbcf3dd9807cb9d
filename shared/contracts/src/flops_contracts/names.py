"""Names at the orchestrator: derived, so that deploying twice finds the first.

Oakestra takes ``^[a-zA-Z0-9]{1,30}$`` for all four names of a service.
"""

from hashlib import sha256
from typing import Final

from flops_contracts.roles import Role

OBSERVATORY: Final = "observatory"
HELPER: Final = "helper"

IMAGE_PREFIX: Final = "ghcr.io/oakestra/addon-flops"
"""What the references of FLOps' own images begin with, unless an operator moved them."""

_SHORT: Final = {
    Role.MANAGER: "man",
    Role.BUILDER: "bld",
    Role.LEARNER: "lrn",
    Role.AGGREGATOR: "agg",
    Role.CLUSTER_AGGREGATOR: "cag",
    Role.OBSERVER: "obs",
    Role.TRACKING_SERVER: "trk",
    Role.MODEL_SERVER: "mdl",
    Role.MOCK_DATA_PROVIDER: "mdp",
}


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]


def project_application(project_id: str) -> str:
    """Return the name of the application that holds a project's builder and actors."""
    return f"proj{project_id}"


def customer_namespace(customer: str) -> str:
    """Return the namespace of a customer's observatory and helper; names are global at the root."""
    return f"c{_digest(customer)}"


def service_name(subject_id: str, role: Role, part: str = "") -> str:
    """Return the service name of ``role`` for a project, mock or customer.

    ``part`` tells apart what a subject has several of: a learner's number, a build's kind.
    """
    return f"{_SHORT[role]}{part}x{_digest(f'{subject_id}/{role}/{part}')}"
