from pathlib import Path

import pytest

from flops_ml_data_server.settings import Settings, variables_with_files
from flops_runtime.environment import BadSettingsError, read


def test_it_works_with_no_configuration_at_all():
    settings = read(Settings, {})

    assert (settings.process.bind_address, settings.flight_port, settings.process.status_port) == (
        "0.0.0.0",
        11027,
        11028,
    )
    assert settings.volume == Path("/ml_data_server_volume")


def test_every_wrong_setting_is_named():
    variables = {"FLOPS_FLIGHT_PORT": "99999", "FLOPS_PARQUET_CODEC": "rar"}

    with pytest.raises(BadSettingsError, match=r"(?s)FLOPS_FLIGHT_PORT.*FLOPS_PARQUET_CODEC"):
        read(Settings, variables)


def test_secrets_are_not_shown():
    settings = read(Settings, {"FLOPS_DATA_SERVER_TOKEN": "hush", "FLOPS_TLS_KEY": "hush"})

    assert "hush" not in repr(settings)


def test_files_in_the_volume_are_settings_and_variables_win(tmp_path):
    folder = tmp_path / ".config"
    folder.mkdir()
    (folder / "FLOPS_DATA_SERVER_TOKEN").write_text("from the file\n")
    (folder / "FLOPS_MEMORY_MB").write_text("7")
    (folder / "PATH").write_text("nothing of ours")

    variables = variables_with_files({"FLOPS_DATA_VOLUME": str(tmp_path), "FLOPS_MEMORY_MB": "9"})
    settings = read(Settings, variables)

    assert (settings.doorkeeper.token, settings.max_bytes) == ("from the file", 9 * 10**6)
    assert "PATH" not in variables


@pytest.mark.parametrize("clients", ["alice", "=secret", "alice=", "operator=secret"])
def test_tokens_of_clients_that_make_no_sense_are_refused_and_not_shown(clients):
    with pytest.raises(BadSettingsError, match="FLOPS_DATA_SERVER_CLIENTS") as refused:
        read(Settings, {"FLOPS_DATA_SERVER_CLIENTS": clients})

    assert "secret" not in str(refused.value)
