from pathlib import Path

import pytest

from flops_ml_data_server.settings import Settings
from flops_runtime.environment import BadSettingsError, Environment


def test_it_works_with_no_configuration_at_all():
    settings = Settings.from_env(Environment({}))

    assert (settings.process.bind_address, settings.flight_port, settings.process.status_port) == (
        "0.0.0.0",
        11027,
        11028,
    )
    assert settings.volume == Path("/ml_data_server_volume")


def test_every_wrong_setting_is_named():
    environment = Environment({"FLOPS_FLIGHT_PORT": "99999", "FLOPS_PARQUET_CODEC": "rar"})

    with pytest.raises(BadSettingsError, match=r"(?s)FLOPS_FLIGHT_PORT.*FLOPS_PARQUET_CODEC"):
        Settings.from_env(environment)


def test_secrets_are_not_shown():
    settings = Settings.from_env(
        Environment({"FLOPS_DATA_SERVER_TOKEN": "hush", "FLOPS_TLS_KEY": "hush"})
    )

    assert "hush" not in repr(settings)
