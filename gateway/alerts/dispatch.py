"""The outbox of notifications: written with the alert that they tell of, handed over until somebody took them.

Each channel has a task of its own, so that a dead one holds up nothing else. The one retry loop of all notifiers.
"""

import asyncio
import contextlib
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
from stream.events import Severity
from stream.instant import SECOND_NS

log = logging.getLogger(__name__)

Result = TypeVar("Result")

HAND_OVER_S = 30.0
"""An attempt that takes longer has failed."""
GIVE_UP_S = {Severity.INFO: 6 * 3600.0, Severity.WARNING: 24 * 3600.0, Severity.CRITICAL: 7 * 24 * 3600.0}
"""A notification this old helps nobody any more."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_STORE_PAUSE_S = 1.0

_PUT = """INSERT INTO notifications (id, channel, notification, created_ns, detected_ns, waiting_since_ns, thread)
    VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id, channel) DO NOTHING"""
# What some devices of a channel have and others do not is needed no more when the next of its thread is on its way.
_REPLACED = """UPDATE notifications SET waiting_since_ns = NULL
    WHERE channel = ? AND thread = ? AND id != ? AND waiting_since_ns IS NOT NULL AND handed_over_ns IS NOT NULL"""
# In a thread the earlier one goes first: it must not take the place of the later one.
_NEXT = """SELECT number, notification, attempts, handed_over_ns, waiting_since_ns FROM notifications AS one
    WHERE channel = ? AND waiting_since_ns IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM notifications AS earlier
        WHERE earlier.channel = one.channel AND earlier.thread = one.thread AND earlier.number < one.number
        AND earlier.waiting_since_ns IS NOT NULL AND earlier.handed_over_ns IS NULL)
    ORDER BY waiting_since_ns, number LIMIT 1"""
_DONE = """UPDATE notifications SET handed_over_ns = coalesce(handed_over_ns, ?), waiting_since_ns = NULL,
    attempts = attempts + 1 WHERE number = ?"""
_FAILED = """UPDATE notifications SET handed_over_ns = coalesce(handed_over_ns, ?), waiting_since_ns = ?,
    given_up_ns = ?, trouble = ?, attempts = attempts + 1 WHERE number = ?"""
_LIST = """SELECT number, notification, channel, handed_over_ns, given_up_ns, attempts, trouble FROM notifications
    WHERE number < ? ORDER BY number DESC LIMIT ?"""


def pause_s(failures: int, retry_after_s: float, luck: float) -> float:
    """How long a channel rests after its n-th failure in a row: 1, 2, 4 ... 60 s, spread by luck (0..1) over half of
    it, and never less than the channel asked for."""
    grown = min(_FIRST_PAUSE_S * 2.0 ** min(failures - 1, 20), _LONGEST_PAUSE_S)
    return max(grown * (0.5 + 0.5 * luck), retry_after_s)


def given_up(notification: Notification, now_ns: int) -> bool:
    """Whether it is so old that nobody needs it any more; what is critical is needed for a week."""
    return now_ns - notification.created_at > GIVE_UP_S[notification.severity] * SECOND_NS


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
        """One row a channel that it is for, inside the transaction of whatever it tells of. The same again is once.

        A page must not be lost to a slip in the settings: what is for nobody that there is, is for everybody.
        """
        told = notification
        text, now_ns = told.model_dump_json(), told.created_at
        channels = [name for name in self._notifiers if name in told.to]
        if not channels:
            if told.to:
                log.error("%s is for %s, and there is no such channel: all get it", told.id, ", ".join(told.to))
            channels = list(self._notifiers)
        await connection.executemany(_REPLACED, [(name, told.place, told.id) for name in channels])
        rows = [(told.id, name, text, now_ns, told.detected_at, now_ns, told.place) for name in channels]
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
            ((number, text, attempts, partly_ns, due_ns),) = found
            if partly_ns is not None and due_ns > self._clock():
                await _heard(news, (due_ns - self._clock()) / SECOND_NS)
                continue
            notification = Notification.model_validate_json(text)
            trouble = await _attempt(notifier, notification)
            if trouble is None:
                failures = 0
                await self._patiently(partial(self._write, _DONE, (self._clock(), number)))
                continue
            log.warning("channel %s, attempt %d: %s", notifier.name, attempts + 1, trouble)
            luck = random.random()  # noqa: S311
            pause = pause_s(attempts + 1, trouble.retry_after_s, luck) if trouble.partly else 0.0
            await self._failed(number, notification, trouble, pause)
            if trouble.retryable and not trouble.partly:
                failures += 1
                await asyncio.sleep(pause_s(failures, trouble.retry_after_s, luck))

    async def _failed(self, number: int, notification: Notification, trouble: NotifierError, pause: float) -> None:
        """The message goes behind the others of its channel, or is given up."""
        now_ns = self._clock()
        hopeless = not trouble.retryable or given_up(notification, now_ns)
        row = (
            now_ns if trouble.partly else None,
            None if hopeless else now_ns + round(pause * SECOND_NS),
            now_ns if hopeless else None,
            str(trouble)[:500],
            number,
        )
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


async def _heard(news: asyncio.Event, within_s: float) -> None:
    """Returns when something new has come, or when time is up."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await news.wait()


async def _attempt(notifier: Notifier, notification: Notification) -> NotifierError | None:
    try:
        async with asyncio.timeout(HAND_OVER_S):
            await notifier.hand_over(notification)
    except NotifierError as trouble:
        return trouble
    except TimeoutError:
        return NotifierError(f"no answer within {HAND_OVER_S:g} s", retryable=True)
    return None
