"""The findings of an inspection."""

from dataclasses import dataclass
from typing import Self

from flops_contracts.errors import FlopsError
from flops_image_builder.domain.problems import Problem


@dataclass(frozen=True)
class Finding:
    """The result of one check; ``where`` is a file or ``file:line``, ``hint`` what to change."""

    check: str
    is_ok: bool
    message: str
    hint: str = ""
    where: str = ""

    @classmethod
    def of_error(cls, check: str, error: FlopsError) -> Self:
        """Return the finding for a failed step."""
        return cls(check, is_ok=False, message=error.reason, hint=error.hint, where=error.where)

    @classmethod
    def of_problem(cls, check: str, problem: Problem) -> Self:
        """Return the finding for a problem of the source."""
        return cls(check, False, problem.message, problem.hint, problem.where)
