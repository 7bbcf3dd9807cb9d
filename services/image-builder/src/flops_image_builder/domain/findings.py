"""The findings of an inspection."""

from dataclasses import dataclass
from typing import Self

from flops_contracts.api import answers
from flops_contracts.errors import FlopsError
from flops_image_builder.domain.problems import Problem


@dataclass(frozen=True)
class Finding(answers.Finding):
    """A finding, made of what an inspection caught."""

    @classmethod
    def of_error(cls, check: str, error: FlopsError) -> Self:
        """Return the finding for a failed step."""
        return cls(check, is_ok=False, message=error.reason, hint=error.hint, where=error.where)

    @classmethod
    def of_problem(cls, check: str, problem: Problem) -> Self:
        """Return the finding for a problem of the source."""
        return cls(check, False, problem.message, problem.hint, problem.where)
