"""Passwords that stand apart from the URLs of their stores, and a login that is missing."""

import pytest

from flops_manager.settings import settings_from, with_account

REQUIRED = {
    "FLOPS_MQTT_URL": "mqtt://broker:9027",
    "FLOPS_MONGO_URL": "mongodb://flops@mongo:27017/flops?authSource=admin",
    "FLOPS_OAKESTRA_URL": "http://root:10000",
    "FLOPS_BACKEND_STORE_URL": "postgresql://tracking@192.0.2.1:5432/{customer}",
    "FLOPS_ARTIFACT_STORE_URL": "s3+http://192.0.2.1:8333/flops/{customer}",
}


@pytest.mark.parametrize(
    ("url", "user", "expected"),
    [
        ("mongodb://flops@a:1,b:2/x?y=z", "", "mongodb://flops:p%40ss@a:1,b:2/x?y=z"),
        ("s3+http://a:1/flops/{customer}", "key", "s3+http://key:p%40ss@a:1/flops/{customer}"),
        ("mongodb://flops:own@a:1/x", "other", "mongodb://flops:own@a:1/x"),
        ("sqlite:///{customer}.db", "", "sqlite:///{customer}.db"),
        ("", "", ""),
    ],
    ids=["named", "nameless", "own", "no account", "no URL"],
)
def test_a_url_gets_the_account_that_it_lacks(url, user, expected):
    assert with_account(url, "p@ss", user) == expected


def test_a_url_without_a_password_elsewhere_stays_as_it_is():
    assert with_account("mongodb://flops@a:1/x", "") == "mongodb://flops@a:1/x"


def test_passwords_of_stores_come_from_files(tmp_path):
    names = ("MONGO_PASSWORD", "BACKEND_STORE_PASSWORD", "ARTIFACT_STORE_PASSWORD")
    files = {}
    for name in (*names, "ARTIFACT_STORE_USER"):
        (tmp_path / name).write_text(f"{name.lower()}\n")
        files[f"FLOPS_{name}_FILE"] = str(tmp_path / name)

    settings = settings_from({**REQUIRED, **files})

    assert "//flops:mongo_password@" in settings.mongo_url
    installation = settings.installation
    assert "//tracking:backend_store_password@" in installation.backend_store_url
    assert "//artifact_store_user:artifact_store_password@" in installation.artifact_store_url


def test_no_representation_holds_a_password():
    given = {"FLOPS_MONGO_PASSWORD": "hidden-1", "FLOPS_ARTIFACT_STORE_PASSWORD": "hidden-2"}

    settings = settings_from({**REQUIRED, **given})

    assert "hidden" not in repr(settings.stores)


def test_a_login_at_the_root_can_be_missing():
    assert settings_from(REQUIRED).oakestra_password == ""
