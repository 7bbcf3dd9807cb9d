"""References of all kinds, from real repositories by the real git."""

import os

import pytest

from flops_image_builder.adapters.commands import Commands
from flops_image_builder.adapters.git import GitRepositories, GitSettings
from flops_image_builder.domain.errors import RepositoryUnreachableError
from support.builds import a_repository, commit, git


@pytest.fixture
def repositories():
    return GitRepositories(Commands(os.environ), GitSettings(timeout_seconds=30))


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """A repository with a tag, a branch beside main, and a newer commit on main."""
    folder = tmp_path_factory.mktemp("history") / "with space"
    a_repository(folder)
    tagged = commit(folder, {"number.txt": "1"})
    git(folder, "tag", "v1")
    git(folder, "checkout", "--quiet", "-b", "feature/two")
    branched = commit(folder, {"number.txt": "2"})
    git(folder, "checkout", "--quiet", "main")
    newest = commit(folder, {"number.txt": "3"})
    return folder, {
        "": newest,
        "main": newest,
        "v1": tagged,
        "feature/two": branched,
    }


@pytest.mark.parametrize("ref", ["", "main", "v1", "feature/two"])
def test_a_name_is_found(repositories, history, tmp_path, ref):
    folder, commits = history

    assert repositories.fetch(folder.as_uri(), ref, tmp_path).commit == commits[ref]


@pytest.mark.parametrize("digits", [40, 9])
def test_a_commit_is_found_by_its_hash(repositories, history, tmp_path, digits):
    folder, commits = history
    commit = commits["feature/two"]

    checkout = repositories.fetch(str(folder), commit[:digits], tmp_path)

    assert checkout.commit == commit
    assert repositories.read(checkout)["number.txt"] == "2"


def test_a_checkout_carries_nothing_of_git(repositories, history, tmp_path):
    checkout = repositories.fetch(str(history[0]), "", tmp_path)

    assert not (checkout.folder / ".git").exists()


def test_an_unknown_reference_is_reported(repositories, history, tmp_path):
    with pytest.raises(RepositoryUnreachableError, match="no branch, tag or commit 'v9'"):
        repositories.fetch(history[0].as_uri(), "v9", tmp_path)


def test_an_empty_repository_is_reported(repositories, tmp_path):
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "--quiet")

    with pytest.raises(RepositoryUnreachableError, match="cannot be cloned"):
        repositories.fetch(str(tmp_path / "empty"), "", tmp_path / "checkout")


def test_a_host_that_refuses_is_reported_without_the_password(repositories, tmp_path):
    with pytest.raises(RepositoryUnreachableError) as caught:
        repositories.fetch("https://me:very-secret@127.0.0.1:9/o/r", "", tmp_path)

    assert "https://127.0.0.1:9/o/r cannot be cloned" in caught.value.reason
    assert "very-secret" not in caught.value.reason
