"""What an InfluxDB takes by itself: lines that are built already, over several connections; and influxdb-client.

The lines are those of the very points that the gateway gets, made by the gateway's own formatter, in a database of
their own that has just been made. A rate is from the first request to the last answer, and counts only when a query
finds every point afterwards.
"""

import http.client
import importlib.metadata
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from benchmarks import servers
from benchmarks.mqtt_load import CHANNELS, SENSOR, STEP_NS, Packet, field_counts
from gateway.stores.influx_lines import lines_of, requests, runs_of
from stream.codec import decode

TRIED = ((5_000, 2), (10_000, 2), (20_000, 2), (10_000, 4))
"""Lines a request and connections: the best of them is the limit."""
TRIED_LINES = 600_000
CLIENT_POINTS = 60_000


class Way(NamedTuple):
    """How lines are sent."""

    lines_a_request: int
    connections: int


def lines_of_packets(packets: Sequence[Packet]) -> list[bytes]:
    """Every point of the packets as a line, the oldest first; those of a station follow each other block by block."""
    lines: list[bytes] = []
    for first in range(0, len(packets), 500):
        blocks = [decode(packet.payload) for packet in packets[first : first + 500]]
        runs = runs_of("magnetic", [(block.station, block.sensor, block.samples) for block in blocks], 0)
        for pieces in requests(runs, 10_000):
            lines += lines_of(pieces).data.splitlines(keepends=True)
    return lines


def limit(influx: servers.Influxd, warm: Sequence[bytes], lines: Sequence[bytes], way: Way) -> servers.Reached:
    """Points a second into a new database that was given `warm` before; it is dropped again."""
    influx.query("CREATE DATABASE bench")
    _sent(influx.port, _bodies(warm, way), way.connections)
    bodies = _bodies(lines, way)
    influx.settle()
    begun_s, before_s = time.perf_counter(), servers.cpu_by_program()
    _sent(influx.port, bodies, way.connections)
    taken_s = time.perf_counter() - begun_s
    cpu_us = servers.cpu_us_since(before_s, len(lines))
    stored, sent = influx.points("bench"), len(warm) + len(lines)
    assert stored == sent, f"{stored} of {sent} points are there"
    influx.query("DROP DATABASE bench")
    return servers.Reached(len(lines) / taken_s, cpu_us)


def best_way(influx: servers.Influxd, warm: Sequence[bytes], lines: Sequence[bytes]) -> tuple[Way, dict[str, float]]:
    """The fastest of TRIED, and what each of them reached."""
    reached = {Way(*tried): limit(influx, warm, lines[:TRIED_LINES], Way(*tried)).rate_per_s for tried in TRIED}
    named = {f"{way.lines_a_request} lines, {way.connections} connections": rate for way, rate in reached.items()}
    return max(reached, key=reached.__getitem__), named


def client_batching() -> float | None:
    """influxdb-client's batching mode with Points; None where something that it needs is not installed."""
    try:
        importlib.metadata.version("influxdb-client")
    except importlib.metadata.PackageNotFoundError:
        return None
    from influxdb_client import InfluxDBClient, Point, WriteOptions  # noqa: PLC0415 - half a second

    if not (servers.found("influxd") and servers.found("nginx")):
        return None
    counts, start_ns = field_counts(CLIENT_POINTS), time.time_ns() - CLIENT_POINTS * STEP_NS
    with tempfile.TemporaryDirectory(prefix="magwatch-ingest-") as temporary:
        folder = Path(temporary)
        with servers.influxd(folder) as influx, servers.v2_front(folder, influx.port) as port:
            influx.query("CREATE DATABASE bench")
            begun = time.perf_counter()
            with InfluxDBClient(f"http://127.0.0.1:{port}", "", org="magwatch") as client:
                options = WriteOptions(batch_size=5_000, flush_interval=1000, max_close_wait=60_000)
                with client.write_api(write_options=options) as writing:
                    for row in range(CLIENT_POINTS):
                        point = Point("magnetic").tag("station", "load000").tag("sensor", SENSOR)
                        for column, channel in enumerate(CHANNELS):
                            point.field(channel.name, counts[row, column] * channel.lsb)
                        writing.write("bench", record=point.field("flags", 0).time(start_ns + row * STEP_NS))
            taken_s = time.perf_counter() - begun
            stored = influx.points("bench")
            assert stored == CLIENT_POINTS, f"influxdb-client lost {CLIENT_POINTS - stored} of {CLIENT_POINTS} points"
            return CLIENT_POINTS / taken_s


def _bodies(lines: Sequence[bytes], way: Way) -> list[bytes]:
    size = way.lines_a_request
    return [b"".join(lines[first : first + size]) for first in range(0, len(lines), size)]


def _sent(port: int, bodies: Sequence[bytes], connections: int) -> None:
    def send(share: Sequence[bytes]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for body in share:
            connection.request("POST", "/write?db=bench", body)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 204, answer.status
        connection.close()

    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(send, [bodies[number::connections] for number in range(connections)]))
