"""From an event to the phone and back, with a running gateway and a stand-in for ntfy that keeps to its published
interface (https://docs.ntfy.sh/publish/): JSON publish, priorities, actions, updates by sequence id, 429."""

import asyncio
import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import publish

from gateway.access import Access
from gateway.alerts.actions import GOOD_FOR_NS, Links
from gateway.alerts.notifiers import Notification
from gateway.records import open_records
from stream.events import Event, Kind, Severity, event_id
from stream.instant import SECOND_NS
from tests.conftest import Mosquitto, wait_for
from tests.fleet import Gateway

FIELDS = {"topic", "message", "title", "tags", "priority", "actions", "click", "attach", "markdown", "icon", "filename"}
FIELDS |= {"delay", "email", "call", "sequence_id"}
NAME = re.compile(r"[-_A-Za-z0-9]{1,64}")


class Ntfy:
    """Takes what the interface allows, refuses the rest with ntfy's own errors; a phone shows one message a
    sequence id."""

    def __init__(self) -> None:
        self.busy = 0
        """So many requests are answered with a 429."""
        self.asked_s: list[float] = []
        self.taken: list[dict[str, Any]] = []
        ntfy = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                ntfy.asked_s.append(time.monotonic())
                if len(ntfy.asked_s) <= ntfy.busy:
                    self._answer(429, {"code": 42901, "http": 429, "error": "limit reached: too many requests"})
                    return
                wrong = "unexpected path" if self.path != "/" else ntfy.wrong_with(json.loads(body))
                if wrong:
                    self._answer(400, {"code": 40024, "http": 400, "error": f"invalid request: {wrong}"})
                    return
                ntfy.taken.append(json.loads(body))
                self._answer(200, {"id": "hwQ2YpKdmg", "time": 1, "event": "message"} | json.loads(body))

            def _answer(self, status: int, said: dict[str, Any]) -> None:
                content = json.dumps(said).encode()
                self.send_response(status)
                if status == 429:
                    self.send_header("Retry-After", "2")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @staticmethod
    def wrong_with(message: dict[str, Any]) -> str:
        actions = message.get("actions", [])
        tests = {
            "a field that is not in the interface": set(message) <= FIELDS,
            "topic": NAME.fullmatch(message["topic"]) is not None,
            "sequence id": NAME.fullmatch(message.get("sequence_id", "x")) is not None,
            "priority": message.get("priority", 3) in range(1, 6),
            "tags": all(isinstance(tag, str) for tag in message.get("tags", [])),
            "message": 0 < len(message["message"].encode()) <= 4096,
            "actions: three at most": len(actions) <= 3,
            "actions": all(
                one["action"] == "http"
                and one["label"]
                and re.match(r"https?://", one["url"])
                and set(one) <= {"action", "label", "url", "method", "headers", "body", "clear"}
                and all(isinstance(value, str) for value in one.get("headers", {}).values())
                for one in actions
            ),
        }
        return next((name for name, holds in tests.items() if not holds), "")

    def shown(self) -> dict[str, dict[str, Any]]:
        """What stands on the phone, by sequence id."""
        return {message["sequence_id"]: message for message in self.taken}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def ntfy() -> Iterator[Ntfy]:
    standing_in = Ntfy()
    yield standing_in
    standing_in.close()


async def _admin(data_dir: Path) -> str:
    records = await open_records(data_dir / "gateway.db")
    access, now_ns = Access(records), time.time_ns()
    await access.accounts.add("ann", "admin", "a long enough password", now_ns)
    _, token = await access.tokens.make("ann", "test", "admin", now_ns + 3600 * SECOND_NS, now_ns)
    await records.close()
    return token


def asked(method: str, url: str, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """As the app on the phone does it: no cookie, no login."""
    request = urllib.request.Request(url, method=method, headers=headers, data=b"" if method == "POST" else None)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def pressed(button: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return asked(button.get("method", "POST"), button["url"], button.get("headers", {}))


def test_the_button_acknowledges_once_and_an_old_or_altered_one_does_nothing(
    tmp_path: Path, mosquitto: Mosquitto, make_gateway: Callable[..., Gateway], ntfy: Ntfy
) -> None:
    (tmp_path / "gateway").mkdir()
    admin = {"Authorization": f"Bearer {asyncio.run(_admin(tmp_path / 'gateway'))}"}
    channel = f'[notify.channels.phone]\ntype = "ntfy"\nurl = "{ntfy.url}"\ntopic = "alerts"\npicture = false\n'
    gateway = make_gateway(mosquitto.url, channel, listen='public_url = "http://localhost:{port}"')
    ntfy.busy = 1
    now_ns = time.time_ns()
    event = Event(
        id=event_id("conrad", "fge", Kind.STEP, now_ns),
        station="conrad",
        sensor="fge",
        kind=Kind.STEP,
        severity=Severity.CRITICAL,
        start=now_ns,
        peak=now_ns,
        detected_at=now_ns,
        amplitude_nt=12.5,
        score=0.9,
    )
    publish.single("mag/1/conrad/fge/event", event.model_dump_json(), qos=1, port=mosquitto.port)

    def alert() -> dict[str, Any]:
        return asked("GET", f"{gateway.url}api/v1/alerts?state=all", admin)[1]["alerts"][0]

    wait_for(lambda: ntfy.taken, 15, "it is on the phone")
    assert ntfy.asked_s[1] - ntfy.asked_s[0] >= 2.0, "a 429 says when to come again"
    (message,) = ntfy.taken
    assert (message["title"], message["priority"]) == ("The field jumped and stayed at conrad (fge), 12.5 nT", 5)
    assert message["click"] == f"{gateway.url.replace('127.0.0.1', 'localhost')}?alert={alert()['id']}"
    acknowledge, false = message["actions"]
    assert asked("POST", f"{gateway.url}api/v1/alerts/{alert()['id']}/acknowledge", {})[0] == 401, "a stranger may not"

    link, _, token = acknowledge["url"].rpartition("/")
    said, proof = token.split(".")
    for altered in (
        f"{said[:-4]}{'A' * 4}.{proof}",
        f"{said}.{proof[:-4]}{'A' * 4}",
        f"{false['url'].rpartition('/')[2].split('.')[0]}.{proof}",
    ):
        assert pressed(acknowledge | {"url": f"{link}/{altered}"})[0] == 410, altered
    old = Notification.model_validate(
        {
            **{"id": "ab" * 16, "what": "firing", "severity": "critical", "title": "x", "text": "x"},
            **{"station": "conrad", "alert_id": alert()["id"], "created_at": now_ns - GOOD_FOR_NS},
        }
    )
    links = Links.open(gateway.data_dir, link.removesuffix("/api/v1/actions"))
    status, refused = pressed(acknowledge | {"url": links.link("acknowledge", old, "phone")})
    assert (status, refused["detail"]) == (410, "this link is too old: open the page instead")
    assert alert()["state"] == "firing", "so far nothing was done"

    assert pressed(acknowledge)[0] == 200
    assert (alert()["state"], alert()["acknowledged_by"]) == ("acknowledged", "phone")
    status, refused = pressed(acknowledge)
    assert (status, refused["detail"]) == (410, "this link has done its work already")
    assert pressed(false)[0] == 200
    assert alert()["verdict"] == "false"
    wait_for(lambda: len(ntfy.taken) > 1, 10, "what the phone shows is brought up to date")
    (shown,) = ntfy.shown().values()
    assert (shown["priority"], shown["actions"]) == (2, []), "in the place of the first, without a sound"
    assert shown["title"].startswith("Seen to: ")
