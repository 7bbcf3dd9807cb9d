"""The mean of updates that nobody but their learners sees: the aggregator's side, over a grid.

Train replies have keys and no parameters. When all are there, three short exchanges follow: the
keys of all for sealed shares, these for hidden updates, which are summed as they come, and who is
lost for the shares that open the sum. Who does not answer one of them is left out of the rest.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict

from flops_aggregator.replies.asking import Clients
from flops_aggregator.replies.checks import unusable
from flops_contracts.privacy import Privacy, SecureAggregation
from flops_grid.errors import LearnerError
from flops_grid.messages.file_memory import let_go, memory_for
from flops_grid.messages.records import (
    CONFIG,
    METRICS,
    SAMPLES,
    EmptyArray,
    array_view,
    arrays_of,
    metrics_in,
    pieces,
    record_of,
)
from flops_grid.secure.circle import PublicKeys
from flops_grid.secure.fixed_point import from_steps, steps_for
from flops_grid.secure.leader import Leader, TooFewMembersError
from flops_grid.secure.updates import MASK, OPEN, SECURE, SHARE, bound_of
from flops_grid.updates.clipping import Draw, is_clipped

HINT: Final = "See the learners' own failures and logs, or lower threshold."


class SecureMean:
    """Over updates of ``sent``; ``spread`` is the deviation of noise that is added to their sum.

    Updates count by samples, or alike where there is noise. An exchange takes ``timeout_seconds``
    at most.
    """

    def __init__(
        self,
        sent: ArrayRecord,
        clients: Clients,
        privacy: Privacy,
        timeout_seconds: float,
        draw: Draw,
        spread: float = 0.0,
    ) -> None:
        self._sent = sent
        self._clients = clients
        self._promise = privacy.secure_aggregation or SecureAggregation()
        self._counts_alike = privacy.differential_privacy is not None
        self._bound = bound_of(privacy)
        self._timeout_seconds = timeout_seconds
        self._draw = draw
        self._spread = spread
        self._keys: dict[int, PublicKeys] = {}
        self._samples: dict[int, float] = {}
        self.left_out: dict[str, str] = {}

    def take(self, reply: Message) -> Message:
        """Note a checked reply's keys, and return the reply without them, or why it has none."""
        if not reply.has_content():
            return reply
        metrics, told = metrics_in(reply.content), reply.content.get(SECURE)
        if metrics is None or not isinstance(told, ConfigRecord):
            return unusable(reply, "the answer has no keys of a secure aggregation")
        seal, mask = told.get("seal"), told.get("mask")
        if not isinstance(seal, bytes) or not isinstance(mask, bytes):
            return unusable(reply, "the answer's keys of a secure aggregation are none")
        member = reply.metadata.src_node_id
        self._keys[member] = PublicKeys(seal, mask)
        self._samples[member] = float(metrics[SAMPLES])  # type: ignore[arg-type] # it was checked
        reply.content = RecordDict({METRICS: metrics})
        return reply

    def mean(self) -> ArrayRecord:
        """Return what was sent plus the mean update, and noise if there is to be any.

        Raises ``TooFewMembersError`` with who was lost, and why.
        """
        try:
            return self._mean()
        except TooFewMembersError as error:
            listed = "".join(f"; {name}: {why}" for name, why in sorted(self.left_out.items()))
            raise TooFewMembersError(f"{error.reason}{listed}"[:4000], hint=HINT) from error

    def _mean(self) -> ArrayRecord:
        # By their keys, which are random: nobody chooses who is whose neighbour.
        nodes = sorted(self._keys, key=lambda one: self._keys[one].mask)
        members = [self._keys[node] for node in nodes]
        leader = Leader(members, self._promise.threshold)
        passed_on = leader.passed_on(self._sealed(nodes, members))
        total, alive = self._hidden(nodes, passed_on)
        leader.check_alive(alive)
        shares = self._opened(nodes, alive)
        leader.unmask(alive, shares, [one.values for one in total.values()])
        weight = sum(self._weight(nodes[one]) for one in alive)
        return self._moved(total, steps_for(len(nodes)), weight)

    def _sealed(self, nodes: list[int], members: list[PublicKeys]) -> dict[int, dict[int, bytes]]:
        told = {
            "seals": [one.seal for one in members],
            "masks": [one.mask for one in members],
        }
        return self._given(SHARE, nodes, dict.fromkeys(range(len(nodes)), told), ("to", "sealed"))

    def _hidden(
        self, nodes: list[int], passed_on: Mapping[int, Mapping[int, bytes]]
    ) -> tuple[dict[str, EmptyArray], set[int]]:
        """Return the sum of the hidden updates, and whose are in it."""
        told = {
            one: {"by": list(boxes), "sealed": list(boxes.values()), "largest": self._largest}
            for one, boxes in passed_on.items()
        }
        memory = memory_for(self._sent)
        total = {
            key: EmptyArray(tuple(array.shape), np.dtype(np.uint32), memory)
            for key, array in self._sent.items()
            if is_clipped(array)
        }
        alive = set()
        for number, content in self._asked(MASK, nodes, told):
            if self._add(total, arrays_of(content)):
                alive.add(number)
            else:
                self._lose(nodes[number], "its hidden update has other parameters")
        return total, alive

    def _opened(self, nodes: list[int], alive: set[int]) -> dict[int, dict[int, bytes]]:
        told = {"alive": sorted(alive)}
        return self._given(OPEN, nodes, dict.fromkeys(told["alive"], told), ("of", "shares"))

    def _given(
        self,
        action: str,
        nodes: list[int],
        told: Mapping[int, Mapping[str, Any]],
        keys: tuple[str, str],
    ) -> dict[int, dict[int, bytes]]:
        """Return by members what each of them says of others, under these keys of its answer."""
        found = {}
        for number, content in self._asked(action, nodes, told):
            given = _pairs(content, *keys)
            if given is None:
                self._lose(nodes[number], "it gave no shares")
            else:
                found[number] = given
        return found

    def _asked(
        self, action: str, nodes: list[int], told: Mapping[int, Mapping[str, Any]]
    ) -> Iterator[tuple[int, RecordDict]]:
        """Ask members by their numbers; give what each answers."""
        messages = [
            Message(
                RecordDict({CONFIG: ConfigRecord(dict(content))}), nodes[number], f"query.{action}"
            )
            for number, content in told.items()
        ]
        silent = {nodes[number] for number in told}
        for reply in self._clients.send_and_receive(messages, timeout=self._timeout_seconds):
            node = reply.metadata.src_node_id
            silent.discard(node)
            if reply.has_content():
                yield nodes.index(node), reply.content
            else:
                self._lose(node, LearnerError.from_text(reply.error.reason).reason)
        for node in silent:
            self._lose(node, f"no answer within {self._timeout_seconds:g} s")

    def _lose(self, node: int, why: str) -> None:
        self.left_out[self._clients.name_of(node)] = why

    def _add(self, total: Mapping[str, EmptyArray], hidden: ArrayRecord | None) -> bool:
        """Add one hidden update to the sum, if it is one."""
        if hidden is None or set(hidden) != set(total):
            return False
        try:
            values = {key: array_view(array) for key, array in hidden.items()}
        except (TypeError, ValueError, EOFError):
            return False
        if any(
            one.dtype != np.uint32 or one.shape != total[key].values.shape
            for key, one in values.items()
        ):
            return False
        for key, one in values.items():
            for into, added in zip(pieces(total[key].values), pieces(one), strict=True):
                np.add(into, added, out=into)
                del into
        return True

    def _moved(self, total: dict[str, EmptyArray], steps: int, weight: float) -> ArrayRecord:
        let_go(self._sent)
        memory, found = memory_for(self._sent), dict[str, Array]()
        for key, array in self._sent.items():
            if not is_clipped(array):
                found[key] = array
                continue
            before, summed = array_view(array), total.pop(key).values
            whole = EmptyArray(before.shape, np.promote_types(array.dtype, np.float32), memory)
            for into, was, numbers in zip(
                pieces(whole.values), pieces(before), pieces(summed), strict=True
            ):
                change = from_steps(numbers, self._bound, steps)
                if self._spread:
                    change += self._draw.standard_normal(change.shape) * self._spread
                np.add(was, change / weight, out=into, casting="same_kind")
                del into
            found[key] = whole.finished()
        return record_of(found)

    @property
    def _largest(self) -> float:
        return max(self._samples.values())

    def _weight(self, node: int) -> float:
        return 1.0 if self._counts_alike else self._samples[node] / self._largest


def _pairs(content: RecordDict, numbers: str, values: str) -> dict[int, bytes] | None:
    """Return what a member says of others by their numbers, None for what it may not say."""
    told = content.get(SECURE)
    if not isinstance(told, ConfigRecord):
        return None
    keys, listed = told.get(numbers), told.get(values)
    if not isinstance(keys, list) or not isinstance(listed, list) or len(keys) != len(listed):
        return None
    found = {key: one for key, one in zip(keys, listed, strict=True) if isinstance(one, bytes)}
    is_right = len(found) == len(keys) and all(isinstance(key, int) for key in found)
    return found if is_right else None  # type: ignore[return-value] # the keys are whole numbers
