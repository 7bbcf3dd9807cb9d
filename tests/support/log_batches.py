"""Batches of log lines, as actors send them."""

from flops_contracts.events import Actor
from flops_contracts.log_lines import LogBatch, LogLine
from flops_contracts.roles import Role
from support.manager_core import NOW


def a_batch(
    subject_id, first, *messages, run="run", instance="lrn0", node="n1", level="INFO", round_=None
):
    """Return a batch of a learner with one line for each message, numbered from ``first``."""
    lines = tuple(
        LogLine(NOW, level, "flops_learner", message, round_, number=number)
        for number, message in enumerate(messages, first)
    )
    return LogBatch(subject_id, Actor(Role.LEARNER, instance, "c1", node), run, lines)
