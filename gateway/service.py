"""The gateway as one process: its files are opened, then ingest, alert desk and page run side by side."""

import asyncio
import contextlib
import logging
import socket
import sys
import time
from collections.abc import Coroutine, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path

from gateway import kernels
from gateway.access import Access
from gateway.alerts import picture
from gateway.alerts.actions import Actions, Links
from gateway.alerts.desk import AlertDesk
from gateway.alerts.notifiers.opening import Means, opened
from gateway.alerts.notifiers.vapid import Vapid
from gateway.alerts.subscriptions import Subscriptions
from gateway.api import ApiServer, create_app, listening_socket
from gateway.api.actions import actions
from gateway.api.push import push
from gateway.clock_watch import ClockWatch
from gateway.devices import Devices
from gateway.ingest import Places, ingest_blocks, ingest_events, until_done
from gateway.live import Hub
from gateway.minutes import keep_minutes_up
from gateway.minutes_due import MinutesDue
from gateway.outage import Outage
from gateway.quarantine import Quarantine
from gateway.reception import Reception
from gateway.records import open_records
from gateway.retention import keep_house
from gateway.settings import GatewaySettings, ListenSettings, SqliteSettings
from gateway.starting import answering
from gateway.stations import Stations
from gateway.stores import Store
from gateway.stores.opening import open_store
from gateway.stores.sqlite import SqliteStore
from gateway.workers import Workers
from stream.errors import MagwatchError
from stream.topics import ALL_BACKLOG, ALL_BLOCKS, ALL_EVENTS, ALL_READINGS, ALL_STATUS
from stream.transport.link import Link

log = logging.getLogger(__name__)

WEB = Path(__file__).parent / "web"
TICK_S = 0.5


async def serve(settings: GatewaySettings, workers: int = 0) -> None:
    """With `workers` the blocks are stored by so many other processes, else by this one.

    Runs until cancelled. Raises MagwatchError when it cannot start, with what to do about it."""
    listening = listening_socket(settings.listen.host, settings.listen.port)
    folder = settings.data_dir
    try:
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    except OSError as wrong:
        raise MagwatchError(f"{folder}: cannot be written: {wrong}: set data_dir to a writable folder") from wrong
    await answering(kernels.ready(), listening, settings.listen)
    hub = Hub()
    async with contextlib.AsyncExitStack() as stack:
        store = await open_store(settings)
        stack.push_async_callback(store.close)
        records = await open_records(folder / "gateway.db")
        stack.push_async_callback(records.close)
        access = Access(records, anonymous=settings.listen.anonymous, public_url=settings.listen.public_url)
        await _let_in(access, settings.listen)
        quarantine = Quarantine(records)
        places = Places(store, MinutesDue(records), quarantine)
        pictures = picture.Pictures(store, picture.WITHIN_S, time.time_ns)
        stack.callback(pictures.close)
        public_url = settings.listen.public_url
        links = Links.open(folder, public_url) if public_url else None
        means = Means(links, Vapid.open(folder), Subscriptions(records), pictures.of)
        notifiers = list(opened(settings.notify.channels, means, settings.alerts.directory.zone_of))
        desk = AlertDesk(records, settings.alerts, notifiers, hub)
        now_ns = time.time_ns()
        stations = await Stations.open(records, desk, hub, now_ns, ClockWatch(now_ns))
        await asyncio.to_thread(picture.warm_up)
        events = Link(settings.broker, f"{settings.client_id}-events", subscriptions=(ALL_EVENTS, ALL_STATUS))
        outage = Outage(desk, settings.client_id, events.connected.is_set)
        stations.deaf = lambda: outage.deaf
        await outage.recall()
        reception = Reception(stations, hub, outage)
        readings = Link(settings.broker, f"{settings.client_id}-readings", subscriptions=(ALL_READINGS,))
        more = [push(settings.notify.channels, means.vapid, means.subscriptions)]
        if links is not None:
            more.append(actions(Actions(records, links, desk)))
        app = create_app(
            *(store, desk, stations, hub, quarantine, WEB),
            access=access,
            reception=reception,
            connected=events.connected.is_set,
            version=version("magwatch"),
            loopback=settings.listen.loopback,
            more=tuple(more),
        )
        async with asyncio.TaskGroup() as group:
            for work in (
                events.run(),
                ingest_events(events, desk, quarantine, stations, hub),
                readings.run(),
                Devices(readings, places, records, desk).run(hub, reception),
                *_storing(settings, workers, places, reception),
                keep_minutes_up(store, records),
                *_housekeeping(store, settings),
                desk.run(),
                _tick(desk, stations, outage),
                access.keep_house(),
                _serve_page(ApiServer(app, hub, settings.listen), listening, settings.listen.scheme),
            ):
                group.create_task(work)


async def _let_in(access: Access, listen: ListenSettings) -> None:
    """Without an account: prints the link that makes the first. Raises MagwatchError when others than this machine
    could come in then."""
    if await access.accounts.any():
        if not listen.loopback and listen.certificate_file is None and not listen.behind_proxy:
            log.warning("passwords cross the network in clear: set listen.certificate_file and key_file")
        return
    if not listen.loopback:
        raise MagwatchError(
            f"listen.host is {listen.host} and there is no account: make one first, with "
            "`magwatch account add NAME --role admin --config FILE`, or let host be 127.0.0.1"
        )
    url = listen.public_url or f"{listen.scheme}://{_in_url(listen.host)}:{listen.port}"
    # Not for the log: it opens the door.
    sys.stderr.write(
        "There are no accounts, so everybody on this machine is an admin. To make the first, once, within an hour:\n"
        f"  {url}/login#first={access.first_key()}\n"
    )
    sys.stderr.flush()


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _storing(
    settings: GatewaySettings, workers: int, places: Places, reception: Reception
) -> Iterator[Coroutine[None, None, None]]:
    """Blocks and backlog have links of their own: a backlog must not hold up what is live, nor the store an alarm."""
    if workers:
        yield Workers(settings, workers, reception).run()
        return
    for name, topic, live in (("blocks", ALL_BLOCKS, True), ("backlog", ALL_BACKLOG, False)):
        link = Link(settings.broker, f"{settings.client_id}-{name}", subscriptions=(topic,))
        yield link.run()
        yield ingest_blocks(link, places, reception, live=live)


def _housekeeping(store: Store, settings: GatewaySettings) -> Iterator[Coroutine[None, None, None]]:
    """A database keeps house by itself."""
    if isinstance(store, SqliteStore) and isinstance(settings.store, SqliteSettings):
        yield keep_house(store, settings.store)


async def _tick(desk: AlertDesk, stations: Stations, outage: Outage) -> None:
    """What falls due by the mere passing of time."""
    while True:
        now_ns = time.time_ns()
        await until_done(partial(outage.tick, now_ns), "the alert desk")
        await until_done(partial(stations.tick, now_ns), "the fleet's record")
        await until_done(partial(desk.tick, now_ns), "the alert desk")
        await asyncio.sleep(TICK_S)


async def _serve_page(server: ApiServer, listening: socket.socket, scheme: str) -> None:
    host, port, *_ = listening.getsockname()
    log.info("the page is at %s://%s:%d/", scheme, _in_url(host), port)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving
