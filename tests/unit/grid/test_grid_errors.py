"""Errors of learners as they travel."""

import pytest

from flops_contracts.exit_codes import ExitCode
from flops_grid.errors import LearnerError, UserCodeError


def test_an_error_arrives_with_where_it_began():
    began = {"origin": "lrn1", "origin_cluster": "munich", "round": 2, "cycle": 3}
    error = UserCodeError("no rows", "add rows", "m.py:3", **began)

    arrived = LearnerError.from_text(LearnerError.from_exception(error).to_text())

    code = ExitCode.USER_CODE_FAILED
    assert arrived == LearnerError("no rows", "UserCodeError", "m.py:3", "add rows", code, **began)
    assert str(arrived) == "lrn1: no rows (m.py:3)"


@pytest.mark.parametrize("text", [None, "", "in words", "[1]", '{"reason": "half a document"}'])
def test_text_that_is_not_a_document_of_ours_becomes_the_reason(text):
    assert LearnerError.from_text(text) == LearnerError(text or "no reason given")
