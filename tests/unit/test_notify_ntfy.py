"""ntfy: what its server gets, by the published interface, and what is then seen on a phone."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.alerts.actions import Links
from gateway.alerts.notifiers import Notification, NotifierError
from gateway.alerts.notifiers.ntfy import NtfyNotifier, login
from stream.events import Kind, Severity
from tests.receiver import DROPS, FAILS, Receiver, Request, patience, receiving, saying

NOTE = Notification(
    id="ab" * 16,
    what="firing",
    severity=Severity.CRITICAL,
    title="Sudden commencement in europe, 38 nT",
    text="Since 17:05.",
    station="conrad",
    sensor="fge",
    kind=Kind.COMMENCEMENT,
    alert_id="cd" * 16,
    created_at=1_715_360_700_000_000_000,
    thread="cd" * 16,
)
LINKS = Links(b"k" * 32, "https://magwatch.example.org")
PNG = b"\x89PNG not really"


@dataclass
class Server:
    """Reads a request as ntfy does: JSON at the root, or words in headers with an attachment as the body."""

    attachments: bool = True
    visible: dict[str, dict[str, Any]] = field(default_factory=dict)

    def answer(self, request: Request) -> bytes:
        if request.path == "/":
            message = request.json
            assert message["topic"] == "alerts"
        else:
            assert (request.method, request.path) == ("PUT", "/alerts")
            if not self.attachments:
                return saying(400, {"code": 40014, "http": 400, "error": "invalid request: attachments not allowed"})
            said = request.headers
            message = {
                "title": _plain(said["title"]),
                "message": _plain(said["message"]),
                "priority": int(said["priority"]),
                "tags": said["tags"].split(","),
                "actions": json.loads(said.get("actions", "[]")),
                "click": said.get("click"),
                "sequence_id": said["x-sequence-id"],
                "attachment": request.body,
            }
        self.visible[message["sequence_id"]] = message
        return saying(200, {"id": "x", "event": "message", "sequence_id": message["sequence_id"]})


def _plain(header: str) -> str:
    if header.startswith("=?UTF-8?B?"):
        return base64.b64decode(header[10:-2]).decode()
    return header


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def picture(_: Notification) -> bytes | None:
    return PNG


async def test_words_go_as_json_with_priority_tags_click_and_buttons(receiver: Receiver) -> None:
    server = Server()
    receiver.answer = server.answer
    ntfy = NtfyNotifier("on-call", receiver.url, "alerts", authorization=login("tk_1", None, None), links=LINKS)
    await ntfy.hand_over(NOTE)
    await ntfy.close()
    (request,) = receiver.got
    assert request.headers["authorization"] == "Bearer tk_1"
    message = request.json
    assert (message["title"], message["message"], message["priority"]) == (NOTE.title, NOTE.text, 5)
    assert message["tags"] == ["rotating_light", "zap", "commencement", "conrad"]
    assert message["click"] == f"https://magwatch.example.org/?alert={NOTE.alert_id}"
    assert [(one["action"], one["label"], one["method"]) for one in message["actions"]] == [
        ("http", "Acknowledge", "POST"),
        ("http", "False alarm", "POST"),
    ]
    token = message["actions"][0]["url"].removeprefix("https://magwatch.example.org/api/v1/actions/")
    assert LINKS.read(token, NOTE.created_at).who == "on-call"


async def test_an_update_takes_the_place_of_what_it_updates_and_makes_no_sound(receiver: Receiver) -> None:
    server = Server()
    receiver.answer = server.answer
    ntfy = NtfyNotifier("on-call", receiver.url, "alerts", links=LINKS, picture_of=picture)
    await ntfy.hand_over(NOTE)
    await ntfy.hand_over(NOTE)
    await ntfy.hand_over(NOTE.model_copy(update={"id": "ef" * 16, "what": "resolved", "title": "Over"}))
    await ntfy.close()
    (shown,) = server.visible.values()
    assert (shown["title"], shown["priority"], shown["actions"]) == ("Over", 2, [])


async def test_the_picture_is_one_message_with_its_words(receiver: Receiver) -> None:
    server = Server()
    receiver.answer = server.answer
    ntfy = NtfyNotifier("on-call", receiver.url, "alerts", links=LINKS, picture_of=picture)
    told = NOTE.model_copy(update={"title": "Größe\r\nX-Priority: 1", "text": "two\nlines"})
    await ntfy.hand_over(told)
    await ntfy.close()
    (request,) = receiver.got
    assert "x-priority" not in request.headers
    (shown,) = server.visible.values()
    assert (shown["attachment"], shown["title"], shown["message"]) == (PNG, told.title, told.text)
    assert (shown["priority"], len(shown["actions"])) == (5, 2)


async def test_a_server_without_attachments_gets_the_words(receiver: Receiver) -> None:
    server = Server(attachments=False)
    receiver.answer = server.answer
    ntfy = NtfyNotifier("on-call", receiver.url, "alerts", picture_of=picture)
    await ntfy.hand_over(NOTE)
    await ntfy.close()
    assert [request.method for request in receiver.got] == ["PUT", "POST"]
    assert [shown["title"] for shown in server.visible.values()] == [NOTE.title]


@pytest.mark.parametrize(
    ("answer", "retryable", "retry_after_s"),
    [
        (FAILS, True, 0.0),
        (patience(30), True, 30.0),
        (saying(403, {"code": 40301, "http": 403, "error": "forbidden"}), False, 0.0),
        (DROPS, True, 0.0),
    ],
)
async def test_a_failure_says_whether_a_retry_can_help_and_the_next_attempt_is_without_the_picture(
    receiver: Receiver, answer: bytes, retryable: bool, retry_after_s: float
) -> None:
    receiver.answers = [answer, saying(200, {})]
    ntfy = NtfyNotifier("on-call", receiver.url, "alerts", picture_of=picture)
    with pytest.raises(NotifierError) as trouble:
        await ntfy.hand_over(NOTE)
    assert (trouble.value.retryable, trouble.value.retry_after_s) == (retryable, retry_after_s)
    await ntfy.hand_over(NOTE)
    await ntfy.close()
    assert [request.method for request in receiver.got] == ["PUT", "POST"]


async def test_long_words_are_cut_before_ntfy_makes_a_file_of_them(receiver: Receiver) -> None:
    ntfy = NtfyNotifier("on-call", receiver.url, "alerts")
    await ntfy.hand_over(NOTE.model_copy(update={"text": "ü" * 5000}))
    await ntfy.close()
    assert len(receiver.got[0].json["message"].encode()) <= 3000


def test_a_user_and_a_password_make_a_basic_login() -> None:
    assert login(None, "duty", "geheim") == "Basic ZHV0eTpnZWhlaW0="
    assert login(None, None, None) is None
