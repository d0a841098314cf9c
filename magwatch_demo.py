"""Everything in one go: a broker, the gateway, simulated stations, and an honest count of what became of each sample.

The gateway and the agents are processes of their own, the same ones that run in earnest; the demo starts them again
when they die, and at the end compares the store with what the simulator says that it handed over.
"""

import asyncio
import contextlib
import logging
import shutil
import signal
import socket
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import tomli_w

from firmware_sim.demo import demo_stations
from firmware_sim.settings import SimSettings
from magwatch_report import Heard, report
from stream import pipeline
from stream.errors import MagwatchError
from stream.instant import iso

log = logging.getLogger(__name__)

PAGE_PORT = 8080
READY_S = 60.0
DRAIN_S = 60.0
HEAD_START_NS = 3_000_000_000
"""The sensors' lives begin when the agents are up, so that nothing of the story is missed."""
QUICK_S = 3.0


class Demo:
    """One run of everything."""

    def __init__(
        self,
        stations: int,
        seconds: float | None,
        data_dir: Path | None,
        port: int | None,
        broker_url: str | None,
        seed: int,
    ) -> None:
        self._scenarios: list[SimSettings] = demo_stations(stations, seed)
        self._seconds, self._data_dir, self._broker_url = seconds, data_dir, broker_url
        self._port = _page_port(port)
        self.page_url = f"http://127.0.0.1:{self._port}/"

    async def run(self) -> dict[str, object]:
        """Ends after its seconds, or when it is cancelled; either way with its report."""
        if self._data_dir is None:
            folder = Path(tempfile.mkdtemp(prefix="magwatch-demo-"))
            try:
                return await self._run_in(folder)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        try:
            self._data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as wrong:
            raise MagwatchError(f"{self._data_dir}: cannot be written: {wrong}: give another --data-dir") from wrong
        return await self._run_in(self._data_dir.resolve())

    async def _run_in(self, folder: Path) -> dict[str, object]:
        async with _broker(self._broker_url) as broker:
            gateway_config = _written(
                folder / "gateway.toml",
                {"data_dir": str(folder / "gateway"), "broker": broker, "listen": {"port": self._port}},
            )
            gateway = asyncio.create_task(_kept_running("gateway", "--config", str(gateway_config)))
            edge: asyncio.Task[None] | None = None
            try:
                await asyncio.gather(_kernels_ready(), _answering(f"{self.page_url}readyz", gateway))
                print(f"\n  The page: {self.page_url}\n", file=sys.stderr, flush=True)
                run_ns = time.time_ns() + HEAD_START_NS
                configs = [str(self._station_toml(folder, one, run_ns, broker)) for one in self._scenarios]
                edge = asyncio.create_task(_kept_running("edge", "--config", *configs))
                with contextlib.suppress(asyncio.CancelledError):  # told to stop: the report is still due
                    await asyncio.wait([edge, gateway], return_when=asyncio.FIRST_COMPLETED)
                if gateway.done():
                    await gateway
                await _stopped(edge)
                await asyncio.sleep(1.5)  # the last events' notifications are on their way
                heard = await Heard.ask(self.page_url)
            finally:
                for task in (edge, gateway):
                    if task is not None:
                        await _stopped(task)
            return await report(folder, self._scenarios, run_ns, self.page_url, heard)

    def _station_toml(self, folder: Path, scenario: SimSettings, start_ns: int, broker: dict[str, str]) -> Path:
        source: dict[str, object] = {
            "type": "sim",
            "start": iso(start_ns),
            "journal": str(folder / "truth" / f"{scenario.station}.json"),
            "scenario": scenario.model_dump(mode="json", exclude_none=True),
        }
        if self._seconds is not None:
            source["seconds"] = self._seconds
        settings = {
            "station": scenario.station,
            "data_dir": str(folder / "edge" / scenario.station),
            "position": {
                "latitude": scenario.latitude_deg,
                "longitude": scenario.longitude_deg,
                "elevation_m": scenario.elevation_m,
            },
            "broker": broker,
            "sensors": [{"name": scenario.sensor, "source": source}],
        }
        return _written(folder / f"edge-{scenario.station}.toml", settings)


def _written(path: Path, settings: Mapping[str, object]) -> Path:
    path.write_text(tomli_w.dumps(settings), encoding="utf-8")
    return path


@contextlib.asynccontextmanager
async def _broker(url: str | None) -> AsyncIterator[dict[str, str]]:
    """The settings of the broker that is given, or of an embedded one on a free loopback port."""
    if url is not None:
        yield {"url": url}
        return
    from amqtt.broker import Broker  # noqa: PLC0415 - slow to load, and not needed with a real broker

    port = _free_port()
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    try:
        yield {"url": f"mqtt://127.0.0.1:{port}", "protocol": "3.1.1"}
    finally:
        await broker.shutdown()


async def _kept_running(*arguments: str) -> None:
    """One of our own commands as a process, started again whenever it is killed; returns when it ends by itself."""
    while True:
        child = await asyncio.create_subprocess_exec(sys.executable, "-m", "magwatch", *arguments)
        try:
            code = await child.wait()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(DRAIN_S):
                    await child.wait()
            except TimeoutError:
                child.kill()
            raise
        if code == 0:
            return
        if code > 0:
            raise MagwatchError(f"`magwatch {' '.join(arguments)}` failed (exit code {code}): see its message above")
        log.warning("the %s was killed (signal %d): starting it again", arguments[0], -code)


async def _kernels_ready() -> None:
    """The jitted kernels in the cache, where the agents find them: on a new machine that is the work of a minute."""
    loading = asyncio.create_task(pipeline.ready())
    done, _ = await asyncio.wait([loading], timeout=QUICK_S)
    if not done:
        print("  Compiling the kernels, once: about a minute ...", file=sys.stderr, flush=True)
    await loading


async def _stopped(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _answering(url: str, server: "asyncio.Task[None]") -> None:
    until = time.monotonic() + READY_S

    def answers() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - our own loopback URL
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    while not await asyncio.to_thread(answers):
        if server.done():
            await server
        if time.monotonic() > until:
            raise MagwatchError(f"the gateway does not answer at {url} after {READY_S:.0f} s")
        await asyncio.sleep(0.05)


def _page_port(wanted: int | None) -> int:
    """The port that was asked for, 8080, or a free one. Raises MagwatchError when the asked one is taken."""
    for port in (wanted,) if wanted is not None else (PAGE_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except (OSError, OverflowError) as wrong:
                if wanted is not None:
                    raise MagwatchError(f"port {port} cannot be used ({wrong}): give another --port") from wrong
            else:
                return int(probe.getsockname()[1])
    raise MagwatchError("no free port on 127.0.0.1")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
