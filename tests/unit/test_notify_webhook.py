"""The webhook against a real HTTP server: what is sent, and which answers a retry can help."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from gateway.alerts.notifiers import Notification, NotifierError
from gateway.alerts.notifiers.http import wait_s
from gateway.alerts.notifiers.webhook import WebhookNotifier
from stream.errors import SettingsError
from stream.events import Severity
from tests.receiver import DROPS, FAILS, Receiver, patience, receiving

NOTE = Notification(
    id="ab" * 16,
    what="firing",
    severity=Severity.CRITICAL,
    title="Step at conrad: 12.5 nT",
    text="fge, since 2024-05-10T17:05:00Z.",
    station="conrad",
    created_at=1_715_360_700_000_000_000,
)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def test_a_notification_is_posted_as_json_with_its_id_and_the_headers_that_were_set(receiver: Receiver) -> None:
    webhook = WebhookNotifier(f"{receiver.url}/hook", {"Authorization": "Bearer secret"})
    await webhook.hand_over(NOTE)
    await webhook.close()
    (request,) = receiver.got
    assert (request.method, request.path) == ("POST", "/hook")
    assert request.headers["idempotency-key"] == NOTE.id
    assert request.headers["authorization"] == "Bearer secret"
    assert (request.json["title"], request.json["created_at"]) == (NOTE.title, "2024-05-10T17:05:00Z")


@pytest.mark.parametrize(
    ("answer", "retryable", "retry_after_s"),
    [
        (FAILS, True, 0.0),
        (b"HTTP/1.1 503 Busy\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n", True, 17.0),
        (patience(99_999_999), True, 3600.0),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", False, 0.0),
        (b"HTTP/1.1 302 Found\r\nLocation: http://example.org/\r\nContent-Length: 0\r\n\r\n", False, 0.0),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnone", True, 0.0),
        (b"nonsense\r\n\r\n", True, 0.0),
        (DROPS, True, 0.0),
    ],
)
async def test_an_answer_says_whether_a_retry_can_help(
    receiver: Receiver, answer: bytes, retryable: bool, retry_after_s: float
) -> None:
    receiver.answers = [answer]
    webhook = WebhookNotifier(receiver.url)
    with pytest.raises(NotifierError) as trouble:
        await webhook.hand_over(NOTE)
    await webhook.close()
    assert (trouble.value.retryable, trouble.value.retry_after_s) == (retryable, retry_after_s)


async def test_an_answer_without_end_is_not_read_to_the_end(receiver: Receiver) -> None:
    receiver.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 200_000]
    webhook = WebhookNotifier(receiver.url)
    await webhook.hand_over(NOTE)
    await webhook.close()


async def test_nobody_there_is_worth_a_retry() -> None:
    webhook = WebhookNotifier("http://127.0.0.1:9/")
    with pytest.raises(NotifierError) as trouble:
        await webhook.hand_over(NOTE)
    await webhook.close()
    assert trouble.value.retryable


def test_an_address_that_is_none_is_refused_at_the_start() -> None:
    with pytest.raises(SettingsError, match=r"notify\.channels\.duty"):
        WebhookNotifier("http://[::1/", name="duty")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 0.0),
        ("5", 5.0),
        ("soon", 0.0),
        ("Fri, 10 May 2024 17:05:30 GMT", 30.0),
        ("Fri, 10 May 2024 17:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_read_as_a_number_or_a_date(header: str, seconds: float) -> None:
    assert wait_s(header, datetime(2024, 5, 10, 17, 5, tzinfo=UTC)) == seconds
