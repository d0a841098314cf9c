"""Real servers for the tests, each on a free loopback port; where one is missing its tests skip and say so."""

import base64
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fleet import Command, Gateway, run

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--chaos", action="store_true", help="also the long runs that kill everything again and again")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--chaos"):
        long_runs = [item for item in items if "chaos" in item.path.parts]
        items[:] = [item for item in items if item not in long_runs]
        config.hook.pytest_deselected(items=long_runs)


def program(name: str) -> str:
    """The path of a server's program; skips the test where it is not installed, fails it in CI."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is not installed")
    return str(found)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(condition: Callable[[], object], within_s: float, what: str) -> None:
    """Polls until the condition holds; fails the test with `what` when it does not in time."""
    until = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > until:
            pytest.fail(f"{what}: not within {within_s} s")
        time.sleep(0.02)


class Mosquitto:
    """A real broker that can be killed and started again on its port."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        self.port = _free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self._config = folder / "mosquitto.conf"
        self._config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n{settings}")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen([program("mosquitto"), "-c", str(self._config)], stderr=subprocess.DEVNULL)
        wait_for(lambda: listening(self.port), 10, "mosquitto listens")

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


class Influxd:
    """A real InfluxDB 1.x that can be killed and started again; with `auth`, for the user magwatch alone."""

    def __init__(self, folder: Path, *, auth: bool = False) -> None:
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._config = folder / "influxdb.conf"
        self._config.write_text(
            f"""reporting-disabled = true
            bind-address = "127.0.0.1:{_free_port()}"
            [meta]
            dir = "{folder}/meta"
            [data]
            dir = "{folder}/data"
            wal-dir = "{folder}/wal"
            query-log-enabled = false
            [monitor]
            store-enabled = false
            [http]
            bind-address = "127.0.0.1:{self.port}"
            auth-enabled = {str(auth).lower()}
            log-enabled = false
            [logging]
            level = "error"
            """
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [program("influxd"), "-config", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(lambda: listening(self.port), 60, "influxd listens")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


_FRONT = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  map $arg_bucket $ix_db {{ default $arg_bucket; "~^(?<d>[^/%]+)(?:/|%2F)(?<r>.*)$" $d; }}
  map $arg_bucket $ix_rp {{ default "";          "~^(?<d2>[^/%]+)(?:/|%2F)(?<r2>.*)$" $r2; }}
  map $arg_precision $ix_p {{ default ns; ns ns; us u; ms ms; s s; }}
  map $http_authorization $ix_auth {{ default ""; "~^Basic " $http_authorization; "Token {token}" "Basic {basic}"; }}
  server {{
    listen 127.0.0.1:{port};
    client_max_body_size {largest};
    location = /api/v2/write {{
      set $args "db=$ix_db&rp=$ix_rp&precision=$ix_p";
      rewrite ^ /write break;
      proxy_pass {upstream}; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_set_header Authorization $ix_auth;
    }}
    location / {{ proxy_pass {upstream}; proxy_set_header Authorization $ix_auth; }}
  }}
}}
"""


ALLOWED = "magwatch:gauss-1832"
"""User and password of whom the front lets in."""


class InfluxFront:
    """nginx that makes an InfluxDB 1.x one with `/api/v2/write`; a token is there what it is in 1.8, user:password."""

    def __init__(self, folder: Path, upstream: str, *, token: str = ALLOWED, largest: str = "64m") -> None:
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._config = folder / "nginx.conf"
        self._config.write_text(
            _FRONT.format(
                user="user root;" if os.geteuid() == 0 else "",
                folder=folder,
                port=self.port,
                upstream=upstream,
                token=token,
                basic=base64.b64encode(token.encode()).decode(),
                largest=largest,
            )
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [program("nginx"), "-c", str(self._config), "-e", "stderr"], stderr=subprocess.DEVNULL
        )
        wait_for(lambda: listening(self.port), 10, "nginx listens")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None


@pytest.fixture(scope="session")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    """One for all tests: each uses a database of its own."""
    database = Influxd(tmp_path_factory.mktemp("influxd"))
    database.start()
    yield database
    database.kill()


@pytest.fixture(scope="session")
def influx_front(influxd: Influxd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxFront]:
    front = InfluxFront(tmp_path_factory.mktemp("front"), influxd.url)
    front.start()
    yield front
    front.stop()


@pytest.fixture
def free_port() -> Callable[[], int]:
    return _free_port


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture(scope="session")
def data() -> Path:
    """The real recordings beside the project."""
    if not DATA.is_dir():
        pytest.skip("the folder with the real recordings is not beside the project")
    return DATA


@pytest.fixture
def magwatch() -> Callable[..., subprocess.CompletedProcess[str]]:
    return run


@pytest.fixture
def make_gateway(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Callable[..., Gateway]]:
    made: list[Gateway] = []

    def make(broker_url: str, settings: str = "", **command: Any) -> Gateway:
        made.append(Gateway(tmp_path, broker_url, free_port(), settings, **command))
        return made[-1]

    yield make
    for gateway in made:
        gateway.kill()


@pytest.fixture
def make_edge(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    made: list[Command] = []

    def make(*configs: Path, **command: Any) -> Command:
        made.append(Command(tmp_path / "edge.log", "edge", "--config", *map(str, configs), **command))
        return made[-1]

    yield make
    for edge in made:
        edge.kill()
