import pytest

from flops_image_builder.domain.references import (
    actor_image,
    content_tag,
    model_image,
    repository_path,
)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://github.com/Malyuk-A/flops_ml_repo", "malyuk-a/flops_ml_repo"),
        ("https://user:secret@host.example:8443/Team/Repo.git/", "team/repo"),
        ("https://gitlab.example/group/sub/repo.git", "group/sub/repo"),
        ("git@github.com:Owner/Repo.git", "owner/repo"),
        ("ssh://git@host.example:2222/owner/repo", "owner/repo"),
        ("https://host.example/repo", "local/repo"),
        ("file:///srv/repos/mnist sklearn", "local/mnist-sklearn"),
        ("/srv/repos/My.Repo", "local/my.repo"),
        ("https://host.example/__owner--/a._b", "owner/a-b"),
        ("https://host.example/Ünï/Çode", "n/ode"),
    ],
)
def test_every_git_url_has_a_valid_image_path(url, expected):
    assert repository_path(url) == expected


def test_an_actor_image_is_named_after_its_repository_and_role():
    reference = actor_image("127.30.0.1:5073", "https://h.example/o/r", "learner", "abc")

    assert reference == "127.30.0.1:5073/o/r/learner:abc"


def test_a_model_image_is_named_after_its_customer_and_run():
    assert model_image("reg:5073", "Admin", "0f3a") == "reg:5073/admin/trained_model:0f3a"


def test_a_tag_changes_with_every_part():
    tags = {
        content_tag("commit", ["base"]),
        content_tag("other", ["base"]),
        content_tag("commit", ["other"]),
        content_tag("commit", "base"),
    }

    assert len(tags) == 4


def test_a_tag_is_a_valid_tag():
    assert content_tag("commit").isalnum()
    assert len(content_tag("commit")) <= 128
