"""The errors between an aggregator and its clients."""

import json
from dataclasses import asdict, dataclass

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode


class WireError(FlopsError):
    """Malformed bytes; the receiver ends that connection."""


class AggregatorUnreachableError(FlopsError):
    """The aggregator did not answer for too long, or refuses this learner."""

    exit_code = ExitCode.AGGREGATOR_UNREACHABLE


class UserCodeError(FlopsError):
    """Code of the ML repository raised, or returned something of the wrong type."""

    exit_code = ExitCode.USER_CODE_FAILED


class BudgetSpentError(FlopsError):
    """Another round would spend more of the learners' privacy than was promised."""

    exit_code = ExitCode.BUDGET_SPENT


class CalledOffError(FlopsError):
    """The replies that a caller waits for are no longer needed."""


@dataclass(frozen=True)
class LearnerError:
    """Why a client could not reply, as it travels in the reason of Flower's ``Error``.

    ``exit_code`` is the class of the failure; an unknown one counts as a bug. A cluster's
    aggregator sets the origin to one of its learners.
    """

    reason: str
    error: str = ""
    where: str = ""
    hint: str = ""
    exit_code: int = ExitCode.BUG
    origin: str = ""
    origin_cluster: str = ""
    round: int | None = None
    cycle: int | None = None

    def to_text(self) -> str:
        """Return the text for an error reply."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str | None) -> "LearnerError":
        """Read an error reply's text; any other text becomes the reason."""
        try:
            document = json.loads(text or "")
            return cls(
                reason=str(document["reason"])[:4000],
                error=str(document["error"])[:200],
                where=str(document["where"])[:500],
                hint=str(document["hint"])[:2000],
                exit_code=int(document["exit_code"]),
                origin=str(document["origin"])[:200],
                origin_cluster=str(document["origin_cluster"])[:200],
                round=_whole(document["round"]),
                cycle=_whole(document["cycle"]),
            )
        except (ValueError, TypeError, KeyError):
            return cls(reason=(text or "no reason given")[:4000])

    @classmethod
    def from_exception(cls, error: BaseException) -> "LearnerError":
        """Return the reply for ``error``: an expected error by its reason, a bug by its name."""
        name = type(error).__name__
        if isinstance(error, FlopsError):
            return cls(
                reason=error.reason,
                error=name,
                where=error.where,
                hint=error.hint,
                exit_code=error.exit_code,
                origin=error.origin,
                origin_cluster=error.origin_cluster,
                round=error.round,
                cycle=error.cycle,
            )
        return cls(f"unexpected {name}: {error}"[:2000], name)

    @property
    def is_user_code(self) -> bool:
        """Return whether the code of the ML repository failed."""
        return self.exit_code == ExitCode.USER_CODE_FAILED

    def __str__(self) -> str:
        text = f"{self.reason} ({self.where})" if self.where else self.reason
        return f"{self.origin}: {text}" if self.origin else text


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None
