"""Names fit the orchestrator; exit codes and bundles keep their promises."""

import re
from itertools import product

import pytest

from flops_contracts.bundles import Bundle, bundle_folder, read_bundle, write_bundle
from flops_contracts.exit_codes import EXPLANATIONS, ExitCode
from flops_contracts.names import customer_namespace, project_application, service_name
from flops_contracts.roles import Role


@pytest.mark.parametrize("role", Role)
def test_every_service_name_fits_oakestra(role):
    assert re.fullmatch(r"[a-zA-Z0-9]{1,30}", service_name("0123456789ab", role, "999"))


def test_names_are_derived_and_distinguish_different_things():
    names = {
        service_name(subject, role, part)
        for subject, role, part in product(("a", "b"), Role, ("", "1", "11"))
    }

    assert len(names) == 2 * len(Role) * 3
    assert service_name("a", Role.LEARNER, "1") == service_name("a", Role.LEARNER, "1")


def test_application_names_fit_oakestra():
    for name in (project_application("0123456789ab"), customer_namespace("a customer @ home")):
        assert re.fullmatch(r"[a-zA-Z0-9]{1,30}", name)


def test_every_exit_code_is_explained():
    assert set(EXPLANATIONS) == set(ExitCode)


def test_a_bundle_is_read_as_it_was_written(tmp_path):
    bundle = Bundle("host:1/a/learner:tag", ("python", "-m", "x"), {"A": "b"}, "/tmp", {"l": "1"})

    write_bundle(tmp_path, bundle)

    assert read_bundle(tmp_path, bundle.reference) == bundle


def test_a_half_written_bundle_does_not_exist(tmp_path):
    bundle_folder(tmp_path, "image").mkdir(parents=True)

    assert read_bundle(tmp_path, "image") is None
