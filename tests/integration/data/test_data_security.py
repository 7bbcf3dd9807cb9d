"""The token and TLS, both optional."""

import pytest
from pyarrow import flight

from flops_flight.errors import DataRejectedError, DataServerUnreachableError
from support.certificates import a_certificate
from support.data_plane import a_data_server, a_table

TOKEN = "only-for-this-test"


@pytest.fixture
def guarded(tmp_path):
    with a_data_server(tmp_path / "volume", token=TOKEN) as node:
        yield node


def test_who_has_the_token_is_served(guarded):
    with guarded.client(TOKEN) as server:
        assert server.download(server.upload("mnist", a_table()).name).num_rows == 100


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x"])
def test_who_has_not_is_refused_everything(guarded, token):
    with guarded.client(token) as server:
        with pytest.raises(DataRejectedError, match="refuses this client"):
            server.health()
        with pytest.raises(DataRejectedError, match="refuses this client"):
            server.list_fragments()
        with pytest.raises(DataRejectedError):
            server.upload("mnist", a_table())

    assert guarded.visible() == []


def test_a_bare_token_in_the_header_is_enough(guarded):
    options = flight.FlightCallOptions(headers=[(b"authorization", TOKEN.encode())], timeout=10)

    with flight.connect(f"grpc://{guarded.address}") as client:
        assert list(client.list_flights(options=options)) == []


def test_tls_serves_who_trusts_the_certificate_and_nobody_else(tmp_path):
    certificate, key = a_certificate()
    (tmp_path / "ca.pem").write_text(certificate)

    with a_data_server(tmp_path / "volume", tls_certificate=certificate, tls_key=key) as node:
        with node.client(ca=(tmp_path / "ca.pem").read_text()) as server:
            server.upload("mnist", a_table())
        with (
            node.client(call_timeout_seconds=3) as plain,
            pytest.raises(DataServerUnreachableError),
        ):
            plain.health()

        assert len(node.visible()) == 1
