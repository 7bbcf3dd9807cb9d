"""The root of all expected errors: a reason for people, a hint what to change, an exit code."""

from typing import ClassVar

from flops_contracts.exit_codes import ExitCode


class FlopsError(Exception):
    """An expected failure. Subclasses set the class attributes and say the problem in their name.

    ``reason`` says what is wrong, ``hint`` what to change; ``where`` is a place a person can open
    (``model_manager.py:12``). ``origin`` names the actor where it began, if that is another one
    than who raises it, ``origin_cluster`` its cluster, and ``round`` and ``cycle`` when.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(
        self,
        reason: str,
        hint: str = "",
        where: str = "",
        *,
        origin: str = "",
        origin_cluster: str = "",
        round: int | None = None,
        cycle: int | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.where = where
        self.origin = origin
        self.origin_cluster = origin_cluster
        self.round = round
        self.cycle = cycle
