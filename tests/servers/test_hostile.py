"""What somebody sends to a running gateway who wishes it ill, byte for byte: it refuses, and goes on."""

import socket
from collections.abc import Callable

import pytest
from paho.mqtt import publish

from tests.conftest import Mosquitto, wait_for
from tests.fleet import Gateway

SCRIPT = "<script>alert(1)</script>"
SETTINGS = f'[[alerts.regions]]\nname = "{SCRIPT}"\nstations = ["conrad", "hon"]\n'
EVENT = """{{"id": "{id:032x}", "station": "{station}", "sensor": "fge", "kind": "commencement", "severity": "warning",
"start": "{now}", "peak": "{now}", "detected_at": "{now}", "score": 0.9, "evidence": {{"note": "{script}"}}}}"""


@pytest.fixture
def gateway(mosquitto: Mosquitto, make_gateway: Callable[..., Gateway]) -> Gateway:
    return make_gateway(mosquitto.url, SETTINGS)


def answered(gateway: Gateway, sent: bytes) -> tuple[int, bytes]:
    """Status and all of the answer, to exactly these bytes. 0: the connection was closed without one."""
    host, port = gateway.url.removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        got = b""
        try:
            line.sendall(sent)
            while part := line.recv(65_536):
                got += part
        except (ConnectionError, BrokenPipeError):
            pass  # it hangs up on what is too long
    return (int(got.split()[1]) if got.startswith(b"HTTP/1.1 ") else 0), got


def asked(path: str, method: str = "GET", more: str = "", body: str = "") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}\r\n{body}".encode()


def test_no_path_leads_out_of_the_pages_folder(gateway: Gateway) -> None:
    assert answered(gateway, asked("/static/login.js"))[0] == 200
    up = ("..", "%2e%2e", ".%2e", "..%00", "%252e%252e", "....", "..;", "..%5c..", "..\\..")
    for slash in ("/", "%2f", "//", "%5c", "\\"):
        for step in up:
            for first in ("/static/", "/static/fonts/", "/", "/login/", "/api/v1/alerts/"):
                for target in (("settings.py",), ("etc", "passwd"), ("gateway.db",)):
                    path = first + slash.join([*[step] * (8 if "etc" in target else 1), *target])
                    status, answer = answered(gateway, asked(path))
                    assert status in (400, 404, 422), (path, status)
                    assert b"root:" not in answer, path
                    assert b"BaseModel" not in answer, path
    for path in ("/static//etc/passwd", "/static/%2fetc/passwd", "//etc/passwd", "/static/\x00", "/static/login.js%00"):
        assert answered(gateway, asked(path))[0] in (400, 404, 422), path


def test_what_is_too_large_or_no_http_is_refused_and_the_next_one_served(gateway: Gateway) -> None:
    json_type = "Content-Type: application/json\r\n"
    chunk = "10000\r\n" + "[" * 0x10000 + "\r\n"
    silences = "/api/v1/silences"
    for sent, statuses in (
        (asked(silences, "POST", json_type + "Content-Length: 99999999999\r\n", "{"), {413}),
        (asked(silences, "POST", json_type + "Content-Length: 65537\r\n", "[" * 65_537), {413}),
        (asked(silences, "POST", json_type + "Transfer-Encoding: chunked\r\n", chunk * 3 + "0\r\n\r\n"), {413}),
        (asked(silences, "POST", json_type + "Content-Length: 65536\r\n", "[" * 65_536), {400, 422}),
        (asked(silences, "POST", json_type + "Content-Length: -1\r\n", "{}"), {400}),
        (asked(silences, "POST", json_type + "Content-Length: 2\r\nContent-Length: 3\r\n", "{}"), {400}),
        (asked("/healthz", more="X-Long: " + "x" * 1_000_000 + "\r\n"), {0, 400, 431}),
        (asked("/healthz?" + "x" * 1_000_000), {0, 400, 414, 431}),
        (asked("/healthz", more="X-Bad: a\r\n b\x00c\r\n"), {400}),
        (asked("/api/v1/series?station=" + "x" * 10_000 + "&sensor=fge"), {422}),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 40 + b"\r\n\r\n", {0, 400}),
    ):
        status, answer = answered(gateway, sent)
        assert status in statuses, (sent[:120], answer[:300])
        assert gateway.get("healthz")["status"] == "ok"
    assert "Traceback" not in gateway.log.read_text()


def test_a_script_in_a_name_stays_data(gateway: Gateway, mosquitto: Mosquitto) -> None:
    """A station cannot be named like one; a region can, by the settings, and an event's evidence by anybody."""
    now = gateway.get("api/v1/stations")["now"]
    for number, station in enumerate(("conrad", "hon", SCRIPT)):
        event = EVENT.format(id=number, station=station, now=now, script=SCRIPT)
        topic = f"mag/1/{station if station != SCRIPT else 'x'}/fge/event"
        publish.single(topic, event, qos=1, port=mosquitto.port)
    wait_for(lambda: len(gateway.get("api/v1/alerts")["alerts"]) == 1, 10, "the region's alert")
    wait_for(lambda: gateway.get("api/v1/quarantine")["entries"], 10, "the one with the name is no event")
    (alert,) = gateway.get("api/v1/alerts")["alerts"]
    assert alert["region"] == SCRIPT
    for path in ("alerts", f"alerts/{alert['id']}", "events", "notifications", "quarantine"):
        status, answer = answered(gateway, asked(f"/api/v1/{path}"))
        head = answer.partition(b"\r\n\r\n")[0].decode().lower()
        assert status == 200
        assert "content-type: application/json\r\n" in head + "\r\n", path
        assert "x-content-type-options: nosniff" in head, path
        assert "script-src 'self';" in head, path
    status, answer = answered(gateway, asked(f"/api/v1/{SCRIPT}"))
    assert status == 404
    assert b"content-type: application/problem+json" in answer.lower()
    assert SCRIPT.encode() not in answer
