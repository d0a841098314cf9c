"""How a station is, in its own words: what it measures, sends, holds back and has lost."""

import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Literal

from edge.health import Health
from edge.line import Line
from edge.outbox import Account, Backlog
from edge.settings import AgentSettings
from stream.block import Channel
from stream.filters import product_channels
from stream.messages import ChannelInfo, SensorInfo, Status


def status_of(
    state: Literal["online", "offline"],
    boot: int,
    settings: AgentSettings,
    config: str,
    lines: Mapping[str, Line],
    health: Callable[[str], Health],
    accounts: Mapping[str, Account],
    damaged: Mapping[str, int],
    backlog: Backlog,
) -> Status:
    """The birth, or the goodbye. `config`: the version of the settings from afar; `accounts`, `damaged`: by stream."""
    sensors = [info for name, line in lines.items() for info in _streams(line, health(name), accounts, damaged)]
    return Status(
        state=state,
        boot=boot,
        at=time.time_ns(),
        version=version("magwatch"),
        position=settings.position,
        config=config,
        sensors=tuple(sensors),
        backlog_blocks=backlog.blocks,
        backlog_bytes=backlog.bytes,
    )


def _streams(
    line: Line, health: Health, accounts: Mapping[str, Account], damaged: Mapping[str, int]
) -> list[SensorInfo]:
    """One for each stream that is sent, always or at times; what the instrument itself did stands with the first."""
    sensor = line.sensor
    infos: list[SensorInfo] = []
    for name, kind in sensor.streams.items():
        account = accounts.get(name, Account())
        whole = kind == "full" and sensor.publish.rate == "full"
        # What was read and is not yet in a block is accepted too; of the others, what was put into the outbox.
        waiting = line.accepted - line.full.released if whole else 0
        infos.append(
            SensorInfo(
                name=name,
                channels=_channels(line.channels if kind == "full" else product_channels(line.channels)),
                rate_hz=line.rate_hz(name),
                accepted=account.sent + waiting,
                evicted=account.evicted,
                refused=account.refused,
                damaged=damaged.get(name, 0),
                rejected={} if infos else dict(health.rejected),
                continuous=whole or kind != "full",
                connected=health.connected,
                calibration=sensor.calibration.digest if sensor.calibration else "",
            )
        )
    return infos


def _channels(channels: tuple[Channel, ...]) -> tuple[ChannelInfo, ...]:
    return tuple(ChannelInfo(name=one.name, unit=one.unit, lsb=one.lsb) for one in channels)
