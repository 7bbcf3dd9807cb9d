"""The file with the user's tokens."""

import stat

from flops_cli.credentials import TokenFile, Tokens

TOKENS = Tokens("ada", "http://root", "t", "r")


def test_tokens_are_readable_by_nobody_else(tmp_path):
    file = TokenFile(tmp_path / "flops")

    file.write(TOKENS)

    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700


def test_stored_tokens_are_read_back(tmp_path):
    TokenFile(tmp_path).write(TOKENS)

    assert TokenFile(tmp_path).read() == TOKENS


def test_a_second_login_replaces_the_first(tmp_path):
    TokenFile(tmp_path).write(Tokens("bob", "http://root", "x", "y"))
    TokenFile(tmp_path).write(TOKENS)

    assert TokenFile(tmp_path).read() == TOKENS


def test_a_broken_file_counts_as_no_login(tmp_path):
    (tmp_path / "credentials.json").write_text("{")

    assert TokenFile(tmp_path).read() is None


def test_tokens_are_not_printed():
    assert "'t'" not in repr(TOKENS)
