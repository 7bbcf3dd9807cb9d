"""Certificates of a project's grids: the same again for whoever asks again."""

import pytest
from cryptography.x509 import load_pem_x509_certificate

from flops_manager.domain.grid_keys import aggregator_name, learner_name, member
from flops_manager.settings import Settings
from flops_runtime.environment import BadSettingsError, Environment
from support.manager_core import a_project

PROJECT = a_project()
NAME = aggregator_name(PROJECT)


def test_who_is_deployed_again_is_who_it_was():
    assert member("secret", PROJECT, NAME, "") == member("secret", PROJECT, NAME, "")


def test_keys_differ_by_installation_project_and_name():
    keys = {
        member(secret, project, name, "").key
        for secret in ("secret", "other")
        for project in (PROJECT, a_project("ba9876543210"))
        for name in (NAME, learner_name(PROJECT), aggregator_name(PROJECT, "south"))
    }

    assert len(keys) == 12


def test_the_authority_of_a_project_signed_each_certificate():
    found = member("secret", PROJECT, NAME, "")
    own, authority = map(load_pem_x509_certificate, (found.certificate, found.authority))

    own.verify_directly_issued_by(authority)
    assert own.not_valid_before_utc < PROJECT.created_at < own.not_valid_after_utc


def test_a_key_is_in_no_repr():
    assert "KEY" not in repr(member("secret", PROJECT, NAME, ""))


def test_tls_without_a_secret_is_a_bad_setting():
    environment = Environment({"FLOPS_GRID_TLS": "on"})
    Settings.from_env(environment)

    with pytest.raises(BadSettingsError, match="FLOPS_GRID_TLS_SECRET"):
        environment.check()


def test_a_secret_is_not_used_without_being_asked_for():
    settings = Settings.from_env(Environment({"FLOPS_GRID_TLS_SECRET": "random"}))

    assert settings.installation.grid_tls_secret == ""
