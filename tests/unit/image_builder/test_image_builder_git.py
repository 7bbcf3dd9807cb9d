"""The environment and arguments of git; the integration tests run it."""

import base64

import pytest

from flops_image_builder.adapters.git import (
    GitSettings,
    environment_of,
    refuse_options,
    without_credentials,
)
from flops_image_builder.domain.errors import RepositoryUnreachableError


@pytest.mark.parametrize(
    ("url", "ref"),
    [
        ("--upload-pack=touch /tmp/x", ""),
        ("-u", ""),
        ("", ""),
        ("ext::sh -c true", ""),
        ("https://h.example/o/r", "--output=x"),
        ("https://h.example/o/r", "a..b"),
        ("https://h.example/o/r", "main:refs/heads/x"),
        ("https://h.example/o/r", "two words"),
    ],
)
def test_what_git_would_take_for_something_else_is_refused(url, ref):
    with pytest.raises(RepositoryUnreachableError):
        refuse_options(url, ref)


@pytest.mark.parametrize("ref", ["", "main", "feature/x-1", "v1.0", "5e01138a"])
def test_branches_tags_and_commits_pass(ref):
    assert refuse_options("git@h.example:o/r.git", ref) is None


def test_credentials_are_cut_out_of_every_url():
    text = "fatal: https://me:secret@h.example/o/r and http://token@h.example/x"

    assert without_credentials(text) == "fatal: https://h.example/o/r and http://h.example/x"


def test_credentials_of_a_url_travel_in_the_environment():
    variables = environment_of("https://me:s%40crt@h.example:8443/o/r", GitSettings())

    login = base64.b64encode(b"me:s@crt").decode()
    assert variables["GIT_CONFIG_KEY_0"] == "http.https://h.example:8443/.extraHeader"
    assert variables["GIT_CONFIG_VALUE_0"] == f"Authorization: Basic {login}"


def test_a_configured_token_is_sent_to_the_host_of_the_url_only():
    variables = environment_of("https://h.example/o/r", GitSettings(token="t"))

    assert variables["GIT_CONFIG_KEY_0"] == "http.https://h.example/.extraHeader"


def test_a_token_is_never_sent_over_another_protocol():
    assert "GIT_CONFIG_COUNT" not in environment_of("/srv/repo", GitSettings(token="t"))


def test_nobody_is_ever_asked_for_anything():
    variables = environment_of("git@h.example:o/r", GitSettings(ssh_key_file="/run/the key"))

    assert variables["GIT_TERMINAL_PROMPT"] == "0"
    assert "BatchMode=yes" in variables["GIT_SSH_COMMAND"]
    assert "-i '/run/the key'" in variables["GIT_SSH_COMMAND"]
