"""The outbox of notifications: written with the alert that they tell of, handed over until somebody took them.

Each channel has a task of its own, so that a dead one holds up nothing else. The one retry loop of all notifiers.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

import aiosqlite

from gateway.alerts.notifiers import Notification, Notifier, NotifierError
from gateway.database import Database
from gateway.stores import StoreError
from gateway.views import NotificationView
from stream.instant import SECOND_NS

log = logging.getLogger(__name__)

Result = TypeVar("Result")

HAND_OVER_S = 30.0
"""An attempt that takes longer has failed."""
GIVE_UP_NS = 24 * 3600 * SECOND_NS
"""A notification this old helps nobody any more."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 300.0
_STORE_PAUSE_S = 1.0

_PUT = """INSERT INTO notifications (id, channel, notification, created_ns, detected_ns, waiting_since_ns)
    VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id, channel) DO NOTHING"""
_NEXT = """SELECT number, notification, attempts FROM notifications
    WHERE channel = ? AND waiting_since_ns IS NOT NULL ORDER BY waiting_since_ns, number LIMIT 1"""
_DONE = "UPDATE notifications SET handed_over_ns = ?, waiting_since_ns = NULL, attempts = attempts + 1 WHERE number = ?"
_FAILED = """UPDATE notifications SET waiting_since_ns = ?, given_up_ns = ?, trouble = ?, attempts = attempts + 1
    WHERE number = ?"""
_LIST = """SELECT number, notification, channel, handed_over_ns, given_up_ns, attempts, trouble FROM notifications
    WHERE number < ? ORDER BY number DESC LIMIT ?"""


def pause_s(failures: int, retry_after_s: float, luck: float) -> float:
    """How long a channel rests after its n-th failure in a row: 1, 2, 4 ... 300 s, spread by luck (0..1) over half of
    it, and never less than the channel asked for."""
    grown = min(_FIRST_PAUSE_S * 2.0 ** min(failures - 1, 20), _LONGEST_PAUSE_S)
    return max(grown * (0.5 + 0.5 * luck), retry_after_s)


class Dispatcher:
    """Hands notifications over to the channels that there are."""

    def __init__(
        self, records: Database, notifiers: Sequence[Notifier], clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._records = records
        self._notifiers = {notifier.name: notifier for notifier in notifiers}
        self._clock = clock
        self._news = {name: asyncio.Event() for name in self._notifiers}

    async def put(self, connection: aiosqlite.Connection, notification: Notification) -> None:
        """One row a channel, inside the transaction of whatever it tells of. The same notification again is once."""
        told = notification
        text, now_ns = told.model_dump_json(), told.created_at
        # A name that no channel has (the settings were changed) must not mean that nobody is told.
        names = [name for name in self._notifiers if name in told.to] or list(self._notifiers)
        rows = [(told.id, name, text, now_ns, told.detected_at, now_ns) for name in names]
        await connection.executemany(_PUT, rows)

    def wake(self) -> None:
        """There is something new: called after the commit."""
        for news in self._news.values():
            news.set()

    async def run(self) -> None:
        """Hand over until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for notifier in self._notifiers.values():
                    group.create_task(self._serve(notifier))
        finally:
            for notifier in self._notifiers.values():
                await notifier.close()

    async def _serve(self, notifier: Notifier) -> None:
        failures = 0
        news = self._news[notifier.name]
        while True:
            news.clear()
            found = await self._patiently(partial(self._records.rows, _NEXT, (notifier.name,)))
            if not found:
                await news.wait()
                continue
            ((number, text, attempts),) = found
            trouble = await _attempt(notifier, Notification.model_validate_json(text))
            if trouble is None:
                failures = 0
                await self._patiently(partial(self._write, _DONE, (self._clock(), number)))
                continue
            log.warning("channel %s, attempt %d: %s", notifier.name, attempts + 1, trouble)
            await self._failed(number, text, trouble)
            if trouble.retryable:
                failures += 1
                await asyncio.sleep(pause_s(failures, trouble.retry_after_s, random.random()))  # noqa: S311

    async def _failed(self, number: int, text: str, trouble: NotifierError) -> None:
        """The message goes behind the others of its channel, or is given up."""
        now_ns = self._clock()
        hopeless = not trouble.retryable or now_ns - Notification.model_validate_json(text).created_at > GIVE_UP_NS
        row = (None if hopeless else now_ns, now_ns if hopeless else None, str(trouble)[:500], number)
        await self._patiently(partial(self._write, _FAILED, row))

    async def _write(self, statement: str, values: tuple[int | str | None, ...]) -> None:
        async with self._records.transaction() as connection:
            await connection.execute(statement, values)

    async def _patiently(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Until the file lets us: what was handed over must be marked before the next one, or it goes out twice."""
        while True:
            try:
                return await work()
            except StoreError as wrong:
                if not wrong.retryable:
                    raise
                log.error("%s; trying again in %.0f s", wrong, _STORE_PAUSE_S)
                await asyncio.sleep(_STORE_PAUSE_S)

    async def listed(self, limit: int, before: int | None = None) -> list[tuple[int, NotificationView]]:
        """Newest first, each with its number; `before` is the number of the last one of the page before."""
        rows = await self._records.rows(_LIST, (2**63 - 1 if before is None else before, limit))
        listed = []
        for number, text, channel, handed_over_ns, given_up_ns, attempts, trouble in rows:
            message = Notification.model_validate_json(text)
            view = NotificationView(
                id=message.id,
                channel=channel,
                alert_id=message.alert_id,
                what=message.what,
                severity=message.severity,
                title=message.title,
                created_at=message.created_at,
                detected_at=message.detected_at,
                handed_over_at=handed_over_ns,
                given_up_at=given_up_ns,
                attempts=attempts,
                trouble=trouble,
            )
            listed.append((number, view))
        return listed


async def _attempt(notifier: Notifier, notification: Notification) -> NotifierError | None:
    try:
        async with asyncio.timeout(HAND_OVER_S):
            await notifier.hand_over(notification)
    except NotifierError as trouble:
        return trouble
    except TimeoutError:
        return NotifierError(f"no answer within {HAND_OVER_S:g} s", retryable=True)
    return None
