"""`magwatch plan`: what a fleet will need in bandwidth and disk, reckoned from what was measured (magwatch_plan.toml).

A block is its header and so many bits a value, fewer the longer the block; in blocks of n vectors they are nearly
a + b / n, which is how it is reckoned between the sizes that were measured. Around it are MQTT 5 and TCP/IP, behind it
the acknowledgements, the gateway's commit and the station's status. Events, what is sent a second time, and TLS (some
30 bytes a packet) are not in it. The stores keep every sample and a mean for every minute.
"""

import math
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from stream.messages import ChannelInfo, Commit, CommittedBlocks, SensorInfo, Status
from stream.topics import SensorTopic, StationTopic

TABLE = Path(__file__).with_suffix(".toml")
DAYS = {"day": 1.0, "year": 365.25, "five_years": 5 * 365.25}
DAY_S = 86_400.0
MINUTES_A_DAY = 1440
MINUTES = "minutes"
MOST_VECTORS = 1000
"""The agent makes no longer blocks."""
STATUS_S = 10.0
TCP_IP_BYTES = 52
"""Of a packet: 20 IPv4, 20 TCP, 12 time stamps."""
PUBACK_BYTES = 4
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


class Kind(BaseModel):
    """What was measured of one kind of instrument."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    measured_on: str
    channels: int
    header_bytes: int
    bits: dict[int, float]
    """Of a value, by the vectors in a block, without the header."""
    influxdb_bytes: float
    """Of a value on disk."""

    def bits_of(self, vectors: int) -> float:
        """Bits of a value in blocks of so many vectors."""
        shares = np.array(sorted(1.0 / size for size in self.bits))
        bits = np.array([self.bits[round(1.0 / share)] for share in shares])
        share = 1.0 / vectors
        if share > shares[-1]:
            return float(bits[-1] + (share - shares[-1]) * (bits[-1] - bits[-2]) / (shares[-1] - shares[-2]))
        return float(np.interp(share, shares, bits))


class Table(BaseModel):
    """The file beside this one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kinds: dict[str, Kind]
    embedded: dict[int, float]
    """Bytes of the embedded store's file for a block of so many bytes."""

    def embedded_bytes_of(self, payload_bytes: float) -> float:
        """The same for a block of any size: what comes on top of its own bytes lies between what was measured."""
        sizes = sorted(self.embedded)
        on_top = [self.embedded[size] - size for size in sizes]
        return payload_bytes + float(np.interp(payload_bytes, sizes, on_top))


def table() -> Table:
    """What was measured."""
    return Table.model_validate(tomllib.loads(TABLE.read_text(encoding="utf-8")))


class Fleet(BaseModel):
    """Stations that are all alike; `channels`: the instrument's own number without it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stations: int = Field(ge=1)
    sensors: int = Field(ge=1)
    rate_hz: float = Field(gt=0)
    channels: int = Field(ge=1)
    block_s: float = Field(gt=0)
    instrument: str

    @property
    def vectors(self) -> int:
        """In a block."""
        return min(MOST_VECTORS, max(1, round(self.rate_hz * self.block_s)))


@dataclass(frozen=True, slots=True)
class Block:
    """A block of the fleet: its bytes, and bits a value with and without the header."""

    vectors: int
    bytes: float
    bits_per_value: float
    bits_per_value_without_header: float


@dataclass(frozen=True, slots=True)
class Station:
    """The line of one station, TCP/IP included, in bits a second."""

    sends_bits_per_s: float
    receives_bits_per_s: float


@dataclass(frozen=True, slots=True)
class Need:
    """Of the whole fleet, in bytes."""

    sent: float
    received: float
    embedded_store: float
    influxdb: float


@dataclass(frozen=True, slots=True)
class Plan:
    """All of it."""

    fleet: Fleet
    block: Block
    station: Station
    needs: dict[str, Need]

    def as_json(self) -> dict[str, object]:
        """For `--json`."""
        return asdict(self) | {"fleet": self.fleet.model_dump()}

    def lines(self) -> list[str]:
        """For people."""
        fleet, block = self.fleet, self.block
        rows = [
            ("", *(name.replace("_", " ") for name in self.needs)),
            ("stations send", *(human(need.sent) for need in self.needs.values())),
            ("stations receive", *(human(need.received) for need in self.needs.values())),
            ("embedded store", *(human(need.embedded_store) for need in self.needs.values())),
            ("InfluxDB", *(human(need.influxdb) for need in self.needs.values())),
        ]
        return [
            f"{fleet.stations} stations of {fleet.sensors} sensors ({fleet.instrument}), {fleet.channels} channels at "
            f"{fleet.rate_hz:g} Hz, blocks of {fleet.block_s:g} s",
            f"a block: {block.vectors} vectors in {block.bytes:.0f} bytes, {block.bits_per_value:.1f} bits a value "
            f"({block.bits_per_value_without_header:.1f} without its header)",
            f"a station's line: {self.station.sends_bits_per_s / 1000:.2f} kbit/s up, "
            f"{self.station.receives_bits_per_s / 1000:.2f} down",
            "",
            *(f"{row[0]:18s}" + "".join(f"{cell:>12s}" for cell in row[1:]) for row in rows),
        ]


def plan(fleet: Fleet, measured: Table) -> Plan:
    """What the fleet will need. Raises KeyError for an instrument that was not measured."""
    kind, minutes = measured.kinds[fleet.instrument], measured.kinds[MINUTES]
    values = fleet.vectors * fleet.channels
    bits = kind.bits_of(fleet.vectors)
    block_bytes = kind.header_bytes + values * bits / 8
    blocks_a_day = fleet.sensors * fleet.rate_hz / fleet.vectors * DAY_S
    up, down = _a_station_a_day(fleet, block_bytes, blocks_a_day)
    values_a_day = fleet.sensors * fleet.channels * fleet.rate_hz * DAY_S
    minute_values = fleet.sensors * fleet.channels * MINUTES_A_DAY
    embedded = blocks_a_day * measured.embedded_bytes_of(block_bytes) + minute_values * minutes.bits_of(1000) / 8
    influxdb = values_a_day * kind.influxdb_bytes + minute_values * minutes.influxdb_bytes
    return Plan(
        fleet,
        Block(fleet.vectors, block_bytes, 8 * block_bytes / values, bits),
        Station(8 * up / DAY_S, 8 * down / DAY_S),
        {
            name: Need(*(fleet.stations * days * each for each in (up, down, embedded, influxdb)))
            for name, days in DAYS.items()
        },
    )


def _a_station_a_day(fleet: Fleet, block_bytes: float, blocks_a_day: float) -> tuple[float, float]:
    """Bytes up and down, with messages of the real models and names of usual length."""
    channels = tuple(ChannelInfo(name=f"c{number}", unit="nT", lsb=0.01) for number in range(fleet.channels))
    sensors = tuple(
        SensorInfo(name=f"mag{number}", channels=channels, rate_hz=fleet.rate_hz, accepted=10**8)
        for number in range(fleet.sensors)
    )
    status = Status(state="online", boot=2**63, at=10**18, version="0.1.0", sensors=sensors).model_dump_json()
    stored = CommittedBlocks(sensor="mag0", boot=2**63, ranges=((10**6, 10**6),))
    commit = Commit(blocks=(stored,)).model_dump_json()
    block = publish_bytes(str(SensorTopic("wic1", "mag0", "block")), block_bytes)
    told = publish_bytes(str(StationTopic("wic1", "status")), len(status))
    answer = publish_bytes(str(StationTopic("wic1", "commit")), len(commit))
    statuses_a_day = DAY_S / STATUS_S
    # Each packet that carries something is acknowledged by one that carries nothing: so it was on loopback, for blocks
    # that are seconds apart. A link that acknowledges later needs less.
    to_publish, to_acknowledge = TCP_IP_BYTES, PUBACK_BYTES + 2 * TCP_IP_BYTES
    up = blocks_a_day * (block + to_publish + to_acknowledge) + statuses_a_day * (told + to_publish)
    down = blocks_a_day * (answer + to_publish + to_acknowledge) + statuses_a_day * to_acknowledge
    return up, down


def publish_bytes(topic: str, payload_bytes: float) -> float:
    """A PUBLISH of MQTT 5 with QoS 1 in packets of 1,448 bytes: type and length, topic, packet id, no properties."""
    rest = 2 + len(topic) + 2 + 1 + payload_bytes
    whole = 1 + (1 if rest < 128 else 2 if rest < 16_384 else 3) + rest
    return whole + TCP_IP_BYTES * math.ceil(whole / 1448)


def human(size: float) -> str:
    """`12.3 GB`; powers of a thousand, as disks are sold."""
    power = 0
    while size >= 1000 and power < len(_UNITS) - 1:
        size /= 1000
        power += 1
    return f"{size:.3g} {_UNITS[power]}"
