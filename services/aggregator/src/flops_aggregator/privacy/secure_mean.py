"""Secure aggregation: the aggregator's side, over a grid (see ``flops_grid.secure``).

Train replies have keys instead of parameters. When all have arrived, three exchanges follow: all
keys for encrypted shares, these for masked updates, which are summed as they arrive, and the list
of survivors for the shares that unmask the sum. A client that fails in one of them has dropped out.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict

from flops_aggregator.replies.checks import unusable
from flops_aggregator.replies.requests import Clients
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
from flops_grid.secure.fixed_point import from_steps, steps_for
from flops_grid.secure.graph import PublicKeys
from flops_grid.secure.server import SecureServer, TooFewClientsError
from flops_grid.secure.updates import MASK, OPEN, SECURE, SHARE, bound_of
from flops_grid.updates.clipping import Draw, is_clipped

HINT: Final = "See the learners' own failures and logs, or lower threshold."


class SecureMean:
    """For updates of ``sent``; ``spread`` is the standard deviation of noise added to their sum.

    Updates are weighted by samples, or equally where there is noise. ``timeout_seconds`` is for
    each exchange. ``left_out`` are the clients that dropped out, each with the reason.
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
        self._has_equal_weights = privacy.differential_privacy is not None
        self._bound = bound_of(privacy)
        self._timeout_seconds = timeout_seconds
        self._draw = draw
        self._spread = spread
        self._keys: dict[int, PublicKeys] = {}
        self._samples: dict[int, float] = {}
        self.left_out: dict[str, str] = {}

    def take(self, reply: Message) -> Message:
        """Take a good reply's keys, and return the reply without them, or an error."""
        metrics, keys = metrics_in(reply.content), reply.content.get(SECURE)
        if metrics is None or not isinstance(keys, ConfigRecord):
            return unusable(reply, "the reply has no keys for secure aggregation")
        seal, mask = keys.get("seal"), keys.get("mask")
        if not isinstance(seal, bytes) or not isinstance(mask, bytes):
            return unusable(reply, "the reply's keys for secure aggregation are not bytes")
        node_id = reply.metadata.src_node_id
        self._keys[node_id] = PublicKeys(seal, mask)
        self._samples[node_id] = float(metrics[SAMPLES])  # type: ignore[arg-type] # it was checked
        reply.content = RecordDict({METRICS: metrics})
        return reply

    def mean(self) -> ArrayRecord:
        """Return the sent parameters plus the mean update, plus noise if there is any.

        Raises ``TooFewClientsError`` with the clients that dropped out.
        """
        try:
            return self._mean()
        except TooFewClientsError as error:
            listed = "".join(
                f"; {name}: {reason}" for name, reason in sorted(self.left_out.items())
            )
            raise TooFewClientsError(f"{error.reason}{listed}"[:4000], hint=HINT) from error

    def _mean(self) -> ArrayRecord:
        # Sorted by their keys, which are random: no client can choose its neighbours.
        nodes = sorted(self._keys, key=lambda node: self._keys[node].mask)
        keys = [self._keys[node] for node in nodes]
        server = SecureServer(keys, self._promise.threshold)
        routed = server.route_shares(self._shared(nodes, keys))
        total, survivors = self._masked_sum(nodes, routed)
        server.check_survivors(survivors)
        shares = self._revealed(nodes, survivors)
        server.unmask(survivors, shares, [array.values for array in total.values()])
        weight = sum(self._weight(nodes[number]) for number in survivors)
        return self._moved(total, steps_for(len(nodes)), weight)

    def _shared(self, nodes: list[int], keys: list[PublicKeys]) -> dict[int, dict[int, bytes]]:
        config = {"seals": [key.seal for key in keys], "masks": [key.mask for key in keys]}
        configs = dict.fromkeys(range(len(nodes)), config)
        return self._pairs_from(SHARE, nodes, configs, ("to", "sealed"))

    def _masked_sum(
        self, nodes: list[int], routed: Mapping[int, Mapping[int, bytes]]
    ) -> tuple[dict[str, EmptyArray], set[int]]:
        """Return the sum of the masked updates, and the numbers of the clients in it."""
        configs = {
            to: {"by": list(shares), "sealed": list(shares.values()), "largest": self._largest}
            for to, shares in routed.items()
        }
        memory = memory_for(self._sent)
        total = {
            key: EmptyArray(tuple(array.shape), np.dtype(np.uint32), memory)
            for key, array in self._sent.items()
            if is_clipped(array)
        }
        survivors = set()
        for number, content in self._replies(MASK, nodes, configs):
            if self._add(total, arrays_of(content)):
                survivors.add(number)
            else:
                self._drop_out(nodes[number], "its masked update has other parameters")
        return total, survivors

    def _revealed(self, nodes: list[int], survivors: set[int]) -> dict[int, dict[int, bytes]]:
        config = {"alive": sorted(survivors)}
        configs = dict.fromkeys(config["alive"], config)
        return self._pairs_from(OPEN, nodes, configs, ("of", "shares"))

    def _pairs_from(
        self,
        action: str,
        nodes: list[int],
        configs: Mapping[int, Mapping[str, Any]],
        keys: tuple[str, str],
    ) -> dict[int, dict[int, bytes]]:
        """Return the shares in each client's reply, which are under these ``keys`` of it."""
        shares = {}
        for number, content in self._replies(action, nodes, configs):
            pairs = _pairs(content, *keys)
            if pairs is None:
                self._drop_out(nodes[number], "it sent no shares")
            else:
                shares[number] = pairs
        return shares

    def _replies(
        self, action: str, nodes: list[int], configs: Mapping[int, Mapping[str, Any]]
    ) -> Iterator[tuple[int, RecordDict]]:
        """Send a config to each of some clients, by number; give the contents of the replies."""
        messages = [
            Message(
                RecordDict({CONFIG: ConfigRecord(dict(config))}), nodes[number], f"query.{action}"
            )
            for number, config in configs.items()
        ]
        silent = {nodes[number] for number in configs}
        for reply in self._clients.send_and_receive(messages, timeout=self._timeout_seconds):
            node = reply.metadata.src_node_id
            silent.discard(node)
            if reply.has_content():
                yield nodes.index(node), reply.content
            else:
                self._drop_out(node, LearnerError.from_text(reply.error.reason).reason)
        for node in silent:
            self._drop_out(node, f"no reply within {self._timeout_seconds:g} s")

    def _drop_out(self, node: int, reason: str) -> None:
        self.left_out[self._clients.name_of(node)] = reason

    def _add(self, total: Mapping[str, EmptyArray], masked: ArrayRecord | None) -> bool:
        """Add a masked update to the sum; return whether it has the same parameters."""
        if masked is None or set(masked) != set(total):
            return False
        try:
            values = {key: array_view(array) for key, array in masked.items()}
        except (TypeError, ValueError, EOFError):
            return False
        if any(
            array.dtype != np.uint32 or array.shape != total[key].values.shape
            for key, array in values.items()
        ):
            return False
        for key, array in values.items():
            for into, added in zip(pieces(total[key].values), pieces(array), strict=True):
                np.add(into, added, out=into)
                del into
        return True

    def _moved(self, total: dict[str, EmptyArray], steps: int, weight: float) -> ArrayRecord:
        let_go(self._sent)
        memory, mean = memory_for(self._sent), dict[str, Array]()
        for key, array in self._sent.items():
            if not is_clipped(array):
                mean[key] = array
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
            mean[key] = whole.finished()
        return record_of(mean)

    @property
    def _largest(self) -> float:
        return max(self._samples.values())

    def _weight(self, node: int) -> float:
        return 1.0 if self._has_equal_weights else self._samples[node] / self._largest


def _pairs(content: RecordDict, numbers: str, values: str) -> dict[int, bytes] | None:
    """Return a client's shares by the other clients' numbers, or None if they are malformed."""
    record = content.get(SECURE)
    if not isinstance(record, ConfigRecord):
        return None
    keys, listed = record.get(numbers), record.get(values)
    if not isinstance(keys, list) or not isinstance(listed, list) or len(keys) != len(listed):
        return None
    pairs = {key: it for key, it in zip(keys, listed, strict=True) if isinstance(it, bytes)}
    is_right = len(pairs) == len(keys) and all(isinstance(key, int) for key in pairs)
    return pairs if is_right else None  # type: ignore[return-value] # the keys are integers
