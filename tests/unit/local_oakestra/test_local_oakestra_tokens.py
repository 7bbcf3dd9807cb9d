"""Tokens are issued, verified, and refused with the root's messages."""

from datetime import UTC, datetime, timedelta

import pytest

from flops_local_oakestra.adapters.tokens import Rs256Tokens, new_key
from flops_local_oakestra.ports.tokens import BadTokenError, Identity, TokenType

ADA = Identity("ada", ("Application_Provider",), "0" * 24)
KEY = new_key()


def tokens(age: timedelta = timedelta(0)) -> Rs256Tokens:
    return Rs256Tokens(KEY, lambda: datetime.now(UTC) - age)


def test_a_token_identifies_its_bearer():
    assert tokens().verify(tokens().issue(ADA, TokenType.ACCESS), TokenType.ACCESS) == ADA


@pytest.mark.parametrize(
    ("type", "age", "message", "is_malformed"),
    [
        (TokenType.ACCESS, timedelta(minutes=11), "Token has expired", False),
        (TokenType.REFRESH, timedelta(days=31), "Token has expired", False),
        (TokenType.REFRESH, timedelta(0), "Only non-refresh tokens are allowed", True),
    ],
)
def test_an_old_or_wrong_token_is_refused(
    type: TokenType, age: timedelta, message: str, is_malformed: bool
):
    token = tokens(age).issue(ADA, type)

    with pytest.raises(BadTokenError, match=message) as caught:
        tokens().verify(token, TokenType.ACCESS)

    assert caught.value.is_malformed is is_malformed


def test_tokens_of_an_earlier_process_are_refused():
    token = Rs256Tokens(new_key(), lambda: datetime.now(UTC)).issue(ADA, TokenType.ACCESS)

    with pytest.raises(BadTokenError, match="Signature verification failed"):
        tokens().verify(token, TokenType.ACCESS)
