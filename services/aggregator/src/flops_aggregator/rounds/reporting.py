"""Collects the facts of the round that is under way, and reports them."""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from flwr.app import ArrayRecord, Message

from flops_aggregator.metrics import REPLIES
from flops_aggregator.replies.checks import metrics_of
from flops_aggregator.replies.requests import Clients
from flops_aggregator.rounds.causes import too_few
from flops_aggregator.rounds.place import Place
from flops_aggregator.rounds.progress import Evaluated, Round, RoundWatch
from flops_contracts.events import BYTES_DOWN, BYTES_UP, RoundCompleted, RoundStarted
from flops_contracts.orders import TrainOrder
from flops_grid.errors import LearnerError
from flops_runtime import tracing


class RoundReporter:
    """Reports to ``watch``; ``round`` is the current round, ``history`` those that are completed.

    The rows of the clients are left out of the history.
    """

    def __init__(
        self,
        training: TrainOrder,
        clients: Clients,
        watch: RoundWatch,
        place: Place,
        done: int = 0,
        history: Iterable[RoundCompleted] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._training = training
        self._clients = clients
        self._watch = watch
        self._place = place
        self._clock = clock
        self.round = Round(done)
        self.history = list(history)

    @property
    def title(self) -> str:
        """The name of the current round in messages for people."""
        if self.round.is_evaluation_only:
            return f"the evaluation after cycle {self._place.cycle}"
        return f"{'cycle' if self._clients.has_aggregators() else 'round'} {self.round.number}"

    @property
    def exchange(self) -> int:
        """The number of the round over all cycles, from 1."""
        return self._place.exchange(self.round.number, self._training.rounds)

    @property
    def cycle(self) -> int:
        """The cycle that the round belongs to; over aggregators, each round is one."""
        return self.exchange if self._clients.has_aggregators() else self._place.cycle or 1

    @property
    def _peers(self) -> str:
        return "clusters" if self._clients.has_aggregators() else "learners"

    def begin(self, number: int, arrays: ArrayRecord, *, is_evaluation_only: bool = False) -> None:
        """Forget the last round, and measure from now on."""
        self.round = Round(number, self._clock(), self._clients.moved(), arrays, is_evaluation_only)

    def started(self) -> None:
        """Report that the round starts, now that there are enough clients."""
        self.round.span = tracing.begin(self.title)
        rounds, is_cycle = self._training.rounds, self._clients.has_aggregators()
        self._watch.round_started(RoundStarted(self.round.number, rounds, self.cycle, is_cycle))

    def sending(self, messages: Iterable[Message]) -> list[Message]:
        """Note whom the messages go to; return them."""
        listed = list(messages)
        node_ids = [message.metadata.dst_node_id for message in listed]
        self.round.recipients = set(map(self._clients.name_of, node_ids))
        return listed

    def good_replies(
        self,
        replies: list[Message],
        verb: str,
        minimum: int,
        left_out: Mapping[str, LearnerError],
    ) -> dict[str, dict[str, float]]:
        """Return the metrics of each good reply by its client; note why the others failed.

        Raises what ``too_few`` returns for fewer than ``minimum``; ``left_out`` are the clients
        that were not asked.
        """
        good: dict[str, dict[str, float]] = {}
        errors: dict[str, LearnerError] = {}
        for reply in replies:
            name = self._clients.name_of(reply.metadata.src_node_id)
            if reply.has_error():
                errors[name] = LearnerError.from_text(reply.error.reason)
            else:
                good[name] = metrics_of(reply)
        errors |= self._late(good, errors)
        for name, metrics in good.items():
            if odd := [key for key, value in metrics.items() if not math.isfinite(value)]:
                self.round.errors[name] = LearnerError(f"{' and '.join(odd)} is not a number")
        self.round.errors.update(errors)
        if len(good) < minimum:
            raise self.too_few(
                f"{self.title}: {len(good)} of at least {minimum} {self._peers} could {verb}",
                {**left_out, **errors},
            )
        if errors:
            self._notice(f" goes on without some to {verb}.", errors)
        return good

    def dropped_out(self, reasons: Mapping[str, str]) -> None:
        """Report the clients that dropped out while a secure sum was unmasked, with the reason."""
        errors = {name: LearnerError(reason) for name, reason in reasons.items()}
        self.round.errors |= errors
        if errors:
            self._notice(": dropped out while the secure sum was unmasked.", errors)

    def notice(self, message: str) -> None:
        """Report something that the user should know."""
        self._watch.noticed(message)

    def completed(self, result: Evaluated, privacy: Mapping[str, float]) -> None:
        """Report that the round is over; ``privacy`` are the metrics of its protection."""
        this, moved = self.round, self._clients.moved() - self.round.moved
        completed = RoundCompleted(
            round=this.number,
            rounds=self._training.rounds,
            loss=result.loss,
            accuracy=result.accuracy,
            seconds=self._clock() - this.began,
            cycle=self.cycle,
            metrics={
                "learners": float(len(this.fits)),
                "samples": this.samples,
                "fit_seconds": this.fit_seconds,
                BYTES_DOWN: float(moved.down),
                BYTES_UP: float(moved.up),
                **privacy,
            },
            learners=this.rows,
            is_cycle=self._clients.has_aggregators(),
        )
        self.history.append(replace(completed, learners=()))
        self._watch.round_completed(completed)
        this.span.end()

    def missing(
        self, needed: int, node_ids: list[int], left_out: Mapping[str, LearnerError]
    ) -> Exception:
        """Return the error of a round that cannot start: only ``node_ids`` are connected."""
        names = ", ".join(sorted(map(self._clients.name_of, node_ids))) or "nobody"
        return self.too_few(
            f"{self.title} needs {needed} {self._peers}; after "
            f"{self._training.return_timeout_seconds:g} s only {len(node_ids)} were there: {names}",
            left_out,
        )

    def too_few(self, problem: str, errors: Mapping[str, LearnerError]) -> Exception:
        """Return the error that ends the training, with the cause among ``errors``."""
        return too_few(problem, errors, self._place, self.round.number)

    def _late(self, *replied: Mapping[str, object]) -> dict[str, LearnerError]:
        """Return an error for each client that did not reply, unless enough others did."""
        late = self.round.recipients.difference(*replied)
        if 0 < self._training.take_first <= len(replied[0]):
            self.round.surplus |= late
            REPLIES.labels("spare").inc(len(late))
            return {}
        REPLIES.labels("late").inc(len(late))
        timeout = self._training.round_timeout_seconds
        return {name: LearnerError(f"no reply within {timeout:g} s") for name in late}

    def _notice(self, problem: str, errors: Mapping[str, LearnerError]) -> None:
        listed = "; ".join(f"{name}: {error}" for name, error in sorted(errors.items()))
        self.notice(f"{self.title}{problem} {listed}"[:4000])
