"""Why a round, and with it a training or a cycle of a cluster, cannot go on."""

from typing import Any

from flops_aggregator.errors import TooFewLearnersError
from flops_aggregator.rounds.place import Place
from flops_grid.errors import LearnerError, UserCodeError


def too_few(
    told: str, errors: dict[str, LearnerError], place: Place, number: int
) -> UserCodeError | TooFewLearnersError:
    """Return the true cause: a mistake in the user's code goes before lost learners.

    It began where the client says; a client that does not say so is where it began.
    """
    listed = sorted(errors.items(), key=lambda item: (not item[1].is_user_code, item[0]))
    name, error = listed[0] if listed else ("", LearnerError(""))
    is_from_below = bool(error.origin)
    began: dict[str, Any] = {
        "origin": error.origin or name,
        "origin_cluster": error.origin_cluster if is_from_below else place.cluster,
        "round": error.round if is_from_below else number,
        "cycle": error.cycle if is_from_below else place.cycle,
    }
    if error.is_user_code:
        others = {one: it for one, it in listed if str(it) != str(error)}
        return UserCodeError(
            f"{error.reason} ({told}{_listed(others)})"[:4000],
            hint=error.hint or "Correct the ML repository and submit the project again.",
            where=error.where,
            **began,
        )
    hint = "See the learners' own failures and logs."
    return TooFewLearnersError(f"{told}{_listed(errors)}"[:4000], hint=hint, **began)


def _listed(errors: dict[str, LearnerError]) -> str:
    return "".join(f"; {name}: {error}" for name, error in sorted(errors.items()))
