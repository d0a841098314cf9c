"""The webhook against a real HTTP server: what is sent, and which answers a retry can help."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from gateway.alerts.notifiers import Notification, NotifierError
from gateway.alerts.notifiers.webhook import WebhookNotifier, _wait_s
from stream.errors import SettingsError
from stream.events import Severity

NOTE = Notification(
    id="ab" * 16,
    what="firing",
    severity=Severity.CRITICAL,
    title="Step at conrad: 12.5 nT",
    text="fge, since 2024-05-10T17:05:00Z.",
    station="conrad",
    created_at=1_715_360_700_000_000_000,
)


@dataclass
class Receiver:
    """Answers every request with the same text and keeps what it got."""

    url: str = ""
    answer: bytes = b"HTTP/1.1 204 No Content\r\n\r\n"
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(line for line in head.lower().splitlines() if line.startswith("content-length:")).split(":")[1]
        self.heads.append(head)
        self.bodies.append(await reader.readexactly(int(length)))
        writer.write(self.answer)
        writer.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    yield receiver
    server.close()
    await server.wait_closed()


async def test_a_notification_is_posted_as_json_with_its_id_and_the_headers_that_were_set(receiver: Receiver) -> None:
    webhook = WebhookNotifier(receiver.url, {"Authorization": "Bearer secret"})
    await webhook.hand_over(NOTE)
    await webhook.close()
    assert receiver.heads[0].startswith("POST /hook HTTP/1.1")
    assert f"idempotency-key: {NOTE.id}" in receiver.heads[0].lower()
    assert "authorization: bearer secret" in receiver.heads[0].lower()
    sent = json.loads(receiver.bodies[0])
    assert (sent["title"], sent["created_at"]) == (NOTE.title, "2024-05-10T17:05:00Z")


@pytest.mark.parametrize(
    ("answer", "retryable", "retry_after_s"),
    [
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", True, 0.0),
        (b"HTTP/1.1 503 Busy\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n", True, 17.0),
        (b"HTTP/1.1 429 Slow Down\r\nRetry-After: 99999999\r\nContent-Length: 0\r\n\r\n", True, 3600.0),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", False, 0.0),
        (b"HTTP/1.1 302 Found\r\nLocation: http://example.org/\r\nContent-Length: 0\r\n\r\n", False, 0.0),
        (b"nonsense\r\n\r\n", True, 0.0),
        (b"", True, 0.0),
    ],
)
async def test_an_answer_says_whether_a_retry_can_help(
    receiver: Receiver, answer: bytes, retryable: bool, retry_after_s: float
) -> None:
    receiver.answer = answer
    webhook = WebhookNotifier(receiver.url)
    with pytest.raises(NotifierError) as trouble:
        await webhook.hand_over(NOTE)
    await webhook.close()
    assert (trouble.value.retryable, trouble.value.retry_after_s) == (retryable, retry_after_s)


async def test_nobody_there_is_worth_a_retry() -> None:
    webhook = WebhookNotifier("http://127.0.0.1:9/")
    with pytest.raises(NotifierError) as trouble:
        await webhook.hand_over(NOTE)
    await webhook.close()
    assert trouble.value.retryable


def test_an_address_that_is_none_is_refused_at_the_start() -> None:
    with pytest.raises(SettingsError, match=r"notify\.webhooks"):
        WebhookNotifier("http://[::1/")


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("", 0.0),
        ("5", 5.0),
        ("soon", 0.0),
        ("Fri, 10 May 2024 17:05:30 GMT", 30.0),
        ("Fri, 10 May 2024 17:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_read_as_a_number_or_a_date(header: str, wait_s: float) -> None:
    assert _wait_s(header, datetime(2024, 5, 10, 17, 5, tzinfo=UTC)) == wait_s
