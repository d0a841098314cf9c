"""Each driver against its emulator over a real pseudo-terminal: an hour of frames in a minute or less, faults and all.

The clock that the driver sees is the emulator's, and a frame is sent when the one before it has been read, so that
every time is known to the nanosecond. What is spoilt is known from the emulator's own list.
"""

import asyncio
import contextlib
import os
import pty
import time
import tty
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from edge.agent import Agent
from edge.clock import AssumedClock
from edge.health import Health
from edge.settings import AgentSettings, Source
from edge.sources.links import SerialSettings, TcpSettings
from edge.sources.live import live
from edge.sources.opening import Sources
from edge.sources.parser import Fed, Parser
from edge.sources.serial_link import SerialLink
from edge.sources.tcp_link import TcpLink
from firmware_sim.device import serve, serve_tcp
from firmware_sim.emulation import EMULATIONS, fitted
from firmware_sim.physical import physical
from firmware_sim.sensor import SimulatedSensor
from firmware_sim.settings import GpsLoss, SimSettings, Spike, Stuck
from firmware_sim.wire_faults import WireFaults, WireSettings
from stream.block import Clock
from stream.codec import decode
from stream.flags import Flag
from stream.messages import SensorInfo, Status
from stream.transport.link import Link

SECOND_NS = 10**9
HOUR_S = 3600
START_NS = 1_715_383_800 * SECOND_NS
"""2024-05-10T23:30:00Z: half an hour before midnight."""
WIRE = WireSettings(cut_per_thousand=15, repeated_per_thousand=10, corrupted_per_thousand=15, garbage_per_thousand=10)
REASONS = {
    "cut": {"cut", "malformed", "garbage", "time"},
    "repeated": {"repeated"},
    "corrupted": {"cut", "malformed", "garbage", "time", "out_of_range", "checksum"},
    "garbage": {"cut", "garbage", "malformed"},
}

Sample = tuple[int, tuple[int, ...]]


def to(decimals: int, value: float) -> int:
    """As printed with so many decimals."""
    return round(float(f"{value:.{decimals}f}") * 10**decimals)


def whole(time_ns: int, step_ns: int) -> int:
    return (time_ns + step_ns // 2) // step_ns * step_ns


@dataclass(frozen=True)
class Case:
    """An emulator, the driver's settings, and what its samples should be from the simulator's own times and values."""

    emulation: str
    source: dict[str, object]
    sample: Callable[[int, np.ndarray], Sample]
    units: dict[str, str]
    first_is_dropped: bool = False
    unseen_part: float = 0.0
    """Of the corrupted frames, how many at most look whole: what the wire has no checksum for."""


FIELD = {"x": "nT", "y": "nT", "z": "nT"}
MISSING = -(2**31)
CASES = [
    Case(
        "magusb",
        {"type": "magusb"},
        lambda t, v: (
            t // SECOND_NS * SECOND_NS,
            (*(to(2, a) for a in v[:3]), to(2, v[3]), to(2, float(v[3]) + 2.0)),
        ),
        FIELD | {"temperature": "degC", "temperature_logger": "degC"},
    ),
    *(
        Case(
            name,
            {"type": name},
            lambda t, v: (whole(t, SECOND_NS // 10), tuple(to(2, a) for a in v[:3])),
            FIELD | {"temperature": "degC", "temperature_electronics": "degC", "supply": "V"},
            unseen_part=0.8,
        )
        for name in ("lemi025", "lemi036")
    ),
    Case("gsm90", {"type": "gsm90"}, lambda t, v: (whole(t, SECOND_NS), (to(2, v[0]), 99)), {"f": "nT", "quality": ""}),
    Case(
        "gsm90-v7",
        {"type": "gsm90", "dated": False},
        lambda t, v: (whole(t, SECOND_NS // 10), (to(2, v[0]), 99)),
        {"f": "nT", "quality": ""},
    ),
    Case(
        "gsm19",
        {"type": "gsm19"},
        lambda t, v: (whole(t, SECOND_NS // 10), (to(2, v[0]), 99)),
        {"f": "nT", "error": ""},
    ),
    Case(
        "gsm19-old",
        {"type": "gsm19"},
        lambda t, v: (whole(t, SECOND_NS // 10), (to(2, v[0]), 99)),
        {"f": "nT", "error": ""},
    ),
    Case("geometrics", {"type": "geometrics"}, lambda t, v: (t, (to(3, v[0]), 1234)), {"f": "nT", "signal": ""}),
    Case(
        "obsdaq",
        {"type": "obsdaq", "range_v": 10.0, "scale_nt_per_v": [10_000.0] * 3},
        lambda t, v: (
            whole(t, SECOND_NS // 1000),
            (
                *(round(float(a) / (100_000.0 / 2**23)) for a in v[:3]),
                round(float(v[3]) * 128) if whole(t, SECOND_NS // 1000) % SECOND_NS == 0 else MISSING,
            ),
        ),
        FIELD | {"temperature": "degC"},
    ),
    Case(
        "ukraa",
        {"type": "ukraa"},
        lambda t, v: (t, tuple(to(2, a) for a in v)),
        FIELD | {"temperature": "degC"},
        first_is_dropped=True,
    ),
    Case(
        "logger",
        {
            "type": "textline",
            "separator": ";",
            "columns": 5,
            "time": {"columns": [1], "format": "%Y-%m-%dT%H:%M:%S.%f"},
            "channels": [
                {"name": name, "column": place, "unit": unit, "lsb": 0.01, "missing": "NA"}
                for place, (name, unit) in enumerate((*FIELD.items(), ("temperature", "degC")), 2)
            ],
        },
        lambda t, v: (whole(t, SECOND_NS // 1000), tuple(to(2, a) for a in v)),
        FIELD | {"temperature": "degC"},
    ),
    Case(
        "pos1",
        {"type": "pos1"},
        lambda t, v: (whole(t, SECOND_NS // 100), (to(3, v[0]), 12, 0)),
        {"f": "nT", "sigma": "pT rms", "error": ""},
    ),
]


class Watched:
    """The parser, with the count of bytes that it was given."""

    def __init__(self, parser: Parser) -> None:
        self._parser = parser
        self.channels, self.host_stamped = parser.channels, parser.host_stamped
        self.bytes = 0
        self.fed = asyncio.Event()

    def feed(self, data: bytes, host_ns: int) -> Fed:
        self.bytes += len(data)
        self.fed.set()
        return self._parser.feed(data, host_ns)

    def lost(self) -> Fed:
        return self._parser.lost()


class Plug:
    """The instrument's end of a pseudo-terminal, which can be pulled out and put in again under one name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ends: tuple[int, int] | None = None

    def put_in(self) -> None:
        master, slave = pty.openpty()
        tty.setraw(slave)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(slave))
        self._ends = (master, slave)

    def pull_out(self) -> None:
        assert self._ends is not None
        self.path.unlink()
        for end in self._ends:
            os.close(end)
        self._ends = None

    def send(self, data: bytes) -> None:
        assert self._ends is not None
        assert os.write(self._ends[0], data) == len(data)

    def heard(self, size: int) -> bytes:
        assert self._ends is not None
        return os.read(self._ends[0], size)


@dataclass
class Bench:
    """A driver at work on a plug, its clock in our hands."""

    plug: Plug
    parser: Watched
    greeting: bytes = b""
    clock: AssumedClock = field(default_factory=AssumedClock)
    now_ns: int = START_NS
    health: Health = field(default_factory=Health)
    samples: list[tuple[int, tuple[int, ...], int]] = field(default_factory=list)
    sent: int = 0

    async def run(self) -> None:
        link = SerialLink(SerialSettings(type="serial", path=self.plug.path), 115_200)
        source = live(link, self.parser, self.clock, self.health, self.greeting, lambda: self.now_ns)
        async with contextlib.aclosing(source) as chunks:
            async for chunk in chunks:
                assert chunk.channels == self.parser.channels
                rows = zip(chunk.times_ns.tolist(), chunk.counts.tolist(), chunk.flags.tolist(), strict=True)
                self.samples += [(time, tuple(counts), flags) for time, counts, flags in rows]

    async def send(self, data: bytes) -> None:
        self.plug.send(data)
        self.sent += len(data)
        while self.parser.bytes < self.sent:
            self.parser.fed.clear()
            await self.parser.fed.wait()
        await asyncio.sleep(0)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def at_work(tmp_path: Path, source: object, clock: Clock = Clock.UNKNOWN):
    plug = Plug(tmp_path / "port")
    plug.put_in()
    bench = Bench(plug, Watched(source.parser()), source.greeting, AssumedClock(clock))
    task = asyncio.ensure_future(bench.run())
    try:
        await bench.until(lambda: bench.health.connected)
        yield bench
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def source_of(settings: dict[str, object]) -> object:
    link = {"type": "serial", "path": "/dev/null"}
    return TypeAdapter(Source).validate_python({**settings, "link": link})


def scenario(case: Case) -> SimSettings:
    """An hour of what happens to an instrument: spikes, a stuck axis, lost satellites, and a bad cable."""
    preset = EMULATIONS[case.emulation].preset
    axes = ("f",) if preset == "overhauser" else ("x", "y", "z")
    faults = (
        Spike(at_s=300, amplitude_nt=400.0),
        Stuck(at_s=900, duration_s=60, channels=axes[:1]),
        GpsLoss(at_s=1500, duration_s=600, drift_ppm=40),
    )
    return fitted(case.emulation, SimSettings(instrument=preset, seed=7, faults=faults, wire=WIRE))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.emulation)
async def test_an_hour_of_frames_gives_every_good_sample_and_counts_every_bad_frame(
    case: Case, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    settings = scenario(case)
    sensor = SimulatedSensor(settings, START_NS)
    encoder = EMULATIONS[case.emulation].encoder(settings, START_NS)
    wire = WireFaults(settings.wire, settings.seed)
    times_ns, counts = sensor.take(HOUR_S * SECOND_NS // sensor.dt_ns)
    values = physical(sensor.channels, counts)

    frames: list[list[Sample]] = []
    rejected_by_frame: list[Counter[str]] = []
    waiting: list[Sample] = []
    async with at_work(tmp_path, source_of(case.source)) as bench:
        for row in range(len(times_ns)):
            waiting.append(case.sample(int(times_ns[row]), values[row]))
            frame = encoder.encode(times_ns[row : row + 1], values[row : row + 1])
            if not frame:
                continue
            bench.now_ns = int(times_ns[row])
            await bench.send(wire.pass_on(frame))
            frames.append(waiting[-10:] if case.emulation.startswith("lemi") else waiting[-1:])
            rejected_by_frame.append(Counter(bench.health.rejected))
            waiting = waiting[-10:]
        bench.plug.pull_out()
        await bench.until(lambda: not bench.health.connected)
        await asyncio.sleep(0.02)

    assert [channel.name for channel in bench.parser.channels] == list(case.units)
    assert [channel.unit for channel in bench.parser.channels] == list(case.units.values())
    assert len({spoilt.kind for spoilt in wire.spoilt}) == 4
    assert_every_good_one(case, frames, wire, bench)
    record_property("result", assert_every_bad_one(case, frames, wire, bench, rejected_by_frame))


def width(case: Case) -> int:
    """LEMI's temperatures and supply are the frame's, not the sample's."""
    return 3 if case.emulation.startswith("lemi") else len(case.units)


def assert_every_good_one(case: Case, frames: list[list[Sample]], wire: WireFaults, bench: Bench) -> None:
    lost = {spoilt.frame for spoilt in wire.spoilt if spoilt.kind in ("cut", "corrupted")}
    lost |= {0} if case.first_is_dropped else set()
    got = [(time, counts[: width(case)]) for time, counts, _ in bench.samples]
    good = [sample for number, frame in enumerate(frames) if number not in lost for sample in frame]
    allowed = {sample[0] for number in lost for sample in frames[number]}
    missing = sorted(set(good) - set(got))
    assert missing == []
    extra = sorted(set(got) - set(good))
    assert [sample for sample in extra if sample[0] not in allowed] == []
    assert len(set(got)) == len(got)
    wanted = set(good)
    assert [sample for sample in got if sample in wanted] == good


def assert_every_bad_one(
    case: Case, frames: list[list[Sample]], wire: WireFaults, bench: Bench, counted: list[Counter[str]]
) -> str:
    unseen = corrupted = 0
    explained: Counter[str] = Counter()
    got = {(time, counts[: width(case)]) for time, counts, _ in bench.samples}
    counted = [*counted, *[bench.health.rejected] * 4]
    for spoilt in wire.spoilt:
        before = counted[spoilt.frame - 1] if spoilt.frame else Counter()
        reasons = counted[spoilt.frame + 3] - before
        explained += reasons
        corrupted += spoilt.kind == "corrupted"
        assert set(reasons) <= REASONS[spoilt.kind], (spoilt, reasons)
        if not reasons:
            assert spoilt.kind == "corrupted" or set(frames[spoilt.frame]) <= got, spoilt
            unseen += spoilt.kind == "corrupted"
    assert unseen <= case.unseen_part * corrupted
    not_of_a_fault = Counter(bench.health.rejected) - explained
    assert not_of_a_fault == (Counter({"cut": 1}) if case.first_is_dropped else Counter())
    return f"{len(frames)} frames, {len(wire.spoilt)} spoilt, {unseen} of {corrupted} corrupted unseen"


async def test_a_lemi_without_satellites_says_so_sample_by_sample(tmp_path: Path) -> None:
    loss = GpsLoss(at_s=10, duration_s=10, drift_ppm=40)
    settings = fitted("lemi036", SimSettings(faults=(loss,)))
    sensor = SimulatedSensor(settings, START_NS)
    encoder = EMULATIONS["lemi036"].encoder(settings, START_NS)
    times_ns, counts = sensor.take(300)
    async with at_work(tmp_path, source_of({"type": "lemi036"})) as bench:
        states = set()
        for frame in (encoder.encode(*one) for one in one_by_one(times_ns, physical(sensor.channels, counts))):
            if frame:
                await bench.send(frame)
                states.add(bench.health.clock)
    unsynced = [(time - START_NS) / SECOND_NS for time, _, flags in bench.samples if flags & Flag.CLOCK_UNSYNCED]
    assert unsynced == pytest.approx(np.arange(9.7, 19.7, 0.1))
    assert {Clock.SYNCED, Clock.UNSYNCED} <= states


@pytest.mark.parametrize("clock", list(Clock))
async def test_what_the_host_stamps_says_how_the_hosts_clock_is(tmp_path: Path, clock: Clock) -> None:
    async with at_work(tmp_path, source_of({"type": "geometrics"}), clock) as bench:
        await bench.send(b"$ 48464.123,1234\r\n")
        await bench.until(lambda: bool(bench.samples))
    assert bench.samples == [(START_NS, (48_464_123, 1234), Flag.CLOCK_UNSYNCED if clock is Clock.UNSYNCED else 0)]
    assert bench.health.clock is clock


async def test_an_instrument_that_is_unplugged_and_plugged_in_again_goes_on_by_itself(tmp_path: Path) -> None:
    async with at_work(tmp_path, source_of({"type": "geometrics"})) as bench:
        for turn in range(3):
            await bench.send(b"$ 48464.123,1234\r\n$ 48464")
            bench.plug.pull_out()
            await bench.until(lambda: not bench.health.connected)
            bench.now_ns += SECOND_NS
            bench.plug.put_in()
            await bench.until(lambda: bench.health.connected)
            assert len(bench.samples) == turn + 1
        await bench.send(b".124,1234\r\n$ 48464.125,1234\r\n")
        await bench.until(lambda: len(bench.samples) == 4)
    assert bench.samples[-1] == (bench.now_ns, (48_464_125, 1234), 0)
    assert bench.health.rejected == {"cut": 3, "malformed": 1}


async def test_an_instrument_is_told_to_send_each_time_that_it_is_plugged_in(tmp_path: Path) -> None:
    async with at_work(tmp_path, source_of({"type": "pos1", "range_nt": 48_000})) as bench:
        wanted = b"mode text\rrange 48000\rauto 5\r"
        assert bench.plug.heard(200) == wanted
        bench.plug.pull_out()
        await bench.until(lambda: not bench.health.connected)
        bench.plug.put_in()
        await bench.until(lambda: bench.health.connected)
        assert bench.plug.heard(200) == wanted


async def test_a_terminal_server_is_as_good_as_a_serial_line_and_may_go_away(tmp_path: Path) -> None:
    """The emulator on a TCP port, stopped and started again."""
    health, got = Health(), []

    async def run(port: int) -> None:
        source = source_of({"type": "magusb"})
        link = TcpLink(TcpSettings(type="tcp", host="127.0.0.1", port=port))
        async with contextlib.aclosing(live(link, source.parser(), AssumedClock(), health)) as chunks:
            async for chunk in chunks:
                got.extend(chunk.times_ns)

    async def serve_for(seconds: float, port: int, told: asyncio.Future[int]) -> None:
        sensor = SimulatedSensor(fitted("magusb", SimSettings(rate_hz=20.0)), time.time_ns())
        encoder = EMULATIONS["magusb"].encoder(sensor.settings, sensor.start_ns)
        await serve_tcp(sensor, encoder, port, told.set_result, until_s=seconds)

    loop = asyncio.get_running_loop()
    first: asyncio.Future[int] = loop.create_future()
    serving = asyncio.ensure_future(serve_for(1.0, 0, first))
    running = asyncio.ensure_future(run(await first))
    await serving
    before = len(got)
    await asyncio.sleep(0.05)
    assert before and not health.connected
    await serve_for(1.5, first.result(), loop.create_future())
    running.cancel()
    assert len(got) > before


def one_by_one(times_ns: np.ndarray, values: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(times_ns[row : row + 1], values[row : row + 1]) for row in range(len(times_ns))]


async def test_an_agent_reads_a_magusb_on_a_pseudo_terminal_and_says_what_it_rejected(
    mosquitto, tmp_path: Path
) -> None:
    """The whole path: `magwatch sim`'s terminal, the agent's source, blocks at the broker."""
    said = asyncio.get_running_loop().create_future()
    scenario = SimSettings(rate_hz=20.0, seed=3, wire=WireSettings(corrupted_per_thousand=100))
    serving = asyncio.ensure_future(serve("magusb", scenario, None, said.set_result))
    settings = AgentSettings.model_validate(
        {
            "station": "pty",
            "data_dir": tmp_path,
            "broker": {"url": mosquitto.url},
            "status_s": 1,
            "sensors": [
                {
                    "name": "rm",
                    "source": {
                        "type": "magusb",
                        "time": "host",
                        "rate_hz": 20,
                        "link": {"type": "serial", "path": (await said).rpartition(" on ")[2]},
                    },
                    "calibration": {"version": "v1"},
                }
            ],
        }
    )
    sources = Sources(lambda *_: pytest.fail("no simulated source is asked for"))
    agent = asyncio.ensure_future(Agent(settings, sources, health=sources.health).run())
    link = Link(settings.broker, "watcher", subscriptions=("mag/1/pty/#",))
    watching = asyncio.ensure_future(link.run())
    blocks, sensor = [], SensorInfo(name="rm")
    try:
        async with asyncio.timeout(60):
            while len(blocks) < 3 or not sensor.rejected:
                messages = await link.receive(100)
                for message in messages:
                    if message.topic.endswith("/block"):
                        blocks.append(decode(message.payload))
                    elif message.topic.endswith("/status") and message.payload:
                        sensor = next(iter(Status.model_validate_json(message.payload).sensors), sensor)
                link.acknowledge(messages)
    finally:
        for task in (agent, watching, serving):
            task.cancel()
        await asyncio.gather(agent, watching, serving, return_exceptions=True)
    assert [channel.name for channel in blocks[0].samples.channels][:4] == ["x", "y", "z", "temperature"]
    assert all(abs(block.samples.times_ns[-1] - time.time_ns()) < 60 * SECOND_NS for block in blocks)
    assert set(sensor.rejected) <= REASONS["corrupted"]
    assert sensor.calibration.startswith("v1-")
