"""`magwatch move`: what the embedded store has, into the InfluxDB that the settings name now.

Block by block in the order in which they came, as the ingest would store them, so that a block that is there already
does no harm; how far it has come is remembered beside the file, and whoever is killed goes on from there. The gateway
may run meanwhile. The embedded store's file is left as it is.
"""

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ValidationError

from gateway.ingest import until_done
from gateway.minutes_due import MinutesDue, Span
from gateway.quarantine import Quarantine, Refusal
from gateway.records import open_records
from gateway.settings import GatewaySettings, InfluxSettings
from gateway.stores.influx import InfluxStore
from gateway.stores.influx_ql import EARLIEST_NS
from gateway.stores.ledger import Ledger
from gateway.stores.opening import SAMPLES_FILE
from gateway.stores.sqlite_contents import BlockRow, Contents
from stream.block import Block
from stream.codec import decode
from stream.errors import DecodeError, MagwatchError
from stream.instant import SECOND_NS
from stream.topics import SensorTopic

log = logging.getLogger(__name__)

MARK_FILE = "samples.moved.json"
"""Beside samples.db."""
BATCH = 500
_DAYS_AT_ONCE = 20
_DAY_NS = 86_400 * SECOND_NS
MADE_AGAIN_NS = 7 * _DAY_NS
"""The minutes of each sensor's last week are made again: some were on the list when the store was changed."""

Progress = Callable[[int, int], None]


class Mark(BaseModel):
    """How far it has come: the highest numbers that are done, and where to they went."""

    to: str
    day: int = 0
    block: int = 0

    @classmethod
    def read(cls, path: Path, to: str) -> Self:
        """From the beginning when there is none, or one of another target."""
        try:
            mark = cls.model_validate_json(path.read_bytes())
        except (FileNotFoundError, ValidationError):
            return cls(to=to)
        return mark if mark.to == to else cls(to=to)

    def keep(self, path: Path) -> None:
        """In the place of the one before."""
        part = path.with_name(path.name + ".part")
        part.write_text(self.model_dump_json())
        part.replace(path)


@dataclass(slots=True)
class Moved:
    """What was done by this call, and of every sensor how many samples the embedded store and the InfluxDB have."""

    to: str
    blocks: int = 0
    samples: int = 0
    days: int = 0
    too_old: int = 0
    """Samples, older than `keep_days`: the InfluxDB would drop them."""
    refused: int = 0
    """Samples that the InfluxDB does not take: they are in the quarantine, with the reason."""
    unreadable: list[str] = field(default_factory=list)
    sensors: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def short(self) -> list[str]:
        """Sensors of which the InfluxDB has fewer samples than the embedded store."""
        return [name for name, (here, there) in self.sensors.items() if there < here]


async def move(settings: GatewaySettings, progress: Progress) -> Moved:
    """`progress` is told how many blocks and days of minutes are done, and how many there are. Raises MagwatchError."""
    if not isinstance(settings.store, InfluxSettings):
        raise MagwatchError('move: [store] names the embedded store: set type = "influx", url and database there first')
    path = settings.data_dir / SAMPLES_FILE
    if not await asyncio.to_thread(path.exists):
        raise MagwatchError(f"move: there is no {path}: is data_dir right?")
    async with contextlib.AsyncExitStack() as stack:
        contents = await Contents.open(path)
        stack.push_async_callback(contents.close)
        records = await open_records(settings.data_dir / "gateway.db")
        stack.push_async_callback(records.close)
        ledger = Ledger(records)
        store = InfluxStore(settings.store, ledger)
        stack.push_async_callback(store.close)
        quarantine, mark_path = Quarantine(records), path.with_name(MARK_FILE)
        mover = _Mover(contents, store, ledger, quarantine, settings.store, mark_path, progress)
        await mover.take_over()
        await mover.move_days()
        await mover.move_blocks()
        await mover.compare()
        await MinutesDue(records).mark(await mover.last_week())
    return mover.moved


class _Mover:
    def __init__(
        self,
        contents: Contents,
        store: InfluxStore,
        ledger: Ledger,
        quarantine: Quarantine,
        settings: InfluxSettings,
        mark_path: Path,
        progress: Progress,
    ) -> None:
        self._contents, self._store, self._ledger, self._quarantine = contents, store, ledger, quarantine
        to = f"{settings.url}/{settings.database}"
        self._mark_path, self._mark = mark_path, Mark.read(mark_path, to)
        self._keep_days = settings.keep_days
        self._progress = progress
        self.moved = Moved(to)

    async def take_over(self) -> None:
        """What the embedded store had and has dropped stays counted."""
        for sensor in await self._contents.sensors():
            runs: dict[int, list[tuple[int, int]]] = defaultdict(list)
            for boot, first, last in await self._contents.dropped(sensor):
                runs[boot].append((first, last))
            if runs:
                await self._ledger.take_over(sensor.name, runs, sensor.dropped)

    async def move_days(self) -> None:
        """The minutes, also those of samples that are not there any more."""
        while rows := await self._contents.days(self._mark.day, _DAYS_AT_ONCE):
            for row in rows:
                try:
                    minutes = await asyncio.to_thread(decode, row.payload)
                except DecodeError as wrong:
                    self._unreadable(f"the minutes number {row.number} of {row.station}/{row.sensor}: {wrong}")
                    continue
                keep = partial(self._store.keep_minutes, row.station, row.sensor, minutes.samples)
                await until_done(keep, "the InfluxDB")
                self.moved.days += 1
            await self._reached(day=rows[-1].number)

    async def move_blocks(self) -> None:
        """All that are there when it comes to the end, also those that came meanwhile."""
        while rows := await self._contents.blocks(self._mark.block, BATCH):
            young, old = await asyncio.to_thread(self._read, rows)
            refused = await until_done(partial(self._store.append, young), "the InfluxDB")
            await until_done(partial(self._ledger.enter, old, ()), "the gateway's file")
            if refused:
                names = [str(SensorTopic(block.station, block.sensor, "block")) for block, _ in young]
                refusals = [Refusal(names[point.block], point.sent, point.reason) for point in refused]
                await until_done(partial(self._quarantine.add_all, refusals, time.time_ns()), "the quarantine")
            self.moved.blocks += len(young)
            self.moved.refused += sum(point.samples for point in refused)
            self.moved.samples += sum(len(block.samples) for block, _ in young) - sum(one.samples for one in refused)
            self.moved.too_old += sum(len(block.samples) for block in old)
            await self._reached(block=rows[-1].number)

    async def compare(self) -> None:
        """Both, as they are now, without what is too old for the InfluxDB."""
        there = {(one.station, one.sensor): one.samples for one in await self._store.sensors()}
        here = await self._contents.samples_since(self._oldest_ns())
        for name in sorted(here):
            self.moved.sensors["/".join(name)] = (here[name], there.get(name, 0))

    async def last_week(self) -> list[Span]:
        """Of each sensor."""
        return [
            Span(one.station, one.sensor, max(one.first_ns, one.last_ns - MADE_AGAIN_NS), one.last_ns)
            for one in await self._contents.sensors()
            if one.first_ns is not None and one.last_ns is not None
        ]

    def _read(self, rows: Sequence[BlockRow]) -> tuple[list[tuple[Block, bytes]], list[Block]]:
        """The blocks to be stored, and those that are only counted because all of each is too old."""
        young, old = [], []
        oldest_ns = self._oldest_ns()
        for row in rows:
            try:
                block = decode(row.payload)
            except DecodeError as wrong:
                self._unreadable(f"the block number {row.number}: {wrong}")
                continue
            if row.last_ns < oldest_ns:
                old.append(block)
            else:
                young.append((block, row.payload))
        return young, old

    def _oldest_ns(self) -> int:
        return EARLIEST_NS if self._keep_days is None else time.time_ns() - self._keep_days * _DAY_NS

    def _unreadable(self, what: str) -> None:
        log.error("%s cannot be read and stays where it is: %s", SAMPLES_FILE, what)
        self.moved.unreadable.append(what)

    async def _reached(self, **numbers: int) -> None:
        self._mark = self._mark.model_copy(update=numbers)
        await asyncio.to_thread(self._mark.keep, self._mark_path)
        self._progress(self._mark.day + self._mark.block, sum(await self._contents.ends()))


def listed(moved: Moved) -> str:
    """For a person."""
    lines = [
        f"{moved.blocks} blocks with {moved.samples} samples and {moved.days} days of minutes moved to {moved.to}",
        *([f"{moved.too_old} samples are older than keep_days and were counted, not moved"] if moved.too_old else []),
        *([f"{moved.refused} samples were refused: magwatch quarantine list says why"] if moved.refused else []),
        *(f"cannot be read and was left: {what}" for what in moved.unreadable),
        *(f"{name}: {here} samples here, {there} there" for name, (here, there) in moved.sensors.items()),
    ]
    if moved.short:
        lines.append(
            f"fewer than here: {', '.join(moved.short)}. Samples of one sensor with the same time are one point in an "
            "InfluxDB, and what was refused is not there; for anything else, move again"
        )
    return "\n".join(lines)
