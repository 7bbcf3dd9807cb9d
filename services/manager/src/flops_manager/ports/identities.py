"""The services behind published ports: a node may forward a port to the wrong one."""

from typing import Protocol


class Identities(Protocol):
    """Asks published services for their names."""

    def instance_at(self, url: str) -> str:
        """Return the service name of what answers at ``url``.

        Empty if nothing answers there that tells its name: the manager may not reach the node, and
        servers of FLOps 0.2 do not tell.
        """
