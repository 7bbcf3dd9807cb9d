"""A connection to the broker is counted once, whatever happens to it."""

import pytest
from prometheus_client import REGISTRY

from flops_runtime.metrics import CLOSED, DOWN, UP, MqttLine


def counted(name, **labels):
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.fixture
def change():
    """Return how much a sample has changed since the test began."""
    names = ("flops_mqtt_reconnects_total", "flops_mqtt_unsent_messages")
    before = {name: counted(name) for name in names}
    states = {state: counted("flops_mqtt_connections", state=state) for state in (UP, DOWN, CLOSED)}

    def of(name, state=""):
        if state:
            return counted(name, state=state) - states[state]
        return counted(name) - before[name]

    return of


@pytest.mark.parametrize(
    ("life", "up", "down"),
    [
        ((DOWN,), 0, 1),
        ((DOWN, UP), 1, 0),
        ((DOWN, UP, DOWN), 0, 1),
        ((DOWN, UP, UP), 1, 0),
        ((DOWN, UP, CLOSED), 0, 0),
        ((DOWN, CLOSED, CLOSED), 0, 0),
        ((DOWN, CLOSED, UP), 0, 0),
    ],
)
def test_it_is_in_one_state_until_it_is_closed(change, life, up, down):
    line = MqttLine()

    for state in life:
        line.is_now(state)

    name = "flops_mqtt_connections"
    assert (change(name, UP), change(name, DOWN), change(name, CLOSED)) == (up, down, 0)
    line.is_now(CLOSED)


def test_the_first_connection_does_not_count_as_a_reconnect(change):
    line = MqttLine()

    for state in (DOWN, UP, DOWN, UP, DOWN, UP, CLOSED):
        line.is_now(state)

    assert change("flops_mqtt_reconnects_total") == 2


def test_what_is_unsent_goes_with_the_connection(change):
    line = MqttLine()
    line.is_now(DOWN)
    for _ in range(3):
        line.handed_over()
    line.confirmed()

    waiting = change("flops_mqtt_unsent_messages")
    line.is_now(CLOSED)

    assert (waiting, change("flops_mqtt_unsent_messages")) == (2, 0)
