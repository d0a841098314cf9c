"""A worker: a process that stores its share of the blocks and keeps nothing itself. `gateway/workers.py` starts it."""

import asyncio
import gc
import logging
import signal
import socket
import sys

from gateway import kernels
from gateway.arrivals import Arrival
from gateway.channel import Channel, Kind
from gateway.ingest import Places, ingest_blocks
from gateway.live import encoded, samples_message
from gateway.minutes_due import MinutesDue
from gateway.quarantine import Quarantine
from gateway.records import open_records
from gateway.settings import GatewaySettings
from gateway.stores.opening import open_store
from stream.block import Block
from stream.errors import MagwatchError
from stream.topics import ALL_BACKLOG, ALL_BLOCKS
from stream.transport.link import Link, shared

log = logging.getLogger(__name__)

BEAT_S = 1.0
GROUP = "magwatch"
"""The shared subscription; gateways on several machines are in the same one."""


COLLECTED_EVERY = 50_000
"""Objects; a batch makes thousands, none of which refers to itself."""


class Remote:
    """The Audience (gateway.arrivals) at the other end of a channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.watched = False

    def took(self, arrival: Arrival) -> None:
        """A batch that is stored."""
        self._channel.send(Kind.ARRIVAL, arrival.model_dump_json().encode())

    def show(self, block: Block) -> None:
        """A live block that is stored."""
        self._channel.send(Kind.SHOWN, encoded("samples", samples_message(block)))

    def missed(self) -> None:
        """There was more than a page can take."""
        self._channel.send(Kind.MISSED)

    def failed(self, what: str) -> None:
        """Something has not worked and will be tried again."""
        self._channel.send(Kind.FAILED, what.encode())


async def work(number: int, end: socket.socket) -> None:
    """Until the gateway is gone."""
    channel = await Channel.over(end)
    first = await channel.receive()
    if first is None:
        return
    settings = GatewaySettings.model_validate_json(first[1])
    remote = Remote(channel)
    beating = asyncio.create_task(_beat(channel))
    store = await open_store(settings)
    records = await open_records(settings.data_dir / "gateway.db")
    try:
        await kernels.ready()
        gc.freeze()
        gc.set_threshold(COLLECTED_EVERY)
        names = [f"{settings.client_id}-{lane}-{number}" for lane in ("blocks", "backlog")]
        asked = [(shared(GROUP, topic),) for topic in (ALL_BLOCKS, ALL_BACKLOG)]
        live, backlog = (
            Link(settings.broker, name, subscriptions=topics, stateless=True)
            for name, topics in zip(names, asked, strict=True)
        )
        places = Places(store, MinutesDue(records), Quarantine(records))
        async with asyncio.TaskGroup() as group:
            working = [
                group.create_task(live.run()),
                group.create_task(backlog.run()),
                group.create_task(ingest_blocks(live, places, remote, live=True)),
                group.create_task(ingest_blocks(backlog, places, remote, live=False)),
            ]
            while (frame := await channel.receive()) is not None:
                if frame[0] is Kind.WATCHED:
                    remote.watched = frame[1] == b"\x01"
            for task in (*working, beating):
                task.cancel()
    finally:
        await store.close()
        await records.close()


async def _beat(channel: Channel) -> None:
    while True:
        channel.send(Kind.BEAT)
        await asyncio.sleep(BEAT_S)


def main() -> int:
    """`python -m gateway.worker NUMBER DESCRIPTOR`: the gateway's own way to start it."""
    number, descriptor = int(sys.argv[1]), int(sys.argv[2])
    # Ctrl-C reaches every process of a terminal; a worker ends with its gateway, which closes the channel.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    level = logging.getLevelName(sys.argv[3])
    logging.basicConfig(
        level=level, format=f"%(asctime)s %(levelname)-7s worker {number}: %(message)s", stream=sys.stderr
    )
    for chatty in ("aiosqlite", "numba"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    code = 0
    try:
        asyncio.run(work(number, socket.socket(fileno=descriptor)))
    except* MagwatchError as several:
        for wrong in several.exceptions:
            log.error("%s", wrong)
        code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
