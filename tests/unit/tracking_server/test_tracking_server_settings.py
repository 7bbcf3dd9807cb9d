"""The environment of MLflow's process."""

import pytest

from flops_runtime.environment import BadSettingsError, read
from flops_tracking_server.mlflow_settings import (
    NAMES,
    RenamedVariableError,
    check_names,
    mlflow_environment,
)
from flops_tracking_server.settings import Settings

STORES = {
    "FLOPS_BACKEND_STORE_URL": "mysql://mlflow:secret@db/mlflow",
    "FLOPS_ARTIFACT_STORE_URL": "s3://artifacts",
}


def settings_of(**variables):
    return read(Settings, {**STORES, **variables})


def test_both_stores_are_required():
    with pytest.raises(BadSettingsError, match=r"BACKEND.*ARTIFACT"):
        read(Settings, {})


def test_the_password_of_the_store_is_not_printed():
    assert "secret" not in repr(settings_of())


def test_an_s3_store_is_taken_apart():
    settings = settings_of(FLOPS_ARTIFACT_STORE_URL="s3+http://key:sec%2Fret@db:8333/flops/cabc")

    environment = mlflow_environment(settings)

    assert environment["_MLFLOW_SERVER_ARTIFACT_DESTINATION"] == "s3://flops/cabc"
    assert environment["MLFLOW_S3_ENDPOINT_URL"] == "http://db:8333"
    assert environment["AWS_ACCESS_KEY_ID"] == "key"
    assert environment["AWS_SECRET_ACCESS_KEY"] == "sec/ret"
    assert "sec/ret" not in repr(settings)


@pytest.mark.parametrize("url", ["s3+http://db:8333/flops", "s3+https://key:secret@db:8333"])
def test_an_s3_store_without_account_or_bucket_is_refused(url):
    with pytest.raises(BadSettingsError, match="bucket") as refused:
        settings_of(FLOPS_ARTIFACT_STORE_URL=url)

    assert "secret" not in str(refused.value)


def test_a_plain_s3_url_stays_as_it_is():
    environment = mlflow_environment(settings_of())

    assert environment["_MLFLOW_SERVER_ARTIFACT_DESTINATION"] == "s3://artifacts"


def test_artifacts_go_through_the_server():
    environment = mlflow_environment(settings_of())

    assert environment["_MLFLOW_SERVER_SERVE_ARTIFACTS"] == "true"
    assert environment["_MLFLOW_SERVER_ARTIFACT_ROOT"] == "mlflow-artifacts:/"


def test_nothing_calls_home():
    assert mlflow_environment(settings_of())["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_a_renamed_variable_of_mlflow_is_noticed():
    with pytest.raises(RenamedVariableError, match="SERVE_ARTIFACTS"):
        check_names({**NAMES, "SERVE_ARTIFACTS_ENV_VAR": "ANOTHER"})
