"""The API of a running gateway, asked what its own description allows and what it forbids: it never breaks.

Schemathesis (https://schemathesis.readthedocs.io) makes the requests, from a fixed seed. Whatever it is asked, the
gateway answers with a status, a content type and a content that its description names, and never with a 500.
"""

import asyncio
import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from paho.mqtt import publish

from gateway.access import Access
from gateway.records import open_records
from gateway.secret import bound_to
from stream.events import Event, Kind, Severity, event_id
from stream.instant import SECOND_NS
from tests.conftest import Mosquitto, wait_for
from tests.fleet import Gateway

SEED = "20240510"
EXAMPLES = {"anonymous": 1, "somebody with a session": 2, "a program of the admin's": 8}
"""How often each asks each operation, at most."""
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
)
SHUTTING_OUT = ("log_out", "end_session", "remove_token", "remove_account")
"""Who asks for these may be nobody afterwards: they come last."""
LISTEN = 'public_url = "http://localhost:{port}"\n'
SETTINGS = '[notify.channels.page]\ntype = "webpush"\ncontact = "mailto:ops@example.org"\n'


async def _let_in(data_dir: Path) -> dict[str, dict[str, str]]:
    """What each sends. Those made before are there to be guessed, and taken away."""
    records = await open_records(data_dir / "gateway.db")
    access, now_ns = Access(records), time.time_ns()
    await access.accounts.add("ann", "admin", "a long enough password", now_ns)
    ben = await access.accounts.add("ben", "operator", "a long enough password", now_ns)
    for _ in range(10):
        _, token = await access.tokens.make("ann", "fuzzing", "admin", now_ns + 3600 * SECOND_NS, now_ns)
        session = await access.sessions.begin(ben, "127.0.0.1", "", now_ns)
    await records.close()
    cookie = {"Cookie": f"magwatch={session}", "X-CSRF-Token": bound_to(session, "csrf")}
    return dict(zip(EXAMPLES, ({}, cookie, {"Authorization": f"Bearer {token}"}), strict=True))


def ask(gateway: Gateway, path: str, headers: dict[str, str]) -> dict:
    with urllib.request.urlopen(urllib.request.Request(gateway.url + path, headers=headers), timeout=10) as answer:  # noqa: S310
        return json.load(answer)


def fuzzed(
    gateway: Gateway, description: Path, examples: int, headers: dict[str, str], which: str, operations: tuple[str, ...]
) -> str:
    """What schemathesis says when it finds nothing; `which` of the operations are asked for, or left out."""
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", str(description), "--url", gateway.url),
        *("--seed", SEED, "--max-examples", str(examples), "--phases", "fuzzing", "--checks", ",".join(CHECKS)),
        *("--exclude-path", "/api/v1/live"),  # it has no end
        *(part for operation in operations for part in (which, operation)),
        *("--generation-with-security-parameters", "false", "--generation-database", "none"),
        *("--no-color", "--continue-on-failure", "--request-timeout", "10"),
        *(part for name, value in headers.items() for part in ("-H", f"{name}: {value}")),
    ]
    ended = subprocess.run(command, cwd=description.parent, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-2000:]
    return ended.stdout


def test_whatever_it_is_asked_the_api_keeps_to_its_description(
    tmp_path: Path, mosquitto: Mosquitto, make_gateway: Callable[..., Gateway]
) -> None:
    (tmp_path / "gateway").mkdir()
    sends = asyncio.run(_let_in(tmp_path / "gateway"))
    admin = sends["a program of the admin's"]
    gateway = make_gateway(mosquitto.url, SETTINGS, listen=LISTEN)
    tell_of_a_station(mosquitto)
    wait_for(lambda: ask(gateway, "api/v1/alerts", admin)["alerts"], 10, "there is an alert")
    description = tmp_path / "openapi.json"
    description.write_text(json.dumps(ask(gateway, "api/v1/openapi.json", admin)))
    found: dict[str, int] = {}
    for who, headers in sends.items():
        said = fuzzed(gateway, description, EXAMPLES[who], headers, "--exclude-operation-id", SHUTTING_OUT)
        found[who] = int(re.findall(r"(\d+) generated", said)[0])
        if headers:
            assert ask(gateway, "api/v1/session", headers)["role"], f"{who}, to the end"
    fuzzed(gateway, description, 3, admin, "--include-operation-id", SHUTTING_OUT)
    assert found["a program of the admin's"] > 150, found
    assert "Traceback" not in gateway.log.read_text()


def tell_of_a_station(broker: Mosquitto) -> None:
    now_ns = time.time_ns()
    event = Event(
        id=event_id("conrad", "fge", Kind.STEP, now_ns),
        station="conrad",
        sensor="fge",
        kind=Kind.STEP,
        severity=Severity.WARNING,
        start=now_ns,
        peak=now_ns,
        detected_at=now_ns,
        score=0.9,
    )
    publish.single("mag/1/conrad/fge/event", event.model_dump_json(), qos=1, port=broker.port)
