"""The trace around an event as a PNG for a phone: raw above, cleaned below, flags and the event marked.

Drawn with Pillow, which the charting library brings along anyway: its import and a picture take some tens of
milliseconds, where matplotlib's import alone takes most of a second.
"""

import asyncio
import io
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from gateway.alerts.notifiers import Notification
from gateway.stores import Store, StoreError, Trace
from stream.block import Channel
from stream.flags import CLEAN_WITHOUT, Flag
from stream.instant import SECOND_NS

log = logging.getLogger(__name__)

WITHIN_S = 0.1
"""A push waits no longer for its picture."""
WIDTH, HEIGHT = 960, 640
"""Pixels; some 20 kB."""
_LEFT, _RIGHT, _TOP, _BOTTOM, _GAP = 92, 16, 40, 34, 30
_STRIP = 10
"""Height of the line of flags under the raw trace."""
_BEFORE_NS, _AFTER_NS = 300 * SECOND_NS, 60 * SECOND_NS
_LONGEST_NS = 6 * 3600 * SECOND_NS
_POINTS = 2000
_PAPER, _INK, _GRID, _EVENT, _FLAGGED = "#ffffff", "#1a1a1a", "#dddddd", "#fff1cf", "#c0392b"
_LINES = ("#1f5fa8", "#c8641e", "#2f8f4e", "#7a4fa3")
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
_FIELD = "nT"

FloatOrArray = TypeVar("FloatOrArray", float, NDArray[np.float64])


class Pictures:
    """Pictures of what a notification is about, read from the store and drawn in a thread of their own."""

    def __init__(self, store: Store, within_s: float, clock: Callable[[], int]) -> None:
        self._store, self._within_s, self._clock = store, within_s, clock
        self._thread = ThreadPoolExecutor(1, "picture")

    async def of(self, notification: Notification) -> bytes | None:
        """A PNG; None where there is nothing to draw, the store fails, or it is not ready in time: the push goes
        without it then."""
        if notification.sensor is None or notification.alert_id is None:
            return None
        facts = notification.facts
        start_ns = facts.start if facts else notification.detected_at or notification.created_at
        over_ns = facts.end if facts else None
        end_ns = over_ns or self._clock()
        t1_ns = min(end_ns + _AFTER_NS, start_ns + _LONGEST_NS)
        t0_ns = start_ns - max(_BEFORE_NS, (end_ns - start_ns) // 4)
        try:
            async with asyncio.timeout(self._within_s):
                trace = await self._store.read(notification.station, notification.sensor, t0_ns, t1_ns, _POINTS)
                name = f"{notification.station} {notification.sensor}"
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._thread, drawn, trace, name, start_ns, over_ns)
        except TimeoutError:
            log.info("%s: no picture within %g s; the text goes without", notification.id, self._within_s)
        except StoreError as wrong:
            log.info("%s: no picture: %s", notification.id, wrong)
        return None

    def close(self) -> None:
        """The thread ends with the picture that it is at."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def warm_up() -> None:
    """Load fonts and the PNG writer, which takes longer than a picture."""
    times_ns = np.arange(3, dtype=np.int64) * SECOND_NS
    drawn(Trace((Channel("x", _FIELD, 1.0),), times_ns, np.zeros((3, 1)), np.zeros(3, np.uint16)), "", 0, None)


def drawn(trace: Trace, name: str, start_ns: int, end_ns: int | None) -> bytes | None:
    """PNG of the field's channels, each as its departure from its own median. None without two samples of the field.

    `start_ns`, `end_ns`: the event, shaded; without an end it reaches to the right.
    """
    columns = [i for i, channel in enumerate(trace.channels) if channel.unit == _FIELD][: len(_LINES)]
    raw = trace.values[:, columns]
    clean = np.where((trace.flags & int(CLEAN_WITHOUT))[:, None] != 0, np.nan, raw)
    if len(trace) < 2 or not np.isfinite(raw).any():
        return None
    base = _medians(clean, raw)
    image = Image.new("RGB", (WIDTH, HEIGHT), _PAPER)
    draw = ImageDraw.Draw(image)
    high = (HEIGHT - _TOP - _BOTTOM - _GAP) // 2
    labels = [trace.channels[i].name for i in columns]
    panels = (_Panel(draw, trace.times_ns, _TOP, _TOP + high), _Panel(draw, trace.times_ns, HEIGHT - _BOTTOM - high))
    for panel, values, title in zip(panels, (raw - base, clean - base), ("raw", "cleaned"), strict=True):
        panel.event(start_ns, end_ns)
        panel.axes(values, title)
        for line, column in enumerate(values.T):
            panel.line(column, _LINES[line])
    panels[0].flags(trace.flags)
    panels[1].times()
    _heading(draw, name, labels, trace.times_ns)
    file = io.BytesIO()
    image.quantize(32, Image.Quantize.FASTOCTREE).save(file, "PNG", compress_level=6)
    return file.getvalue()


class _Panel:
    """One pair of axes: time from left to right over both, values from `top` to `bottom`."""

    def __init__(
        self, draw: ImageDraw.ImageDraw, times_ns: NDArray[np.int64], top: int, bottom: int = HEIGHT - _BOTTOM
    ) -> None:
        self._draw, self._times_ns, self._top, self._bottom = draw, times_ns, top, bottom
        self._t0_ns, self._span_ns = int(times_ns[0]), max(int(times_ns[-1] - times_ns[0]), 1)
        self._low, self._high = -1.0, 1.0

    def _x(self, time_ns: int) -> float:
        share = (time_ns - self._t0_ns) / self._span_ns
        return _LEFT + min(max(share, 0.0), 1.0) * (WIDTH - _LEFT - _RIGHT)

    def _y(self, value: FloatOrArray) -> FloatOrArray:
        return self._bottom - (value - self._low) / (self._high - self._low) * (self._bottom - self._top)

    def event(self, start_ns: int, end_ns: int | None) -> None:
        """Shade it; at least three pixels wide."""
        left = self._x(start_ns)
        right = self._x(end_ns) if end_ns is not None else float(WIDTH - _RIGHT)
        self._draw.rectangle((left, self._top, max(right, left + 3), self._bottom), fill=_EVENT)

    def axes(self, values: NDArray[np.float64], title: str) -> None:
        """The frame, a scale that holds all values, and what the panel shows."""
        known = values[np.isfinite(values)]
        low, high = (float(known.min()), float(known.max())) if known.size else (-1.0, 1.0)
        margin = max((high - low) * 0.06, 0.05)
        self._low, self._high = low - margin, high + margin
        step = _round_step((self._high - self._low) / 5)
        for number in range(int(np.ceil(self._low / step)), int(np.floor(self._high / step)) + 1):
            y = self._y(number * step)
            self._draw.line((_LEFT, y, WIDTH - _RIGHT, y), fill=_GRID)
            label = f"{number * step:+g}" if number else "0"
            self._draw.text((_LEFT - 8, y), label, fill=_INK, font=_font(17), anchor="rm")
        self._draw.rectangle((_LEFT, self._top, WIDTH - _RIGHT, self._bottom), outline=_INK)
        self._draw.text((_LEFT + 8, self._top + 5), f"{title}, nT from the median", fill=_INK, font=_font(17))

    def line(self, values: NDArray[np.float64], colour: str) -> None:
        """Broken where a value is missing; a lone sample is a dot."""
        known = np.isfinite(values)
        x = _LEFT + (self._times_ns - self._t0_ns) / self._span_ns * (WIDTH - _LEFT - _RIGHT)
        points = np.column_stack((x, self._y(values)))
        edges = np.flatnonzero(np.diff(np.concatenate(([False], known, [False])).astype(np.int8)))
        for first, after in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            if after - first == 1:
                x, y = points[first].tolist()
                self._draw.ellipse((x - 1, y - 1, x + 1, y + 1), fill=colour)
            else:
                self._draw.line(points[first:after].ravel().tolist(), fill=colour, width=2)

    def flags(self, flags: NDArray[np.uint16]) -> None:
        """A mark for each flagged sample in a strip under the panel, with the names of the flags that there are."""
        marked = np.flatnonzero(flags & np.uint16(~int(Flag.CLOCK_UNSYNCED) & 0xFFFF))
        for i in marked.tolist():
            x = self._x(int(self._times_ns[i]))
            self._draw.line((x, self._bottom + 3, x, self._bottom + 3 + _STRIP), fill=_FLAGGED, width=2)
        present = int(np.bitwise_or.reduce(flags[marked])) if marked.size else 0
        names = ", ".join(str(flag.name).lower().replace("_", " ") for flag in Flag if present & flag)
        if names:
            place = (WIDTH - _RIGHT, self._bottom + 4 + _STRIP)
            self._draw.text(place, f"flags: {names}", fill=_FLAGGED, font=_font(14), anchor="ra")

    def times(self) -> None:
        """Ticks at whole times, in UTC."""
        span_s = self._span_ns / SECOND_NS
        step_s = next((step for step in _STEPS_S if span_s / step <= 7), 4 * 3600)
        form = "%H:%M:%S" if step_s < 60 else "%H:%M"
        first_s = -(-self._t0_ns // (step_s * SECOND_NS)) * step_s
        for time_s in range(first_s, (self._t0_ns + self._span_ns) // SECOND_NS + 1, step_s):
            x = self._x(time_s * SECOND_NS)
            self._draw.line((x, self._bottom, x, self._bottom + 5), fill=_INK)
            label = f"{datetime.fromtimestamp(time_s, UTC):{form}}"
            self._draw.text((x, self._bottom + 8), label, fill=_INK, font=_font(17), anchor="ma")


def _heading(draw: ImageDraw.ImageDraw, name: str, labels: list[str], times_ns: NDArray[np.int64]) -> None:
    day = datetime.fromtimestamp(int(times_ns[0]) // SECOND_NS, UTC)
    draw.text((_LEFT, 10), f"{name}   {day:%Y-%m-%d} UTC", fill=_INK, font=_font(20))
    x = float(WIDTH - _RIGHT)
    for number in range(len(labels) - 1, -1, -1):
        draw.text((x, 10), labels[number], fill=_LINES[number], font=_font(20), anchor="ra")
        x -= draw.textlength(labels[number], font=_font(20)) + 18


def _medians(clean: NDArray[np.float64], raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each channel: of its clean samples, else of what there is."""
    bases = np.zeros(raw.shape[1])
    for column in range(raw.shape[1]):
        for values in (clean[:, column], raw[:, column]):
            known = values[np.isfinite(values)]
            if known.size:
                bases[column] = np.median(known)
                break
    return bases


def _round_step(least: float) -> float:
    """The next of 1, 2, 5, 10 ... times a power of ten."""
    power = 10.0 ** np.floor(np.log10(least))
    return float(next(power * part for part in (1.0, 2.0, 5.0, 10.0) if power * part >= least * 0.999))


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
