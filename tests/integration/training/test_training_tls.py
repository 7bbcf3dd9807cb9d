"""Identities of aggregators and learners: certificates of files, and those of a project."""

import datetime as dt
import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from flops_grid.errors import AggregatorUnreachableError
from flops_grid.server.grid import StreamGrid
from flops_grid.wire.tls import TlsFiles
from flops_manager.domain.grid_keys import aggregator_name, identity, learner_name
from flops_runtime.environment import BadSettingsError, read, write
from support.answers import answers
from support.manager_core import a_project
from support.peers import TOKEN, a_message, join

SECRET = "of-this-installation"


class Authority:
    """Makes certificates for the loopback and writes them down."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = str(folder / f"{name}.pem")
        Path(self.file).write_bytes(self._signed(self._name, self._key, is_ca=True))

    def files(self, name: str) -> TlsFiles:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        (self._folder / f"{name}.pem").write_bytes(self._signed(subject, key))
        (self._folder / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        certificate, secret = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        return TlsFiles(str(certificate), str(secret), self.file)

    def _signed(self, subject, key, *, is_ca=False):
        now = dt.datetime.now(dt.UTC)
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .sign(self._key, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
        )


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def a_secure_grid(authority):
    credentials = authority.files("aggregator").server_credentials()
    return StreamGrid("127.0.0.1:0", TOKEN, credentials=credentials)


def test_learners_with_a_certificate_of_the_ca_work_over_mutual_tls(authority, threads):
    with a_secure_grid(authority) as grid:
        join(threads, grid.port, "one", authority.files("learner"))

        assert grid.wait_for_learners(1, 10) == ["one"]
        assert answers(grid, [a_message(grid, "one", 999)], timeout=10)[0].has_content()


def test_a_learner_without_a_certificate_is_not_let_in(authority, threads):
    with a_secure_grid(authority) as grid:
        end = join(threads, grid.port, "one", TlsFiles(ca=authority.file))

        with pytest.raises(AggregatorUnreachableError):
            end.result(300)
        assert grid.wait_for_learners(1, 0) == []


def test_a_learner_does_not_believe_an_aggregator_of_another_ca(authority, tmp_path, threads):
    other = Authority(tmp_path, "other-ca")
    with a_secure_grid(authority) as grid:
        end = join(threads, grid.port, "one", other.files("learner"))

        with pytest.raises(AggregatorUnreachableError):
            end.result(300)


@pytest.mark.parametrize(
    "files", [TlsFiles(certificate="a.pem"), TlsFiles(ca="x"), TlsFiles("a", "b")]
)
def test_files_that_are_missing_are_bad_settings(files):
    with pytest.raises(BadSettingsError):
        files.server_credentials()


def test_a_key_that_is_not_base64_is_a_bad_setting():
    with pytest.raises(BadSettingsError):
        TlsFiles("pem:!", "pem:!").server_credentials()


def of_project(name, expects="", project_id="0123456789ab"):
    """Return what an actor reads from the environment that the manager gives it."""
    return read(TlsFiles, write(identity(SECRET, a_project(project_id), name, expects)))


@pytest.fixture
def names():
    project = a_project()
    return {
        "aggregator": aggregator_name(project),
        "cluster": aggregator_name(project, "south"),
        "learner": learner_name(project),
    }


def a_grid_of(files):
    return StreamGrid("127.0.0.1:0", TOKEN, credentials=files.server_credentials())


def test_actors_of_a_project_know_each_other_by_what_the_manager_gives_them(names, threads):
    with a_grid_of(of_project(names["aggregator"])) as grid:
        join(threads, grid.port, "one", of_project(names["learner"], names["aggregator"]))
        join(threads, grid.port, "south", of_project(names["cluster"], names["aggregator"]))

        assert grid.wait_for_learners(2, 10) == ["one", "south"]
        assert answers(grid, [a_message(grid, "south")], timeout=10)[0].has_content()


@pytest.mark.parametrize("impostor", ["learner", "cluster"])
def test_nobody_else_of_the_project_is_taken_for_its_aggregator(names, threads, impostor):
    with a_grid_of(of_project(names[impostor])) as grid:
        end = join(threads, grid.port, "one", of_project(names["learner"], names["aggregator"]))

        with pytest.raises(AggregatorUnreachableError):
            end.result(300)


def test_a_learner_of_another_project_is_not_let_in(names, threads):
    other = of_project(names["learner"], names["aggregator"], "ba9876543210")
    with a_grid_of(of_project(names["aggregator"])) as grid:
        end = join(threads, grid.port, "one", other)

        with pytest.raises(AggregatorUnreachableError):
            end.result(300)


def test_a_learner_without_tls_is_not_let_in(names, threads):
    with a_grid_of(of_project(names["aggregator"])) as grid:
        end = join(threads, grid.port, "one")

        with pytest.raises(AggregatorUnreachableError):
            end.result(300)
