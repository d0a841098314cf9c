"""One MQTT connection on paho's own thread, its happenings brought into asyncio.

The link keeps itself connected for as long as it runs, also when the broker was not there at the start. QoS 1 with
manual acknowledgement: what was received is acknowledged by whoever has made it durable. Nothing is queued while the
link is down: the outbox is the queue (a PUBACK is no delivery, and paho's queue dies with the process).
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from functools import lru_cache

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from stream.transport.broker import BrokerSettings
from stream.transport.inbox import MOST_BYTES, Inbox, Message
from stream.transport.read_ahead import Client, Publication

__all__ = ["Link", "Message", "shared"]

log = logging.getLogger(__name__)

SESSION_EXPIRY_S = 3600
IN_FLIGHT = 20
"""Measured: the best window for a paho publisher; and mosquitto's own default towards a subscriber."""
RECEIVE_MAXIMUM = 2000
"""Messages that a version 5 broker sends before it waits for acknowledgements: two batches of the ingest."""
_SHARED = "$share/"
ANSWER_S = 5.0
"""A 3.1.1 broker may misread a version 5 CONNECT and wait for the rest of it for ever (amqtt does)."""
_UNSUPPORTED_VERSION = "Unsupported protocol version"


def shared(group: str, topic: str) -> str:
    """A subscription of which each message comes to one member only. Not every broker has them (amqtt does not)."""
    return f"{_SHARED}{group}/{topic}"


class Link:
    """A connection of one client id, with its subscriptions and its last will.

    The session is kept by the broker over restarts (clean start off), so that commits and blocks that come while
    this end is away are delivered when it is back, as far as the broker keeps its word.
    """

    def __init__(
        self,
        broker: BrokerSettings,
        client_id: str,
        *,
        subscriptions: tuple[str, ...] = (),
        will: tuple[str, bytes] | None = None,
        stateless: bool = False,
    ) -> None:
        """`stateless`: the broker forgets this client with its connection; for members of a shared subscription, whose
        share would otherwise wait for one that may never come back."""
        self._broker, self._client_id = broker, client_id
        self._subscriptions, self._will = subscriptions, will
        self._stateless = stateless
        self._inbox = Inbox()
        self._client: Client | None = None
        self._connection = 0
        self.window = IN_FLIGHT
        """How many messages the broker sends before it waits for acknowledgements, as far as this end can tell."""
        self.connected = asyncio.Event()
        self.on_connected: Callable[[], None] | None = None
        """Called in the event loop each time the link has come up and its subscriptions are asked for."""

    async def run(self) -> None:
        """Keeps the link up until cancelled. Raises MagwatchError only for settings that can never work."""
        loop = asyncio.get_running_loop()
        protocol = MQTTProtocolVersion.MQTTv311 if self._broker.protocol == "3.1.1" else MQTTProtocolVersion.MQTTv5
        while True:
            outcome: asyncio.Queue[str] = asyncio.Queue()
            client = self._make_client(loop, protocol, outcome)
            self._client = client
            self._inbox.release(reopen=True)
            try:
                client.loop_start()
                await self._version_refused(outcome)
                protocol = MQTTProtocolVersion.MQTTv311
                log.info("the broker at %s does not speak MQTT 5: going on with 3.1.1", self._broker.url)
            finally:
                self.connected.clear()
                self._client = None
                self._inbox.release()
                client.disconnect()
                await asyncio.shield(asyncio.to_thread(client.loop_stop))

    async def _version_refused(self, outcome: asyncio.Queue[str]) -> None:
        """Returns when the broker has shown that it does not speak MQTT 5: by refusing, hanging up or silence."""
        while True:
            happening = await outcome.get()
            if happening == "opened" and self._broker.protocol == "auto":
                try:
                    async with asyncio.timeout(ANSWER_S):
                        happening = await outcome.get()
                except TimeoutError:
                    happening = "wrong version"
            if happening == "wrong version" and self._broker.protocol == "auto":
                return

    async def receive(self, most: int, most_bytes: int = MOST_BYTES, linger_s: float = 0.0) -> list[Message]:
        """Waits for a message and takes what came with it: at least one, at most `most`, about `most_bytes`.

        linger_s: so long is waited for more, unless half of what the broker would send is there.
        """
        messages = await self._inbox.take(most, most_bytes)
        size = sum(len(message.payload) for message in messages)
        if linger_s and len(messages) < min(most, self.window // 2) and size < most_bytes:
            await asyncio.sleep(linger_s)
            messages += self._inbox.take_waiting(most - len(messages), most_bytes - size)
        return messages

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Tells the broker that these are durable here. A receipt of an earlier connection is worth nothing."""
        if self._client is not None:
            receipts = (message.receipt for message in messages)
            self._client.ack_all([mid for mid, qos, connection in receipts if qos and connection == self._connection])

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Hands a message to the connection with QoS 1. False when there is none: it has to be offered again."""
        if self._client is None or not self.connected.is_set():
            return False
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        return info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    def _make_client(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol: MQTTProtocolVersion,
        outcome: asyncio.Queue[str],
    ) -> Client:
        five = protocol == MQTTProtocolVersion.MQTTv5
        self.window = RECEIVE_MAXIMUM if five else IN_FLIGHT
        client = Client(
            CallbackAPIVersion.VERSION2,
            self._client_id,
            protocol=protocol,
            manual_ack=True,
            clean_session=None if five else self._stateless,
        )
        client.max_inflight_messages_set(IN_FLIGHT)
        client.reconnect_delay_set(1, 10)
        if self._broker.username is not None:
            client.username_pw_set(self._broker.username, self._broker.password())
        if self._broker.tls:
            client.tls_set_context(self._broker.tls_context())
        if self._will is not None:
            client.will_set(*self._will, qos=1, retain=True)

        self._attach(client, loop, outcome)
        if five:
            wishes = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            wishes.SessionExpiryInterval = 0 if self._stateless else SESSION_EXPIRY_S
            wishes.ReceiveMaximum = RECEIVE_MAXIMUM
            client.connect_async(
                self._broker.host,
                self._broker.port,
                self._broker.keepalive_s,
                clean_start=self._stateless,
                properties=wishes,
            )
        else:
            client.connect_async(self._broker.host, self._broker.port, self._broker.keepalive_s)
        return client

    def _attach(self, client: Client, loop: asyncio.AbstractEventLoop, outcome: asyncio.Queue[str]) -> None:
        """Brings what happens on paho's thread into the event loop."""
        five = client.protocol == MQTTProtocolVersion.MQTTv5
        filters = [asked.split("/", 2)[2] if asked.startswith(_SHARED) else asked for asked in self._subscriptions]

        @lru_cache(maxsize=4096)
        def asked_for(topic: str) -> bool:
            return any(paho.topic_matches_sub(asked, topic) for asked in filters)

        def tell(happening: Callable[[], None]) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(happening)

        def on_socket_open(_c: paho.Client, _u: object, _s: object) -> None:
            if five:
                tell(lambda: outcome.put_nowait("opened"))

        def on_connect(client: paho.Client, _u: object, _f: object, reason: ReasonCode, _p: Properties | None) -> None:
            if reason.is_failure:
                log.warning("the broker at %s refuses the connection: %s", self._broker.url, reason)
                if str(reason) == _UNSUPPORTED_VERSION:
                    tell(lambda: outcome.put_nowait("wrong version"))
                return
            self._connection += 1
            if self._subscriptions:
                client.subscribe([(topic, 1) for topic in self._subscriptions])
            log.info("connected to the broker at %s", self._broker.url)
            if five:
                tell(lambda: outcome.put_nowait("up"))
            tell(self._came_up)

        def on_disconnect(_c: paho.Client, _u: object, _f: object, reason: ReasonCode, _p: Properties | None) -> None:
            if self.connected.is_set():
                log.warning("lost the broker at %s (%s): trying again", self._broker.url, reason)
            elif five and self._broker.protocol == "auto":
                tell(lambda: outcome.put_nowait("wrong version"))
            tell(self.connected.clear)

        def on_connect_fail(_c: paho.Client, _u: object) -> None:
            log.warning("no broker at %s yet: trying again", self._broker.url)

        def on_message(_c: paho.Client, _u: object, message: paho.MQTTMessage) -> None:
            on_publications(
                [Publication(message.topic, bytes(message.payload), message.retain, message.mid, message.qos)]
            )

        def on_publications(came: Sequence[Publication]) -> None:
            now_s, connection = time.monotonic(), self._connection
            wanted: list[Message] = []
            for topic, payload, retained, mid, qos in came:
                if asked_for(topic):
                    wanted.append(Message(topic, payload, retained, (mid, qos, connection), now_s))
                else:
                    # amqtt gives a session that comes back what was meant for another one.
                    log.debug("not asked for: a message on %s", topic)
                    client.ack(mid, qos)
            self._inbox.put(wanted, loop)

        def on_publish(_c: paho.Client, _u: object, _m: int, reason: ReasonCode, _p: Properties | None) -> None:
            if reason.is_failure:
                log.warning("the broker at %s did not take a message: %s", self._broker.url, reason)

        client.on_connect, client.on_disconnect, client.on_connect_fail = on_connect, on_disconnect, on_connect_fail
        client.on_message, client.on_publish, client.on_socket_open = on_message, on_publish, on_socket_open
        client.on_publications = on_publications

    def _came_up(self) -> None:
        self.connected.set()
        if self.on_connected is not None:
            self.on_connected()
