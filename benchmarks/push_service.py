"""A push service on loopback that takes, refuses or says nothing, as it is told to, and the phone behind it."""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

Mood = Literal["takes", "fails", "has enough", "says nothing"]
TAKES: Mood = "takes"


class Push:
    """What was taken: `at_s` by the monotonic clock, when the body was there."""

    def __init__(self, body: dict[str, object], at_s: float) -> None:
        self.id = str(body["id"])
        self.thread = str(body.get("thread") or body["id"])
        self.what = str(body["what"])
        self.rings = not body.get("quiet", False)
        self.alert_id = body.get("alert_id")
        self.title = str(body["title"])
        self.at_s = at_s


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Who was killed in mid-sentence is no news."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class PushService:
    """Takes notifications as the webhook notifier sends them. The phone shows one message a thread."""

    def __init__(self) -> None:
        self.mood: Mood = TAKES
        self.taken: list[Push] = []
        self.refused = 0
        self._closing = threading.Event()
        self._news = threading.Condition()
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) == length:  # else whoever sends it has died over it
                    service._answer(self, Push(json.loads(body), time.monotonic()))

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def rung(self, since: int = 0) -> list[Push]:
        """What rang, once for each id: a phone that gets the same id twice shows it once."""
        return list({push.id: push for push in reversed(self.taken[since:]) if push.rings}.values())

    def visible(self, since: int = 0) -> int:
        """Messages that a phone shows."""
        return len({push.thread for push in self.taken[since:] if push.rings})

    def wait_for(self, pushes: int, within_s: float = 30.0) -> None:
        """Until so many were taken. Raises TimeoutError."""
        with self._news:
            if not self._news.wait_for(lambda: len(self.taken) >= pushes, within_s):
                raise TimeoutError(f"{len(self.taken)} of {pushes} pushes after {within_s:g} s")

    def close(self) -> None:
        """No more."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler, push: Push) -> None:
        if self.mood == "says nothing":
            self.refused += 1
            self._closing.wait(60)
            request.close_connection = True
            return
        status = {"takes": 200, "fails": 500, "has enough": 429}[self.mood]
        if status == 200:
            with self._news:
                self.taken.append(push)
                self._news.notify_all()
        else:
            self.refused += 1
        request.send_response(status)
        if status == 429:
            request.send_header("Retry-After", "20")
        request.send_header("Content-Length", "0")
        request.end_headers()
