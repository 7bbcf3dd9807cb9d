"""One connection to the broker, by paho; it reconnects by itself and never waits for ever."""

import logging
import ssl
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode
from flops_runtime.metrics import CLOSED, DOWN, MQTT_RECEIVED, UP, MqttLine
from flops_runtime.settings import MqttSettings

logger = logging.getLogger(__name__)

PUBLISH_TIMEOUT_SECONDS = 30.0
KEEPALIVE_SECONDS = 15

Receive = Callable[[str, bytes], None]


class BrokerUnreachableError(FlopsError):
    """The broker does not answer, refuses the credentials, or takes no message in time."""

    exit_code = ExitCode.BROKER_UNREACHABLE


class MqttConnection:
    """Publish and subscribe with QoS 1.

    ``is_persistent`` makes the broker keep what arrives while this client is away; it then needs
    a stable ``client_id``, and a second client with the same id throws the first one out.
    """

    def __init__(
        self, settings: MqttSettings, client_id: str, *, is_persistent: bool = False
    ) -> None:
        self._settings = settings
        self._client_id = client_id
        self._subscriptions: dict[str, Receive] = {}
        self._when_connected: Callable[[bool], None] = lambda _: None
        self._connected = threading.Event()
        self._connected_at = 0.0
        self._is_closing = False
        self._begin_and_end = threading.Lock()
        """Paho's are not made for two threads at once."""
        self._refusal = ""
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=not is_persistent,
            manual_ack=True,
        )
        self._is_persistent = is_persistent
        self._line = MqttLine()

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def is_connected(self) -> bool:
        """True while the broker is connected."""
        return self._connected.is_set() and not self._is_closing

    @property
    def connected_seconds(self) -> float | None:
        """How long the broker is in reach without a gap; None while it is not."""
        return time.monotonic() - self._connected_at if self.is_connected else None

    def subscribe(self, topic: str, receive: Receive, *, only_retained: bool = False) -> None:
        """Call ``receive(topic, payload)`` for each message, now and after each reconnect.

        ``receive`` runs in the connection's own thread; it must be quick, and what it raises is
        logged and dropped. But a ``FlopsError`` leaves the message with the broker of a
        persistent session, which sends it again after the next reconnect.
        ``only_retained`` takes what the broker kept, and nothing that is said from now on.
        """
        self._subscriptions[topic] = receive
        deliver = self._deliver_to(receive, only_retained=only_retained)
        self._client.message_callback_add(topic, deliver)
        if self.is_connected:
            self._client.subscribe(topic, qos=1)

    def when_connected(self, act: Callable[[bool], None]) -> None:
        """Call ``act(has_session)`` after each connection and its subscriptions, in its thread.

        ``has_session`` says whether the broker still knew this client, with what waited for it.
        """
        self._when_connected = act

    def connect(self) -> None:
        """Connect and subscribe; raise ``BrokerUnreachableError`` after the settings' timeout.

        ``close`` in another thread ends the waiting.
        """
        client, settings = self._client, self._settings
        if settings.user:
            client.username_pw_set(settings.user, settings.password)
        if settings.is_tls:
            client.tls_set(ca_certs=settings.ca_file or None, cert_reqs=ssl.CERT_REQUIRED)
        client.on_connect = self._subscribe_all
        client.on_disconnect = self._forget_connection
        client.on_publish = lambda *_: self._line.confirmed()
        client.reconnect_delay_set(min_delay=1, max_delay=10)
        self._line.is_now(DOWN)
        client.connect_async(settings.host, settings.port, keepalive=KEEPALIVE_SECONDS)
        with self._begin_and_end:
            if not self._is_closing:
                client.loop_start()
        is_woken = self._connected.wait(settings.connect_timeout_seconds)
        if not is_woken or self._is_closing:
            self.close()
            why = self._refusal or "no answer"
            raise BrokerUnreachableError(
                f"no connection to the MQTT broker at {settings.host}:{settings.port}: {why}",
                hint="Check FLOPS_MQTT_URL and FLOPS_MQTT_PASSWORD, and that the broker runs.",
            )

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Send with QoS 1; return when the broker has it, or raise ``BrokerUnreachableError``.

        A broker that is away for a moment is waited for.
        """
        self._line.handed_over()
        message = self._client.publish(topic, payload, qos=1, retain=retain)
        if message.rc == paho.MQTT_ERR_NO_CONN:
            # It is sent with the next connection, but paho never says so of this one message.
            is_sent = self.flush(PUBLISH_TIMEOUT_SECONDS) and not self._is_closing
        else:
            is_sent = _is_published(message, topic)
        if not is_sent:
            seconds = PUBLISH_TIMEOUT_SECONDS
            raise BrokerUnreachableError(f"the broker took no message for {seconds:.0f} s")

    def send(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Hand over to the connection's thread and return; for what may be late or lost.

        The one way to publish from within ``receive``, which the connection's thread waits for.
        """
        self._line.handed_over()
        self._client.publish(topic, payload, qos=1, retain=retain)

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until the broker has all that was handed over; say whether it has, in time."""
        return self._line.is_empty(timeout_seconds)

    def close(self) -> None:
        """Disconnect from the broker for good; safe to call twice."""
        self._is_closing = True
        self._connected.set()  # for who waits in ``connect``
        with self._begin_and_end:
            self._client.disconnect()
            self._client.loop_stop()
        self._line.is_now(CLOSED)

    def _deliver_to(self, receive: Receive, *, only_retained: bool) -> Callable[..., None]:
        def deliver(client: paho.Client, _userdata: object, message: paho.MQTTMessage) -> None:
            outcome = "taken"
            try:
                if message.retain or not only_retained:
                    receive(message.topic, bytes(message.payload))
            except FlopsError as error:
                logger.warning("could not take a message on %s: %s", message.topic, error)
                outcome = "left" if self._is_persistent else "dropped"
            except Exception:
                # An exception would end paho's thread, and with it every later message.
                logger.exception("dropped a message on %s", message.topic)
                outcome = "dropped"
            MQTT_RECEIVED.labels(outcome).inc()
            if outcome == "left":
                return
            client.ack(message.mid, message.qos)

        return deliver

    def _subscribe_all(
        self,
        client: paho.Client,
        _userdata: object,
        flags: paho.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._refusal = str(reason)
            logger.warning("the broker refused %s: %s", self._client_id, reason)
            return
        for topic in self._subscriptions:
            client.subscribe(topic, qos=1)
        self._connected_at = time.monotonic()
        self._line.is_now(UP)
        self._connected.set()
        self._when_connected(flags.session_present)

    def _forget_connection(self, *_: object) -> None:
        if not self._is_closing:
            self._connected.clear()
            self._line.is_now(DOWN)


def _is_published(message: paho.MQTTMessageInfo, topic: str) -> bool:
    """Wait for the broker's confirmation; say whether it came in time."""
    try:
        message.wait_for_publish(PUBLISH_TIMEOUT_SECONDS)
        return message.is_published()
    except (RuntimeError, ValueError) as error:
        raise BrokerUnreachableError(f"cannot publish on {topic}: {error}") from error
