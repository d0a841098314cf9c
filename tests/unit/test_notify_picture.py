"""The picture of the trace: what is on it, and that it never keeps a push waiting."""

import asyncio
import io
import time

import numpy as np
import pytest
from PIL import Image

from gateway.alerts.notifiers import Notification
from gateway.alerts.picture import HEIGHT, WIDTH, Pictures, drawn
from gateway.stores import Store, StoreUnavailableError, Trace
from stream.block import Channel
from stream.events import Severity
from stream.flags import Flag

T0 = 1_715_360_700_000_000_000
S = 1_000_000_000
NOTE = Notification(
    id="ab" * 16,
    what="firing",
    severity=Severity.WARNING,
    title="Step",
    text="",
    station="conrad",
    sensor="fge",
    alert_id="a",
    created_at=T0 + 400 * S,
    detected_at=T0 + 300 * S,
)


def trace(rows: int = 2000, *, spike: int | None = None) -> Trace:
    dice = np.random.default_rng(1)
    values = np.array([21_000.0, 300.0, 43_000.0, 24.5]) + dice.normal(0.0, 0.1, (rows, 4))
    flags = np.zeros(rows, np.uint16)
    if spike is not None:
        values[spike] += 500.0
        flags[spike] = Flag.SPIKE
    channels = (*(Channel(name, "nT", 0.01) for name in "xyz"), Channel("t", "degC", 0.01))
    return Trace(channels, T0 + np.arange(rows, dtype=np.int64) * S // 3, values, flags)


def pixels(png: bytes | None) -> np.ndarray:
    assert png is not None
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def near(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (np.abs(picture - np.array(colour)).max(axis=2) < 40).nonzero()  # type: ignore[return-value]


def test_a_spike_is_in_the_raw_trace_marked_and_not_in_the_cleaned_one() -> None:
    before, after = pixels(drawn(trace(), "conrad fge", T0, None)), pixels(drawn(trace(spike=1000), "c", T0, None))
    assert before.shape == (HEIGHT, WIDTH, 3)
    flagged = (192, 57, 43)
    assert len(near(before, flagged)[0]) < len(near(after, flagged)[0])
    rows, columns = near(after, (47, 143, 78))
    assert np.ptp(rows[(rows < HEIGHT // 2) & (columns < 900)]) > 200, "the raw trace has the spike"
    cleaned = rows[(rows > HEIGHT // 2) & (columns < 900)]
    assert np.ptp(cleaned) > 100, "the cleaned trace has a scale of its own"


def test_the_event_is_shaded_from_its_start() -> None:
    shade = (255, 241, 207)
    whole = near(pixels(drawn(trace(), "c", T0, None)), shade)
    part = near(pixels(drawn(trace(), "c", T0 + 500 * S, None)), shade)
    assert len(part[0]) < 0.35 * len(whole[0])


@pytest.mark.parametrize("rows", [0, 1])
def test_nothing_to_draw_is_no_picture(rows: int) -> None:
    assert drawn(trace(rows), "c", T0, None) is None


def test_gaps_constants_and_huge_values_are_drawn() -> None:
    odd = trace(50)
    odd.values[10:20] = np.nan
    odd.values[:, 0] = 5.0
    odd.values[30, 1] = 1e9
    assert drawn(odd, "c", T0, T0) is not None
    odd.flags[:] = Flag.DISTURBED
    assert drawn(odd, "c", T0, T0 + S) is not None


class OneTrace:
    """A store that has one trace, late or never."""

    def __init__(self, after_s: float = 0.0, fails: bool = False) -> None:
        self.after_s, self.fails = after_s, fails

    async def read(self, station: str, sensor: str, t0_ns: int, t1_ns: int, max_points: int) -> Trace:
        assert (station, sensor, t0_ns < NOTE.created_at < t1_ns) == ("conrad", "fge", True)
        await asyncio.sleep(self.after_s)
        if self.fails:
            raise StoreUnavailableError("no database")
        return trace()


@pytest.mark.parametrize(
    ("store", "there"), [(OneTrace(), True), (OneTrace(after_s=5.0), False), (OneTrace(fails=True), False)]
)
async def test_a_push_waits_for_its_picture_only_so_long(store: Store, there: bool) -> None:
    pictures = Pictures(store, 0.5, lambda: NOTE.created_at)
    begun_s = time.monotonic()
    picture = await pictures.of(NOTE)
    pictures.close()
    assert (picture is not None) is there
    assert time.monotonic() - begun_s < 2.0
