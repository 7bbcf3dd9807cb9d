"""Another project that writes the same to MLflow at the same moment costs nothing."""

import pytest

from flops_aggregator.tracking.mlflow_server import ATTEMPTS_PAST_CONFLICTS, MlflowServer


class RefusedError(Exception):
    """The error of mlflow's client, with the attribute that is used."""

    def __init__(self, error_code):
        super().__init__(error_code)
        self.error_code = error_code

    def get_http_status_code(self):
        return 400


class Registry:
    """Refuses a given number of writes."""

    def __init__(self, error_code, refusals):
        self._error_code = error_code
        self._refusals = refusals
        self.asked = 0

    def write(self):
        self.asked += 1
        if self.asked <= self._refusals:
            raise RefusedError(self._error_code)
        return "written"


@pytest.fixture
def server():
    return MlflowServer("http://127.0.0.1:9", 60.0)


@pytest.mark.parametrize("code", ["BAD_REQUEST", "RESOURCE_ALREADY_EXISTS"])
def test_a_write_that_another_was_first_with_is_done_again(server, code):
    registry = Registry(code, refusals=1)

    assert server.patiently(registry.write) == "written"
    assert registry.asked == 2


def test_what_stays_refused_is_raised_after_a_few_attempts(server):
    registry = Registry("BAD_REQUEST", refusals=100)

    with pytest.raises(RefusedError):
        server.patiently(registry.write)

    assert registry.asked == ATTEMPTS_PAST_CONFLICTS


def test_input_that_mlflow_refuses_itself_is_not_sent_again(server):
    registry = Registry("INVALID_PARAMETER_VALUE", refusals=100)

    with pytest.raises(RefusedError):
        server.patiently(registry.write)

    assert registry.asked == 1
