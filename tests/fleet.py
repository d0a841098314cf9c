"""Our own commands as processes, used and killed as their users' are, and the count of what became of each sample."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from firmware_sim import journal
from firmware_sim.settings import SimSettings
from gateway.settings import GatewaySettings
from gateway.starting import COMPILING
from gateway.stores import Store
from gateway.stores.opening import SAMPLES_FILE, open_store
from gateway.stores.sqlite import SqliteStore
from magwatch_report import Tally, tally
from stream.instant import iso
from stream.settings_file import load

ROOT = Path(__file__).resolve().parents[1]


class Command:
    """`magwatch ...` in the background, its log in a file."""

    def __init__(self, log: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self.log = log
        self._arguments, self._environment = arguments, {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "magwatch", *self._arguments],
                cwd=ROOT,
                stdout=file,
                stderr=file,
                env=self._environment,
            )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def hang(self) -> None:
        """Stands still, its connections open, until `go_on`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def wait(self, within_s: float) -> int:
        assert self._process is not None
        return self._process.wait(within_s)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                raise
            self._process = None


class Gateway(Command):
    """A gateway with a page, and what its API says."""

    def __init__(
        self,
        folder: Path,
        broker_url: str,
        port: int,
        settings: str = "",
        *,
        account: str = "",
        listen: str = "",
        options: tuple[str, ...] = (),
        compiled: bool = True,
        **command: Any,
    ) -> None:
        """`account`: lines of the table `[broker]` that let it in; `listen`: of that table, {port} in it is filled in;
        `compiled`: wait until its kernels are; `command`: options, environment."""
        self.data_dir = folder / "gateway"
        self.url = f"http://127.0.0.1:{port}/"
        self.config = folder / f"gateway-{port}.toml"
        self.config.write_text(
            f'data_dir = "{self.data_dir}"\n{settings}\n[broker]\nurl = "{broker_url}"\n{account}\n'
            f"[listen]\nport = {port}\n{listen.format(port=port)}\n"
        )
        super().__init__(folder / "gateway.log", "gateway", "--config", str(self.config), *options, **command)
        if compiled:
            self.wait_until_ready()
        else:
            self.wait_until_alive()

    def workers(self) -> list[int]:
        """The processes that store for it."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(pid) for pid in children if b"gateway.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    async def opened_store(self) -> Store:
        """What it stores in, beside it."""
        settings = load(self.config, GatewaySettings)
        if settings.store.type == "influx":
            return await open_store(settings)
        return await SqliteStore.open(self.data_dir / SAMPLES_FILE, read_only=True)

    def wait_until_ready(self) -> None:
        """Until it takes part; the broker and the database may still be down."""
        self.wait_until_alive()
        until = time.monotonic() + 180
        while self._is_compiling():
            if time.monotonic() > until:
                pytest.fail("the kernels are not compiled within three minutes")
            time.sleep(0.1)

    def _is_compiling(self) -> bool:
        try:
            self.get("readyz")
        except urllib.error.HTTPError as answer:
            return answer.code == 503 and json.load(answer)["detail"] == COMPILING
        except OSError:  # between the one that waits and the one that works
            return True
        return False

    def wait_until_alive(self) -> None:
        until = time.monotonic() + 20
        while True:
            try:
                self.get("healthz")
            except OSError:
                if time.monotonic() > until:
                    pytest.fail(f"the gateway does not come up:\n{self.log.read_text()[-2000:]}")
                time.sleep(0.05)
            else:
                return

    def open(self, path: str) -> HTTPResponse:
        return urllib.request.urlopen(self.url + path, timeout=10)  # noqa: S310 - loopback

    def get(self, path: str) -> dict:
        with self.open(path) as answer:
            return json.load(answer)


def run(*arguments: str, within_s: float = 60) -> subprocess.CompletedProcess[str]:
    """`magwatch ...` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "magwatch", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )


def station_config(
    folder: Path,
    scenario: SimSettings,
    broker_url: str,
    start_ns: int,
    seconds: float,
    *,
    account: dict[str, str] | None = None,
    resend_s: float = 1.0,
    block_s: float = 1.0,
    data_dir: Path | None = None,
) -> Path:
    """An agent whose simulated sensor began at `start_ns` and ends `seconds` later, with a journal of its own."""
    source = {
        "type": "sim",
        "start": iso(start_ns),
        "seconds": seconds,
        "journal": str(folder / f"{scenario.station}.json"),
        "scenario": scenario.model_dump(mode="json", exclude_none=True),
    }
    settings = {
        "station": scenario.station,
        "data_dir": str(data_dir or folder / scenario.station),
        "broker": {"url": broker_url} | (account or {}),
        "status_s": 5.0,
        "outbox": {"resend_s": resend_s},
        "sensors": [{"name": scenario.sensor, "source": source, "block_s": block_s}],
    }
    path = folder / f"{scenario.station}.toml"
    path.write_text(tomli_w.dumps(settings))
    return path


def counted(gateway: Gateway, folder: Path, stations: list[SimSettings], start_ns: int) -> Tally:
    """The store against the simulator's own count, over all stations."""

    async def count() -> Tally:
        store = await gateway.opened_store()
        try:
            total = Tally()
            for scenario in stations:
                total += await tally(store, scenario, start_ns, journal.read(folder / f"{scenario.station}.json"))
            return total
        finally:
            await store.close()

    return asyncio.run(count())
