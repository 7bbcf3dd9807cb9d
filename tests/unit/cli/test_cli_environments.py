"""The installation of environments."""

import fcntl
from pathlib import Path

import pytest

from flops_cli.errors import LocalSuiteError
from flops_cli.local.environments import (
    SERVICES,
    WAITING,
    Installation,
    Installer,
    install_steps,
    installations,
)
from flops_cli.local.places import Places, find_places

PYTHON = "/usr/bin/python3"


@pytest.fixture
def installation(tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text("click==8.2 --hash=sha256:0\n")
    folder = tmp_path / "env"
    folder.mkdir()
    return Installation("svc", folder, lock, (tmp_path / "src",))


def test_nothing_is_current_before_it_was_installed(installation):
    assert not installation.is_current(PYTHON)


def test_an_installation_with_a_matching_stamp_is_current(installation):
    installation.stamp.write_text(installation.fingerprint(PYTHON))

    assert installation.is_current(PYTHON)


def test_another_lock_makes_it_outdated(installation):
    installation.stamp.write_text(installation.fingerprint(PYTHON))

    installation.lock.write_text("click==8.3 --hash=sha256:1\n")

    assert not installation.is_current(PYTHON)


def test_another_python_makes_it_outdated(installation):
    installation.stamp.write_text(installation.fingerprint("/opt/python"))

    assert not installation.is_current(PYTHON)


def test_an_environment_is_synchronised_by_hashes(installation):
    steps = install_steps(installation, "uv", PYTHON)

    assert [step[1:3] for step in steps] == [["venv", "--clear"], ["pip", "sync"]]
    assert "--require-hashes" in steps[1]


def test_data_are_installed_without_their_dependencies(installation):
    data = Installation("digits", installation.folder, installation.lock, is_data=True)

    (step,) = install_steps(data, "uv", PYTHON)

    assert {"--target", "--no-deps", "--require-hashes"} <= set(step)


def test_a_link_to_the_same_interpreter_installs_nothing_again(installation, tmp_path):
    interpreter, link = tmp_path / "python3.11", tmp_path / "venv-python"
    interpreter.touch()
    link.symlink_to(interpreter)
    installation.stamp.write_text(installation.fingerprint(str(interpreter)))

    assert installation.is_current(str(link))


def test_a_failed_installation_shows_its_log_and_leaves_no_stamp(installation, tmp_path):
    installer = Installer(Places(tmp_path, tmp_path), "/bin/false", PYTHON, {})

    with pytest.raises(LocalSuiteError, match="installation of svc failed"):
        installer.install([installation], lambda *_: None)

    assert not installation.stamp.exists()


def test_an_installation_waits_for_another_process_and_uses_its_result(installation, tmp_path):
    announced = []

    def finish(name, *_):
        # The other process is done as soon as this one has announced that it waits.
        announced.append(name)
        if name == WAITING:
            installation.stamp.write_text(installation.fingerprint(PYTHON))
            other.close()

    other = (tmp_path / "install.lock").open("a")
    fcntl.flock(other, fcntl.LOCK_EX)
    installer = Installer(Places(tmp_path, tmp_path), "/bin/false", PYTHON, {})

    installer.install([installation], finish)

    assert announced == [WAITING, "svc", ""]


def test_waiting_for_an_installation_that_hangs_ends(installation, tmp_path):
    installer = Installer(Places(tmp_path, tmp_path), "/bin/false", PYTHON, {}, turn_seconds=0.01)

    with (tmp_path / "install.lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(LocalSuiteError, match="another installation has held"):
            installer.install([installation], lambda *_: None)


def test_without_anything_to_install_it_does_not_wait(tmp_path):
    installer = Installer(Places(tmp_path, tmp_path), "/bin/false", PYTHON, {}, turn_seconds=0.01)

    with (tmp_path / "install.lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        installer.install([], pytest.fail)


def test_every_missing_lock_is_named(tmp_path):
    for name in ("cli", "mock-data-provider", *SERVICES):
        (tmp_path / "services" / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "services" / name / "pyproject.toml").write_text("[project]\nname = 'x'\n")

    with pytest.raises(LocalSuiteError) as raised:
        installations(Places(tmp_path, tmp_path / ".flops"))

    assert len(raised.value.errors) == len(SERVICES) + 2


def test_the_checkout_is_found_from_inside():
    places = find_places(None, None, Path.cwd())

    assert (places.repository / "services" / "cli").is_dir()
    assert places.home == places.repository / ".flops"


def test_a_missing_checkout_is_an_error(tmp_path):
    with pytest.raises(LocalSuiteError, match="checkout"):
        find_places(tmp_path, None, tmp_path)
