"""The services behind published ports, in memory."""


class MemoryIdentities:
    """Nothing tells its name, except the services that a test puts in by URL."""

    def __init__(self) -> None:
        self.instances: dict[str, str] = {}
        self.requests: list[str] = []

    def instance_at(self, url: str) -> str:
        """Return what was put in."""
        self.requests.append(url)
        return self.instances.get(url, "")
