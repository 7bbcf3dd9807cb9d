"""Problems of a repository, and the error that names all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from flops_image_builder.domain.errors import RepositoryInvalidError


@dataclass(frozen=True)
class Problem:
    """A problem at ``where`` (``file`` or ``file:line``); ``hint`` says what to write instead."""

    where: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


def raise_if_any(problems: Sequence[Problem]) -> None:
    """Raise ``RepositoryInvalidError`` with every problem at once."""
    if not problems:
        return
    count = "" if len(problems) == 1 else f"{len(problems)} problems: "
    hints = dict.fromkeys(problem.hint for problem in problems if problem.hint)
    raise RepositoryInvalidError(
        count + "; ".join(str(problem) for problem in problems),
        hint=" ".join(hints),
        where=problems[0].where,
    )
