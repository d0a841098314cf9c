"""What the benchmarks of the gateway run against: real servers as processes of their own, on free loopback ports."""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gateway.stores.sqlite import SqliteStore

ROOT = Path(__file__).resolve().parents[1]
MOSQUITTO = "allow_anonymous true\nmax_inflight_messages 200\nmax_queued_messages 10000\nmax_packet_size 4194304\n"
"""As config/mosquitto.conf, on one port."""
_READY_S = 60.0
_SETTLED_S, _LOOK_S, _IDLE = 60.0, 1.0, 0.08
_V2_FRONT = r"""
{user} daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log; worker_processes 1;
events {{ }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  map $arg_bucket $ix_db {{ default $arg_bucket; "~^(?<d>[^/%]+)(?:/|%2F)(?<r>.*)$" $d; }}
  server {{
    listen 127.0.0.1:{port};
    client_max_body_size 64m; client_body_buffer_size 64m;
    location = /api/v2/write {{
      set $args "db=$ix_db&precision=ns";
      rewrite ^ /write break;
      proxy_pass http://127.0.0.1:{behind}; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_set_header Authorization "";
    }}
    location / {{ proxy_pass http://127.0.0.1:{behind}; }}
  }}
}}
"""


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def found(name: str) -> str | None:
    """The path of a server's program, where it is installed."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")


@contextlib.contextmanager
def mosquitto(folder: Path) -> Iterator[int]:
    """A broker's port."""
    port, config = free_port(), folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\n{MOSQUITTO}")
    with _process([str(found("mosquitto")), "-c", str(config)]):
        _until(lambda: _open(port), "mosquitto")
        yield port


@contextlib.contextmanager
def influxd(folder: Path, port: int = 0) -> Iterator["Influxd"]:
    """An InfluxDB, its data in the folder; at a port that is free, where none is given."""
    port, rpc = port or free_port(), free_port()
    where = {
        "INFLUXDB_BIND_ADDRESS": f"127.0.0.1:{rpc}",
        "INFLUXDB_HTTP_BIND_ADDRESS": f"127.0.0.1:{port}",
        "INFLUXDB_META_DIR": str(folder / "meta"),
        "INFLUXDB_DATA_DIR": str(folder / "data"),
        "INFLUXDB_DATA_WAL_DIR": str(folder / "wal"),
        "INFLUXDB_REPORTING_DISABLED": "true",
        "INFLUXDB_HTTP_LOG_ENABLED": "false",
        "INFLUXDB_MONITOR_STORE_ENABLED": "false",
    }
    with _process([str(found("influxd")), "run"], where) as process:
        _until(lambda: _open(port), "influxd")
        yield Influxd(process.pid, port)


@contextlib.contextmanager
def v2_front(folder: Path, behind: int) -> Iterator[int]:
    """The port of an nginx that speaks `/api/v2/write` for an InfluxDB that does not."""
    port, config = free_port(), folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""  # its workers would else be somebody who may not write here
    config.write_text(_V2_FRONT.format(folder=folder, port=port, behind=behind, user=user))
    with _process([str(found("nginx")), "-c", str(config), "-p", str(folder)]):
        _until(lambda: _open(port), "nginx")
        yield port


@contextlib.contextmanager
def gateway(folder: Path, broker_port: int, workers: int, store: str = "", listen: str = "") -> Iterator["Gateway"]:
    """`magwatch gateway`, ready. `store`: tables of the configuration; `listen`: lines of that table."""
    port, config = free_port(), folder / "gateway.toml"
    config.write_text(
        f'data_dir = "{folder / "data"}"\n{store}\n[broker]\nurl = "mqtt://127.0.0.1:{broker_port}"\n'
        f"[listen]\nport = {port}\n{listen}"
    )
    command = [sys.executable, "-m", "magwatch", "gateway", "--config", str(config), "--workers", str(workers)]
    with _process(command, log=folder / "gateway.log") as process:
        running = Gateway(process.pid, port)
        _until(running.ready, "the gateway")
        links = 2 * max(workers, 1) + 2
        log = folder / "gateway.log"
        _until(lambda: log.read_text().count("connected to the broker") >= links, "the gateway's links")
        yield running


def embedded_samples(path: Path) -> int:
    """How many samples can be read in an embedded store."""

    async def counted() -> int:
        store = await SqliteStore.open(path, read_only=True)
        try:
            return sum(one.samples for one in await store.sensors())
        finally:
            await store.close()

    return asyncio.run(counted())


class Influxd:
    """A running InfluxDB."""

    def __init__(self, pid: int, port: int) -> None:
        self.pid, self.port, self.url = pid, port, f"http://127.0.0.1:{port}"

    def query(self, text: str) -> list[Any]:
        """Statements that change something as well; the series of the first one."""
        url = f"{self.url}/query?" + urllib.parse.urlencode({"q": text})
        with urllib.request.urlopen(urllib.request.Request(url, b""), timeout=_READY_S) as answer:  # noqa: S310
            (result, *_) = json.load(answer)["results"]
        assert "error" not in result, f"{text}: {result['error']}"
        series: list[Any] = result.get("series", [])
        return series

    def points(self, database: str) -> int:
        """How many samples can be read in a database."""
        series = self.query(f'SELECT count("flags") FROM "{database}".."magnetic"')  # noqa: S608 - our own names
        return int(series[0]["values"][0][1]) if series else 0

    def settle(self) -> None:
        """Returns when it has done what was left of earlier work: what it wrote is put together behind its back."""
        _settle(lambda: cpu_s(self.pid))


class Gateway:
    """A running gateway, its workers included."""

    def __init__(self, pid: int, port: int) -> None:
        self.pid, self.url = pid, f"http://127.0.0.1:{port}/"

    def ready(self) -> bool:
        """Whether it says so."""
        try:
            with urllib.request.urlopen(self.url + "readyz", timeout=2) as answer:  # noqa: S310 - our own loopback URL
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def pids(self) -> list[int]:
        """Of itself and its workers."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, children)]

    def rss_mb(self) -> float:
        """Resident memory of all its processes."""
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.pids())
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def cpu_s(self) -> float:
        """Processor time of all its processes so far."""
        return sum(cpu_s(pid) for pid in self.pids())

    def settle(self) -> None:
        """Returns when it has nothing left to do: what is stored is summed up later."""
        _settle(self.cpu_s)


class Reached(NamedTuple):
    """A rate, and what each of what is counted cost in processor time, by program."""

    rate_per_s: float
    cpu_us_by_program: dict[str, float]

    @property
    def cpu_us(self) -> float:
        """Of all together."""
        return sum(self.cpu_us_by_program.values())


def cpu_by_program() -> dict[str, float]:
    """Processor time so far, s: of this process as `load`, of what it has started by the programs' names."""
    used = {"load": time.process_time()}
    for task in Path("/proc/self/task").iterdir():
        try:
            children = (task / "children").read_text().split()
        except FileNotFoundError:  # a thread that has just ended
            continue
        for pid in map(int, children):
            name = Path(f"/proc/{pid}/comm").read_text().strip()
            name = "gateway" if name.startswith(("python", "magwatch")) else name
            used[name] = used.get(name, 0.0) + (Gateway(pid, 0).cpu_s() if name == "gateway" else cpu_s(pid))
    return used


def cpu_us_since(before_s: Mapping[str, float], vectors: int) -> dict[str, float]:
    """Processor time a vector since `before_s`, which `cpu_by_program` told."""
    return {name: 1e6 * (used_s - before_s[name]) / vectors for name, used_s in sorted(cpu_by_program().items())}


def cpu_s(pid: int) -> float:
    """Processor time of a process so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def _process(
    command: Sequence[str], environment: dict[str, str] | None = None, log: Path | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    with contextlib.ExitStack() as stack:
        out = stack.enter_context(log.open("wb")) if log else subprocess.DEVNULL
        process = subprocess.Popen(  # noqa: S603 - our own commands, no shell
            command, stdout=out, stderr=out, cwd=ROOT, env=os.environ | (environment or {})
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _settle(used_s: Callable[[], float]) -> None:
    until = time.monotonic() + _SETTLED_S
    while time.monotonic() < until:
        before_s = used_s()
        time.sleep(_LOOK_S)
        if used_s() - before_s <= _IDLE * _LOOK_S:
            return


def _until(holds: object, what: str) -> None:
    assert callable(holds)
    until = time.monotonic() + _READY_S
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError(f"{what} is not there after {_READY_S:.0f} s")
        time.sleep(0.05)


def _open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0
