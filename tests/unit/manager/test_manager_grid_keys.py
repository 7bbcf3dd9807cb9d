"""Certificates of a project's grids: each request gets the same ones."""

from base64 import b64decode

import pytest
from cryptography.x509 import load_pem_x509_certificate

from flops_manager.domain.grid_keys import aggregator_name, identity, learner_name
from flops_manager.settings import settings_from
from flops_runtime.environment import BadSettingsError
from support.manager_core import a_project

PROJECT = a_project()
NAME = aggregator_name(PROJECT)


def test_who_is_deployed_again_is_who_it_was():
    assert identity("secret", PROJECT, NAME, "") == identity("secret", PROJECT, NAME, "")


def test_keys_differ_by_installation_project_and_name():
    keys = {
        identity(secret, project, name, "").key
        for secret in ("secret", "other")
        for project in (PROJECT, a_project("ba9876543210"))
        for name in (NAME, learner_name(PROJECT), aggregator_name(PROJECT, "south"))
    }

    assert len(keys) == 12


def _certificate(line):
    return load_pem_x509_certificate(b64decode(line.removeprefix("pem:")))


def test_the_authority_of_a_project_signed_each_certificate():
    actor_identity = identity("secret", PROJECT, NAME, "")
    own, authority = map(_certificate, (actor_identity.certificate, actor_identity.ca))

    own.verify_directly_issued_by(authority)
    assert own.not_valid_before_utc < PROJECT.created_at < own.not_valid_after_utc


def test_a_key_is_in_no_repr():
    assert "KEY" not in repr(identity("secret", PROJECT, NAME, ""))


REQUIRED = {
    "FLOPS_MQTT_URL": "mqtt://broker:9027",
    "FLOPS_MONGO_URL": "mongodb://store:10027",
    "FLOPS_OAKESTRA_URL": "http://root:10000",
    "FLOPS_OAKESTRA_PASSWORD": "secret",
}


def test_tls_without_a_secret_is_a_bad_setting():
    with pytest.raises(BadSettingsError, match="FLOPS_GRID_TLS_SECRET"):
        settings_from({**REQUIRED, "FLOPS_GRID_TLS": "on"})


def test_a_secret_is_not_used_without_being_asked_for():
    settings = settings_from({**REQUIRED, "FLOPS_GRID_TLS_SECRET": "random"})

    assert settings.installation.grid_tls_secret == ""
