"""The cause of a round, and so of a training or a cluster's cycle, that cannot go on."""

from collections.abc import Mapping
from typing import Any

from flops_aggregator.errors import TooFewLearnersError
from flops_aggregator.rounds.place import Place
from flops_grid.errors import LearnerError, UserCodeError


def too_few(
    problem: str, errors: Mapping[str, LearnerError], place: Place, number: int
) -> UserCodeError | TooFewLearnersError:
    """Return ``problem`` as an error with its cause: the user's code goes before lost learners.

    The origin is what the client reports, or the client itself.
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
        others = {client: other for client, other in listed if str(other) != str(error)}
        return UserCodeError(
            f"{error.reason} ({problem}{_listed(others)})"[:4000],
            hint=error.hint or "Correct the ML repository and submit the project again.",
            where=error.where,
            **began,
        )
    hint = "See the learners' own failures and logs."
    return TooFewLearnersError(f"{problem}{_listed(errors)}"[:4000], hint=hint, **began)


def _listed(errors: Mapping[str, LearnerError]) -> str:
    return "".join(f"; {name}: {error}" for name, error in sorted(errors.items()))
