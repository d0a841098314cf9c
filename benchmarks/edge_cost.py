"""What an agent costs at its station: processor, memory, start, bytes on the wire. Three axes at 10 Hz, 1-s blocks.

    python -m benchmarks.edge_cost [--runs 3] [--seconds 60] [--json]

The agent is `magwatch edge` in a process of its own; mosquitto, the gateway and a simulated logger that prints a line a
sample on a TCP port are others and not counted. Figures are medians of the runs. A run: the agent is started with an
empty data folder, left alone for SETTLED_S, watched for `--seconds`. The start is from before the process is made to
when a subscriber has the first block. Of that, `floor_s` is physics: ten samples make a block, and the last of them is
final seven samples later; `start_to_first_sample_s` is how late the first sample was. Memory is taken at the end;
`rss_growth_mb` is what it grew by while it was watched.

Bytes are whole MQTT 5 PUBLISH packets up to the broker (header, topic, packet id, payload) of blocks, status and
events; TCP's own and acknowledgements are in neither figure. Beside them are the same samples as JSON: a message a
sample as most loggers send them, and a message a block with arrays.
"""

import argparse
import contextlib
import json
import queue
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.processes import background, cpu_s, free_port, listening, memory_mb
from stream import codec
from stream.block import Samples
from stream.despike import DELAY_SAMPLES

SETTLED_S = 15.0
READY_S = 60.0
COMPILED_S = 600.0
RATE_HZ, BLOCK_S = 10.0, 1.0
DAY_S = 86_400.0
STATION, SENSOR = "COST", "mag"
_AGENT = """
station = "{station}"
data_dir = "{folder}"
broker.url = "{broker}"
[[sensors]]
name = "{sensor}"
block_s = {block_s}
[sensors.source]
type = "textline"
separator = ";"
rate_hz = {rate_hz}
link = {{ type = "tcp", host = "127.0.0.1", port = {port} }}
time = {{ columns = [1], format = "%Y-%m-%dT%H:%M:%S.%f" }}
channels = [
  {{ name = "x", column = 2, lsb = 0.01 }},
  {{ name = "y", column = 3, lsb = 0.01 }},
  {{ name = "z", column = 4, lsb = 0.01 }},
]
"""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message as the subscriber got it; at_ns is the host's clock."""

    at_ns: int
    topic: str
    payload: bytes

    @property
    def leaf(self) -> str:
        return self.topic.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Cost:
    """One run, or the medians of several. Bytes are scaled to a day; events are as many as there happened to be."""

    cpu_percent: float
    rss_mb: float
    pss_mb: float
    rss_growth_mb: float
    start_to_first_sample_s: float
    floor_s: float
    start_to_first_block_s: float
    bytes_per_day: float
    block_bytes_per_day: float
    status_bytes_per_day: float
    event_bytes_per_day: float
    commit_bytes_per_day: float
    json_bytes_per_day: float
    json_per_sample_bytes_per_day: float


class Station:
    """The broker, the gateway, the instrument and a subscriber, all there before the agent."""

    def __init__(self, folder: Path, broker_port: int, source_port: int) -> None:
        self.folder = folder
        self._broker_port, self._source_port = broker_port, source_port
        self.arrived: queue.SimpleQueue[Arrived] = queue.SimpleQueue()

    @classmethod
    @contextlib.contextmanager
    def up(cls, folder: Path) -> "Iterator[Station]":
        """Starts them all and ends them all."""
        mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
        if mosquitto is None:
            raise SystemExit("benchmarks.edge_cost: mosquitto is not installed (sh tests/servers.sh)")
        broker, source, page = free_port(), free_port(), free_port()
        (folder / "mosquitto.conf").write_text(f"listener {broker} 127.0.0.1\nallow_anonymous true\n")
        (folder / "sim.toml").write_text(f'instrument = "fluxgate"\nrate_hz = {RATE_HZ}\n')
        (folder / "gateway.toml").write_text(
            f'data_dir = "{folder}/gateway"\nbroker.url = "mqtt://127.0.0.1:{broker}"\nlisten.port = {page}\n'
        )
        sim = ["sim", "logger", "--tcp", str(source), "--config", str(folder / "sim.toml")]
        with contextlib.ExitStack() as stack:
            stack.enter_context(background([mosquitto, "-c", str(folder / "mosquitto.conf")]))
            listening(broker, READY_S)
            stack.enter_context(background(_magwatch("gateway", "--config", str(folder / "gateway.toml"))))
            stack.enter_context(background(_magwatch(*sim)))
            listening(source, READY_S)
            listening(page, READY_S)
            station = cls(folder, broker, source)
            stack.enter_context(station._subscriber())
            yield station

    @contextlib.contextmanager
    def agent(self) -> Iterator[int]:
        """A fresh agent; its process id."""
        data, config = self.folder / "agent", self.folder / "edge.toml"
        shutil.rmtree(data, ignore_errors=True)
        config.write_text(
            _AGENT.format(
                station=STATION,
                folder=data,
                broker=f"mqtt://127.0.0.1:{self._broker_port}",
                sensor=SENSOR,
                block_s=BLOCK_S,
                rate_hz=RATE_HZ,
                port=self._source_port,
            )
        )
        with background(_magwatch("edge", "--config", str(config))) as process:
            yield process.pid

    def first_block(self, within_s: float) -> Arrived:
        """The next message that is a block. Raises TimeoutError when none comes, nor anything else."""
        with contextlib.suppress(queue.Empty):
            while (message := self.arrived.get(timeout=within_s)).leaf != "block":
                pass
            return message
        raise TimeoutError(f"no block has come in {within_s:.0f} s")

    def drain(self) -> list[Arrived]:
        """What has come since the last call."""
        messages = []
        with contextlib.suppress(queue.Empty):
            while True:
                messages.append(self.arrived.get_nowait())
        return messages

    @contextlib.contextmanager
    def _subscriber(self) -> Iterator[None]:
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.on_message = lambda _c, _u, m: self.arrived.put(Arrived(time.time_ns(), m.topic, m.payload))
        client.on_connect = lambda c, *_: c.subscribe(f"mag/1/{STATION}/#", qos=1)
        client.connect("127.0.0.1", self._broker_port)
        client.loop_start()
        try:
            yield
        finally:
            client.disconnect()
            client.loop_stop()


def run(station: Station, watched_s: float) -> Cost:
    """One agent from its start on."""
    station.drain()
    begun_ns = time.time_ns()
    with station.agent() as pid:
        block = station.first_block(READY_S)
        samples = codec.decode(block.payload).samples
        step_s = 1.0 / RATE_HZ
        time.sleep(SETTLED_S)
        station.drain()
        begun, before, resident = time.monotonic(), cpu_s(pid), memory_mb(pid)
        time.sleep(watched_s)
        spent, after, messages = time.monotonic() - begun, memory_mb(pid), station.drain()
        cpu = (cpu_s(pid) - before) / spent
    daily = {leaf: _per_day(messages, leaf, spent) for leaf in ("block", "backlog", "status", "event", "commit")}
    blocks = [codec.decode(one.payload).samples for one in messages if one.leaf in ("block", "backlog")]
    return Cost(
        cpu_percent=100.0 * cpu,
        rss_mb=after["Rss"],
        pss_mb=after["Pss"],
        rss_growth_mb=after["Rss"] - resident["Rss"],
        start_to_first_sample_s=(int(samples.times_ns[0]) - begun_ns) / 1e9,
        floor_s=(len(samples) - 1 + DELAY_SAMPLES) * step_s,
        start_to_first_block_s=(block.at_ns - begun_ns) / 1e9,
        bytes_per_day=daily["block"] + daily["backlog"] + daily["status"] + daily["event"],
        block_bytes_per_day=daily["block"] + daily["backlog"],
        status_bytes_per_day=daily["status"],
        event_bytes_per_day=daily["event"],
        commit_bytes_per_day=daily["commit"],
        json_bytes_per_day=sum(map(_as_one_message, blocks)) * DAY_S / spent,
        json_per_sample_bytes_per_day=sum(map(_as_messages, blocks)) * DAY_S / spent,
    )


def packet_bytes(topic: str, payload_bytes: int) -> int:
    """An MQTT 5 PUBLISH with QoS 1 and no properties: type, length, topic, packet id, no properties, payload."""
    rest = 2 + len(topic) + 2 + 1 + payload_bytes
    return 1 + max(1, -(-rest.bit_length() // 7)) + rest


def _per_day(messages: Sequence[Arrived], leaf: str, spent_s: float) -> float:
    own = [packet_bytes(one.topic, len(one.payload)) for one in messages if one.leaf == leaf]
    return sum(own) * DAY_S / spent_s


def _rows(samples: Samples) -> tuple[list[str], list[list[float]]]:
    """Printed times, and the values of each row as an instrument would print them."""
    times = samples.times_ns.astype("datetime64[ns]").astype("datetime64[ms]").astype(str).tolist()
    return times, [
        [round(count * one.lsb, 2) for count, one in zip(row, samples.channels, strict=True)]
        for row in samples.counts.tolist()
    ]


def _as_messages(samples: Samples) -> int:
    """Bytes of a message a sample."""
    names = [one.name for one in samples.channels]
    rows = zip(*_rows(samples), strict=True)
    texts = [_json({"t": at + "Z", **dict(zip(names, row, strict=True))}) for at, row in rows]
    return sum(packet_bytes(f"mag/1/{STATION}/{SENSOR}/reading", len(text)) for text in texts)


def _as_one_message(samples: Samples) -> int:
    """Bytes of a message a block: an array of times, an array a channel."""
    times, rows = _rows(samples)
    columns = dict(zip((one.name for one in samples.channels), zip(*rows, strict=True), strict=True))
    text = _json({"t": [at + "Z" for at in times], **columns})
    return packet_bytes(f"mag/1/{STATION}/{SENSOR}/reading", len(text))


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _magwatch(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "magwatch", *arguments]


def measure(runs: int, watched_s: float) -> Cost:
    """Medians of the runs; an agent before them fills the caches."""
    codec.warm_up()
    with tempfile.TemporaryDirectory(prefix="magwatch-cost-") as folder, Station.up(Path(folder)) as station:
        with station.agent():
            station.first_block(COMPILED_S)
        costs = [asdict(run(station, watched_s)) for _ in range(runs)]
    return Cost(**{name: statistics.median(cost[name] for cost in costs) for name in costs[0]})


def main() -> None:
    """Prints a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each run is watched")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    cost = measure(options.runs, options.seconds)
    if options.json:
        print(json.dumps(asdict(cost)))
        return
    print(f"processor  {cost.cpu_percent:.2f} % of a core")
    print(f"memory     {cost.rss_mb:.0f} MB resident ({cost.rss_growth_mb:+.1f}), {cost.pss_mb:.0f} MB its own share")
    print(
        f"start      {cost.start_to_first_block_s:.2f} s to the first block: "
        f"{cost.start_to_first_sample_s:.2f} s to its first sample, {cost.floor_s:.2f} s until its last is final"
    )
    print(f"wire       {cost.bytes_per_day / 1e6:.2f} MB a day: blocks {cost.block_bytes_per_day / 1e6:.2f}, ", end="")
    print(f"status {cost.status_bytes_per_day / 1e6:.2f}, events {cost.event_bytes_per_day / 1e6:.2f}; ", end="")
    print(f"commits back {cost.commit_bytes_per_day / 1e6:.2f}")
    print(f"as JSON    {cost.json_per_sample_bytes_per_day / 1e6:.1f} MB a day a message a sample, ", end="")
    print(f"{cost.json_bytes_per_day / 1e6:.1f} a message a block")


if __name__ == "__main__":
    main()
