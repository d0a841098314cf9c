"""Accounts on a gateway as its people run it: the command, the first link, HTTPS, a proxy, other machines."""

import io
import json
import re
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from magwatch import main
from tests.conftest import ROOT, wait_for
from tests.fleet import Command

GOOD = "a long enough password"
Start = Callable[..., "Page"]
Account = Callable[..., "Said"]


class Page:
    """A gateway's page, its broker nowhere."""

    def __init__(self, folder: Path, port: int, broker_port: int, listen: str = "", scheme: str = "http") -> None:
        self.url = f"{scheme}://localhost:{port}"
        self.config = folder / "gateway.toml"
        self.config.write_text(
            f'data_dir = "{folder / "data"}"\n[broker]\nurl = "mqtt://127.0.0.1:{broker_port}"\n'
            f"[listen]\nport = {port}\n{listen}\n"
        )
        self.command: Command | None = None
        self._log = folder / "gateway.log"

    def start(self) -> None:
        self.command = Command(self._log, "gateway", "--config", str(self.config))

    @property
    def said(self) -> str:
        return self._log.read_text()

    def is_up(self, **client: object) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", **client).status_code == 200
        except httpx.TransportError:
            return False


@dataclass
class Said:
    """What a command ended with."""

    code: int
    out: str
    err: str


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Account:
    """`magwatch account ... --config` of a page, with a password at its input."""

    def run(page: Page, *arguments: str, given: str = GOOD) -> Said:
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{given}\n"))
        capfd.readouterr()
        code = main(["account", *arguments, "--config", str(page.config)])
        return Said(code, *capfd.readouterr())

    return run


@pytest.fixture
def make(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Start]:
    made: list[Page] = []

    def page(listen: str = "", scheme: str = "http") -> Page:
        made.append(Page(tmp_path, free_port(), free_port(), listen, scheme))
        return made[-1]

    yield page
    for one in made:
        if one.command is not None:
            one.command.kill()


def test_the_link_of_the_first_start_makes_the_admin_and_shuts_the_door(make: Start) -> None:
    page = make()
    page.start()
    wait_for(page.is_up, 30, "the page")
    link = re.search(r"(http://\S+)/login#first=(\S+)", page.said)
    assert link is not None
    assert link[1] == page.url.replace("localhost", "127.0.0.1")
    assert httpx.get(f"{page.url}/api/v1/stations").status_code == 200, "open to this machine"
    with httpx.Client(base_url=page.url) as client:
        asked = {"key": link[2], "name": "ann", "password": GOOD}
        assert client.post("/api/v1/first-account", json=asked).status_code == 201
        assert client.post("/api/v1/first-account", json=asked).status_code == 403
        assert client.get("/api/v1/session").json()["role"] == "admin"
    assert httpx.get(f"{page.url}/api/v1/stations").status_code == 401, "closed from now on"


def test_the_command_works_beside_the_gateway_and_what_it_does_holds_at_once(make: Start, account: Account) -> None:
    page = make("behind_proxy = true")
    assert "no account ann" in account(page, "token", "ann").err
    assert account(page, "add", "ann", "--role", "admin").code == 0
    page.start()
    wait_for(page.is_up, 30, "the page")
    assert "#first=" not in page.said
    made = json.loads(account(page, "token", "ann", "--label", "prometheus", "--json").out)
    token = {"Authorization": f"Bearer {made['token']}", "X-Forwarded-For": "203.0.113.9"}
    assert httpx.get(f"{page.url}/metrics", headers=token).status_code == 200
    assert account(page, "add", "bob", "--role", "operator").code == 0
    with httpx.Client(base_url=page.url, headers={"X-Forwarded-For": "203.0.113.9"}) as client:
        login = {"name": "bob", "password": GOOD}
        assert client.post("/api/v1/session", json=login).status_code == 200
        assert client.get("/api/v1/sessions").json()["sessions"][0]["address"] == "203.0.113.9"
        assert account(page, "password", "bob", given="another good password").code == 0
        assert client.get("/api/v1/session").status_code == 401
    assert account(page, "remove", "bob").code == 0
    refused = account(page, "remove", "ann")
    assert (refused.code, "only admin" in refused.err) == (1, True)
    assert [one["name"] for one in json.loads(account(page, "list", "--json").out)["accounts"]] == ["ann"]
    admin = json.loads(account(page, "token", "ann", "--scope", "admin", "--json").out)["token"]
    told = httpx.get(f"{page.url}/api/v1/audit", headers={"Authorization": f"Bearer {admin}"}).json()["entries"]
    assert [one["what"] for one in told if one["by"] == "command line"] == [
        "account token",
        "account remove",
        "account password",
        "account add",
        "account token",
        "account add",
    ]
    assert GOOD not in page.said


def test_a_weak_password_and_an_odd_name_are_refused_in_one_line(make: Start, account: Account) -> None:
    page = make()
    for arguments, given, says in (
        (("add", "ann", "--role", "admin"), "short", "12 to 200"),
        (("add", "ann", "--role", "admin"), "", "12 to 200"),
        (("add", "ann"), GOOD, "the first account is an admin's"),
        (("add", "../ann", "--role", "admin"), GOOD, "letters"),
        (("remove",), GOOD, "letters"),
    ):
        refused = account(page, *arguments, given=given)
        assert (refused.code, refused.out) == (1, "")
        assert says in refused.err
        assert len(refused.err.splitlines()) == 1


def test_other_machines_are_let_in_only_once_there_is_an_account(make: Start, account: Account) -> None:
    page = make('host = "0.0.0.0"')
    page.start()
    assert page.command is not None
    assert page.command.wait(30) == 1
    assert "there is no account" in page.said
    assert "magwatch account add" in page.said
    account(page, "add", "ann", "--role", "admin")
    page.start()
    wait_for(page.is_up, 30, "the page")
    assert "passwords cross the network in clear" in page.said
    assert httpx.get(f"{page.url}/api/v1/stations").status_code == 401
    assert httpx.get(f"{page.url}/healthz", headers={"Host": "evil.example"}).status_code == 421


def test_with_a_certificate_it_speaks_https_and_its_cookie_is_secure(
    make: Start, account: Account, tmp_path: Path
) -> None:
    authority = tmp_path / "ca"
    subprocess.run(["sh", str(ROOT / "config" / "certificates.sh"), str(authority), "broker", "localhost"], check=True)
    page = make(
        f'certificate_file = "{authority / "broker.pem"}"\nkey_file = "{authority / "broker.key"}"', scheme="https"
    )
    account(page, "add", "ann", "--role", "admin")
    page.start()
    trusting = ssl.create_default_context(cafile=str(authority / "ca.pem"))
    wait_for(lambda: page.is_up(verify=trusting), 30, "the page")
    with httpx.Client(base_url=page.url, verify=trusting) as client:
        answer = client.post("/api/v1/session", json={"name": "ann", "password": GOOD})
        assert answer.headers["set-cookie"].startswith("__Host-magwatch=")
        assert "Secure" in answer.headers["set-cookie"]
        assert client.get("/api/v1/session").json()["name"] == "ann"


def test_a_certificate_that_cannot_be_read_is_said_in_one_line(make: Start, tmp_path: Path) -> None:
    page = make(f'certificate_file = "{tmp_path}/none.pem"\nkey_file = "{tmp_path}/none.key"')
    page.start()
    assert page.command is not None
    assert page.command.wait(30) == 1
    assert "none.pem" in page.said
    assert "Traceback" not in page.said
