"""The link against a real broker: kept up, nothing acknowledged before its time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from amqtt.broker import Broker

from stream.transport.broker import BrokerSettings
from stream.transport.link import Link


@contextlib.asynccontextmanager
async def running(*links: Link) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(link.run()) for link in links]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def connected(link: Link, within_s: float = 15.0) -> None:
    await asyncio.wait_for(link.connected.wait(), within_s)


async def received(link: Link, count: int) -> list[bytes]:
    payloads: list[bytes] = []
    while len(payloads) < count:
        messages = await asyncio.wait_for(link.receive(100), 10)
        payloads += [message.payload for message in messages]
        link.acknowledge(messages)
    return payloads


async def test_what_is_not_acknowledged_comes_again_to_the_next_process(mosquitto) -> None:
    broker = BrokerSettings(url=mosquitto.url)
    sender = Link(broker, "sender")
    async with running(sender):
        await connected(sender)
        first = Link(broker, "gateway", subscriptions=("mag/1/+/+/block",))
        async with running(first):
            await connected(first)
            await asyncio.sleep(0.2)
            assert sender.publish("mag/1/wic/fge/block", b"once")
            await asyncio.wait_for(first.receive(10), 10)  # and dies without acknowledging
        second = Link(broker, "gateway", subscriptions=("mag/1/+/+/block",))
        async with running(second):
            assert await received(second, 1) == [b"once"]


async def test_a_link_that_is_cancelled_while_it_comes_up_ends(mosquitto) -> None:
    link = Link(BrokerSettings(url=mosquitto.url), "short")
    task = asyncio.create_task(link.run())
    link.on_connected = task.cancel
    done, _ = await asyncio.wait({task}, timeout=15)
    task.cancel()
    assert done == {task}
    assert task.cancelled()


async def test_a_link_that_starts_before_its_broker_comes_up_with_it(mosquitto) -> None:
    mosquitto.kill()
    link = Link(BrokerSettings(url=mosquitto.url), "early")
    async with running(link):
        await asyncio.sleep(0.5)
        assert not link.publish("mag/1/wic/status", b"nobody")
        mosquitto.start()
        await connected(link)
        assert link.publish("mag/1/wic/status", b"somebody")


async def test_a_link_comes_back_after_the_broker_was_killed(mosquitto) -> None:
    link = Link(BrokerSettings(url=mosquitto.url), "steady", subscriptions=("mag/1/+/commit",))
    async with running(link):
        await connected(link)
        mosquitto.kill()
        await asyncio.sleep(0.5)
        mosquitto.start()
        await connected(link)
        await asyncio.sleep(0.5)
        assert link.publish("mag/1/wic/commit", b"back")
        assert await received(link, 1) == [b"back"]


async def test_the_last_will_of_a_killed_connection_is_told(mosquitto) -> None:
    watcher = Link(BrokerSettings(url=mosquitto.url), "watcher", subscriptions=("mag/1/+/status",))
    dying = Link(BrokerSettings(url=mosquitto.url), "dying", will=("mag/1/wic/status", b"gone"))
    async with running(watcher, dying):
        await connected(watcher)
        await connected(dying)
        dying._client.socket().close()  # the wire is cut, without a goodbye
        assert await received(watcher, 1) == [b"gone"]


async def test_a_broker_of_the_older_protocol_is_spoken_to_in_it(free_port) -> None:
    port = free_port()
    plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    broker = Broker({"listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}}, "plugins": plugins})
    await broker.start()
    link = Link(BrokerSettings(url=f"mqtt://127.0.0.1:{port}"), "old", subscriptions=("mag/1/+/commit",))
    async with running(link):
        await connected(link, 20)
        await asyncio.sleep(0.3)
        assert link.publish("mag/1/wic/commit", b"hello")
        assert await received(link, 1) == [b"hello"]
    await broker.shutdown()


async def test_what_was_not_asked_for_is_not_passed_on(mosquitto) -> None:
    broker = BrokerSettings(url=mosquitto.url)
    sender = Link(broker, "sender")
    once = Link(broker, "gateway", subscriptions=("mag/1/+/+/event", "mag/1/+/+/block"))
    async with running(sender, once):
        await connected(sender)
        await connected(once)
        await asyncio.sleep(0.2)
    # The broker still holds the wider subscription of the same session.
    again = Link(broker, "gateway", subscriptions=("mag/1/+/+/block",))
    async with running(sender, again):
        await connected(sender)
        await connected(again)
        await asyncio.sleep(0.2)
        sender.publish("mag/1/wic/fge/event", b"not asked for")
        sender.publish("mag/1/wic/fge/block", b"asked for")
        assert await received(again, 1) == [b"asked for"]
