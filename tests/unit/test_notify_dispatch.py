"""The outbox with real channels: at least once handed over, at most one visible, a dead one in nobody's way."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.alerts import dispatch
from gateway.alerts.dispatch import Dispatcher, given_up
from gateway.alerts.notifiers import Notification, Notifier, NotifierError
from gateway.alerts.notifiers.ntfy import NtfyNotifier
from gateway.alerts.notifiers.webhook import WebhookNotifier
from gateway.database import Database
from gateway.records import open_records
from stream.events import Severity
from tests.receiver import DROPS, FAILS, HANGS, OK, Receiver, patience, receiving

ROOT = Path(__file__).parents[2]
S = 1_000_000_000


def note(name: str, **changes: object) -> Notification:
    usual = {
        "id": name,
        "what": "firing",
        "severity": Severity.WARNING,
        "title": name,
        "text": "",
        "station": "conrad",
        "alert_id": "a",
        "created_at": time.time_ns(),
    }
    return Notification.model_validate(usual | changes)


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[Database]:
    records = await open_records(tmp_path / "gateway.db")
    yield records
    await records.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_FIRST_PAUSE_S", 0.01)


@asynccontextmanager
async def running(records: Database, *notifiers: Notifier) -> AsyncIterator[Dispatcher]:
    dispatcher = Dispatcher(records, notifiers)
    task = asyncio.create_task(dispatcher.run())
    yield dispatcher
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def put(records: Database, dispatcher: Dispatcher, *notes: Notification) -> None:
    async with records.transaction() as connection:
        for one in notes:
            await dispatcher.put(connection, one)
    dispatcher.wake()


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(600):
        if condition():
            return
        await asyncio.sleep(0.005)
    pytest.fail("not within 3 s")


async def settled(dispatcher: Dispatcher, within_s: float = 5.0) -> dict[tuple[str, str], tuple[bool, int, str]]:
    """By id and channel: whether it was handed over, attempts, trouble; when nothing waits any more."""
    async with asyncio.timeout(within_s):
        while True:
            rows = [view for _, view in await dispatcher.listed(100)]
            if all(view.handed_over_at or view.given_up_at for view in rows):
                return {
                    (view.id, view.channel): (view.handed_over_at is not None, view.attempts, view.trouble)
                    for view in rows
                }
            await asyncio.sleep(0.01)


async def test_it_is_tried_until_the_service_takes_it_whatever_it_did_before(
    records: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "HAND_OVER_S", 0.3)
    receiver.answers = [FAILS, patience(1), HANGS, DROPS, OK]
    begun_s = time.monotonic()
    async with running(records, WebhookNotifier(receiver.url)) as dispatcher:
        await put(records, dispatcher, note("one"))
        found = await settled(dispatcher)
    assert found["one", "webhook"][:2] == (True, 5)
    assert time.monotonic() - begun_s > 1.0, "Retry-After was not waited for"
    assert {request.json["id"] for request in receiver.got} == {"one"}
    assert {request.headers["idempotency-key"] for request in receiver.got} == {"one"}


async def test_a_channel_that_hangs_holds_up_no_other(records: Database, receiver: Receiver) -> None:
    async with receiving() as dead:
        dead.answers = [HANGS]
        channels = WebhookNotifier(dead.url, name="dead"), WebhookNotifier(receiver.url, name="live")
        async with running(records, *channels) as dispatcher:
            for number in range(20):
                await put(records, dispatcher, note(f"{number}"))
            await until(lambda: len(receiver.got) == 20)
            assert len(dead.got) == 1


async def test_a_notification_goes_to_the_channels_it_names_and_to_all_when_there_is_none_of_them(
    records: Database, receiver: Receiver
) -> None:
    channels = WebhookNotifier(receiver.url, name="anna"), WebhookNotifier(receiver.url, name="ben")
    async with running(records, *channels) as dispatcher:
        await put(records, dispatcher, note("1", to=("ben",)), note("2", to=("nobody",)), note("3"))
        assert set(await settled(dispatcher)) == {
            ("1", "ben"),
            *((name, channel) for name in "23" for channel in ("anna", "ben")),
        }


async def test_in_a_thread_the_earlier_one_goes_first_even_when_it_has_to_be_tried_again(
    records: Database, receiver: Receiver
) -> None:
    receiver.answers = [FAILS, OK]
    async with running(records, WebhookNotifier(receiver.url)) as dispatcher:
        await put(records, dispatcher, note("fires", thread="t"), note("over", thread="t"), note("other"))
        await settled(dispatcher)
    order = [request.json["id"] for request in receiver.got]
    assert order.index("over") > len(order) - 1 - order[::-1].index("fires")


class Devices:
    """A channel of two devices, one of which is out of order."""

    name = "devices"

    def __init__(self) -> None:
        self.got: list[str] = []
        self.broken = True

    async def hand_over(self, notification: Notification) -> None:
        self.got.append(notification.id)
        if self.broken:
            raise NotifierError("1 of 2 devices", retryable=True, retry_after_s=60.0, partly=True)

    async def close(self) -> None:
        self.got = list(self.got)


async def test_a_device_that_is_out_of_order_holds_up_no_other_and_gets_only_the_last_of_a_thread(
    records: Database,
) -> None:
    devices = Devices()
    async with running(records, devices) as dispatcher:
        await put(records, dispatcher, note("fires", thread="t"))
        await settled(dispatcher)
        devices.broken = False
        await put(records, dispatcher, note("other"), note("over", thread="t"))
        await until(lambda: len(devices.got) == 3)
    assert devices.got == ["fires", "other", "over"]
    assert await records.rows("SELECT id FROM notifications WHERE waiting_since_ns IS NOT NULL") == []


@pytest.mark.parametrize(
    ("severity", "hours", "needed"),
    [
        ("info", 5, True),
        ("info", 7, False),
        ("warning", 25, False),
        ("critical", 6 * 24, True),
        ("critical", 200, False),
    ],
)
def test_what_is_critical_is_needed_for_a_week(severity: str, hours: float, needed: bool) -> None:
    told = note("one", severity=severity, created_at=0)
    assert given_up(told, round(hours * 3600 * S)) is not needed


_KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from gateway.alerts import dispatch
from gateway.alerts.notifiers import Notification
from gateway.alerts.notifiers.ntfy import NtfyNotifier
from gateway.records import open_records

async def main(folder, url, text):
    records = await open_records(Path(folder) / "gateway.db")
    dispatcher = dispatch.Dispatcher(records, [NtfyNotifier("phone", url, "alerts")])
    async with records.transaction() as connection:
        await dispatcher.put(connection, Notification.model_validate_json(text))
    attempt = dispatch._attempt
    async def then_killed(notifier, notification):
        await attempt(notifier, notification)
        os.kill(os.getpid(), signal.SIGKILL)
    dispatch._attempt = then_killed
    await dispatcher.run()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_killed_between_hand_over_and_record_it_goes_out_again_and_is_seen_once(
    tmp_path: Path, receiver: Receiver
) -> None:
    told = note("one", thread="t" * 16, severity=Severity.CRITICAL)
    command = [sys.executable, "-c", _KILLED, str(tmp_path), receiver.url, told.model_dump_json()]
    killed = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    records = await open_records(tmp_path / "gateway.db")
    async with running(records, NtfyNotifier("phone", receiver.url, "alerts")) as dispatcher:
        found = await settled(dispatcher)
    await records.close()
    assert found["one", "phone"][0]
    assert len(receiver.got) == 2
    first, second = (json.loads(request.body) for request in receiver.got)
    assert first == second
    assert first["sequence_id"] == told.thread
