"""`magwatch edge` as its users start it, with a real instrument's driver."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from stream.codec import decode
from stream.transport.broker import BrokerSettings
from stream.transport.link import Link

CONFIG = """
station = "P"
data_dir = "{folder}/P"
broker.url = "{broker}"
[[sensors]]
name = "mag"
[sensors.source]
type = "textline"
separator = ";"
rate_hz = 20
link = {{ type = "tcp", host = "127.0.0.1", port = {port} }}
time = {{ columns = [1], format = "unix_ms" }}
channels = [{{ name = "x", column = 2, lsb = 1.0 }}]
"""


async def test_what_an_instrument_says_since_it_was_reached_is_sent_from_the_first_line_on(
    mosquitto, tmp_path: Path, make_edge: Callable
) -> None:
    """Also what it says while the agent is still being loaded."""

    async def logger(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun_ms = time.time_ns() // 1_000_000
        for number in range(2000):
            writer.write(b"%d;%d\n" % (begun_ms + 50 * number, 20_000 + number))
            await asyncio.sleep(0.05)

    server = await asyncio.start_server(logger, "127.0.0.1", 0)
    link = Link(BrokerSettings(url=mosquitto.url), "watcher", subscriptions=("mag/1/P/mag/block",))
    watching = asyncio.ensure_future(link.run())
    await asyncio.wait_for(link.connected.wait(), 10)
    config = tmp_path / "P.toml"
    config.write_text(CONFIG.format(folder=tmp_path, broker=mosquitto.url, port=server.sockets[0].getsockname()[1]))
    edge = make_edge(config)
    sent: list[int] = []
    try:
        async with asyncio.timeout(30):
            while len(sent) < 60:
                for message in await link.receive(100):
                    sent += decode(message.payload).samples.counts[:, 0].tolist()
    finally:
        edge.kill()
        watching.cancel()
        server.close()
    assert sent == list(range(20_000, 20_000 + len(sent)))
