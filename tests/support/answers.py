"""All replies of a grid at once, for tests that want to look at them together."""

from collections.abc import Sequence

from flwr.app import Message

from flops_grid.server.grid import StreamGrid


def answers(grid: StreamGrid, messages: Sequence[Message], timeout: float) -> list[Message]:
    return list(grid.send_and_receive(messages, timeout=timeout))
