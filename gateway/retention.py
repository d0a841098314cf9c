"""Housekeeping of the embedded store, in the background: what is too old goes, what has come is summed up.

Everything is done in transactions of some milliseconds, with rests between them: the ingest goes first.
"""

import asyncio
import logging
import time

from gateway.settings import SqliteSettings
from gateway.stores import StoreError
from gateway.stores.sqlite import SqliteStore
from stream.instant import SECOND_NS

log = logging.getLogger(__name__)

DAY_NS = 86_400 * SECOND_NS
FORGET_EVERY_S = 3600.0
_PAUSE_S = 2.0
_REST_S = 0.02
_RETRY_S = 10.0


async def keep_house(store: SqliteStore, settings: SqliteSettings) -> None:
    """Runs until cancelled. One process of a gateway does."""
    forget_at_s = 0.0
    while True:
        try:
            if time.monotonic() >= forget_at_s:
                await forget_old(store, settings, time.time_ns())
                forget_at_s = time.monotonic() + FORGET_EVERY_S
            more = await store.tidy(time.time_ns())
        except StoreError as wrong:
            if not wrong.retryable:
                raise
            log.error("housekeeping of the store: %s; trying again in %.0f s", wrong, _RETRY_S)
            await asyncio.sleep(_RETRY_S)
            continue
        await asyncio.sleep(_REST_S if more else _PAUSE_S)


async def forget_old(store: SqliteStore, settings: SqliteSettings, now_ns: int) -> None:
    """Drops what is older than the settings say and returns its room, when that is much, to the file system."""
    if settings.keep_days is not None:
        forgotten = await store.forget(now_ns - settings.keep_days * DAY_NS)
        log.info("%d samples were older than %d days and are forgotten", forgotten, settings.keep_days)
    if settings.keep_minutes_days is not None:
        # Whole days: of a day that is cut, the rest would be written anew for every sensor.
        forgotten = await store.forget_minutes((now_ns // DAY_NS - settings.keep_minutes_days) * DAY_NS)
        log.info("%d minutes were older than %d days and are forgotten", forgotten, settings.keep_minutes_days)
    while await store.give_back():  # noqa: ASYNC110
        await asyncio.sleep(_REST_S)
