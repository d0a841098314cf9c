"""What a pipeline promises: streaming equals batch, a saved state goes on, nothing depends on what comes later."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stream.block import MISSING, Channel, Samples
from stream.events import Event, Kind
from stream.flags import Flag
from stream.pipeline import Pipeline, PipelineSettings, Released

SECOND = 10**9
START = 1_747_180_800 * SECOND
XYZ = tuple(Channel(name, "nT", 0.01) for name in "xyz")
INVARIANT = settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])


def eventful(rows: int = 2400) -> Samples:
    """The first rows of minutes in which much happens: spikes, a step, a pass, a stuck axis, gaps, a clock set back."""
    n = 2400
    random = np.random.default_rng(1)
    seconds = np.arange(n) / 10
    values = np.array([20_000.0, 1_500.0, 43_000.0]) + random.normal(0, 0.1, (n, 3)) + seconds[:, np.newaxis] * 0.005
    values[:, 0] += 40.0 * (seconds > 30.0)
    pass_at = (seconds - 60.0) / 1.5
    values += 80.0 * ((1.0 - pass_at) / (1.0 + pass_at**2) ** 2.5)[:, np.newaxis]
    values[random.random(n) < 0.01] += 50.0
    counts = np.round(values / 0.01).astype(np.int32)
    counts[900:1300, 1] = counts[900, 1]
    counts[1500:1560] = MISSING
    counts[random.random(n) < 0.01, 2] = MISSING
    times = START + (seconds * SECOND).astype(np.int64)
    times[1700:] += 6 * SECOND
    times[1900:] -= 2 * SECOND
    times[2100:] += 400 * SECOND
    return Samples.raw(XYZ, times[:rows], counts[:rows])


def joined(parts: Sequence[Released]) -> tuple[Samples, NDArray[np.float32], list[Event]]:
    return (
        Samples.joined([part.samples for part in parts]),
        np.concatenate([part.scores for part in parts]),
        [event for part in parts for event in part.events],
    )


def run(
    samples: Samples, cuts: Sequence[int] = (), save_at: Sequence[int] = (), flush: bool = True
) -> tuple[Samples, NDArray[np.float32], list[Event]]:
    """All that a pipeline says, fed in blocks that end at the cuts, saved and restored after some of them."""
    pipeline = Pipeline("STA", "mag", samples.channels)
    ends = [*sorted(cuts), len(samples)]
    parts = []
    for i, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        parts.append(pipeline.feed(samples[start:end]))
        if i in save_at:
            pipeline = Pipeline.restore(pipeline.save(), "STA", "mag", samples.channels)
    if flush:
        parts.append(pipeline.flush())
    return joined(parts)


EVENTFUL = eventful()
WHOLE = run(EVENTFUL)


def same(one: tuple[Samples, NDArray[np.float32], list[Event]]) -> None:
    samples, scores, events = one
    assert samples.same_as(WHOLE[0])
    np.testing.assert_array_equal(scores, WHOLE[1])
    assert events == WHOLE[2]


def test_the_eventful_minutes_are_eventful() -> None:
    """Or else the invariants would be shown of nothing."""
    kinds = {event.kind for event in WHOLE[2]}
    assert {Kind.STEP, Kind.TRANSIENT, Kind.STUCK, Kind.GAP, Kind.CLOCK_STEP, Kind.SILENT} <= kinds
    for flag in (Flag.SPIKE, Flag.STUCK, Flag.MISSING):
        assert (WHOLE[0].flags & flag).any()


@INVARIANT
@given(st.lists(st.integers(0, len(EVENTFUL)), max_size=40))
def test_streaming_equals_batch(cuts: list[int]) -> None:
    same(run(EVENTFUL, cuts))


def test_sample_by_sample_equals_batch() -> None:
    same(run(EVENTFUL, range(1, len(EVENTFUL))))


@INVARIANT
@given(st.lists(st.integers(0, len(EVENTFUL)), min_size=1, max_size=12), st.sets(st.integers(0, 11), min_size=1))
def test_a_saved_and_restored_pipeline_goes_on_as_if_nothing_had_been(cuts: list[int], save_at: set[int]) -> None:
    same(run(EVENTFUL, cuts, sorted(save_at)))


@INVARIANT
@given(st.integers(1, len(EVENTFUL)))
def test_nothing_depends_on_samples_that_come_later(cut: int) -> None:
    samples, scores, events = run(EVENTFUL[:cut], flush=False)
    assert len(samples) == max(cut - Pipeline("STA", "mag", XYZ).delay_samples, 0)
    np.testing.assert_array_equal(samples.flags, WHOLE[0].flags[: len(samples)])
    np.testing.assert_array_equal(scores, WHOLE[1][: len(samples)])
    assert events == WHOLE[2][: len(events)]
    taken = set(EVENTFUL.times_ns[:cut].tolist())
    assert all(event.detected_at in taken for event in events)


def test_raw_counts_and_times_come_out_as_they_went_in() -> None:
    np.testing.assert_array_equal(WHOLE[0].counts, EVENTFUL.counts)
    np.testing.assert_array_equal(WHOLE[0].times_ns, EVENTFUL.times_ns)


def test_what_is_fed_is_not_changed() -> None:
    samples = eventful(400)
    before = samples.counts.copy(), samples.flags.copy()
    run(samples)
    np.testing.assert_array_equal(samples.counts, before[0])
    np.testing.assert_array_equal(samples.flags, before[1])


def test_flags_that_came_with_the_samples_stay() -> None:
    samples = eventful(100)
    samples.flags[::3] |= np.uint16(Flag.CLOCK_UNSYNCED)
    assert ((run(samples)[0].flags & Flag.CLOCK_UNSYNCED) > 0).tolist() == ((samples.flags & 32) > 0).tolist()


def test_revisions_of_an_event_rise_by_one_and_the_last_one_has_ended() -> None:
    by_id: dict[str, list[Event]] = {}
    for event in WHOLE[2]:
        by_id.setdefault(event.id, []).append(event)
    for tellings in by_id.values():
        assert [event.revision for event in tellings] == list(range(len(tellings)))
        assert tellings[-1].end is not None
        assert all(event.evidence for event in tellings)


def test_an_event_that_lasts_is_told_without_an_end_and_ended_by_the_flush() -> None:
    samples = eventful(1200)
    open_one = [event for event in run(samples, flush=False)[2] if event.kind is Kind.STUCK]
    assert [event.end for event in open_one] == [None]
    assert run(samples)[2][-1].id == open_one[0].id
    assert run(samples)[2][-1].end == samples.times_ns[-1]


@pytest.mark.parametrize(
    ("names", "unit"), [(("f",), "nT"), (("value",), ""), (("x", "temperature"), "nT"), (("h", "d", "z", "s"), "nT")]
)
def test_any_set_of_channels_is_taken(names: tuple[str, ...], unit: str) -> None:
    channels = tuple(
        Channel(name, "arcmin" if name == "d" else "C" if name == "temperature" else unit, 0.01) for name in names
    )
    random = np.random.default_rng(2)
    counts = np.round(random.normal(2_000_000, 30, (400, len(names)))).astype(np.int32)
    counts[200] += 5000
    samples = Samples.raw(channels, START + np.arange(400) * SECOND, counts)
    out, scores, events = run(samples, [37, 251])
    assert np.flatnonzero(out.flags & Flag.SPIKE).tolist() == [200]
    assert scores[200] == scores.max()
    assert events == []


def test_channels_of_other_kinds_are_carried_and_not_judged() -> None:
    channels = (*XYZ, Channel("temperature", "C", 0.01))
    random = np.random.default_rng(3)
    counts = np.round(random.normal(0, 30, (300, 4))).astype(np.int32)
    counts[150, 3] = 10_000
    counts[100:, 3] += 3_000
    out, _, events = run(Samples.raw(channels, START + np.arange(300) * SECOND, counts))
    assert not out.flags.any()
    assert events == []


def test_a_channel_without_any_value_does_no_harm() -> None:
    samples = eventful()
    counts = np.column_stack([samples.counts, np.full(len(samples), MISSING, np.int32)])
    with_nul = Samples.raw((*XYZ, Channel("nul", "nT", 0.01)), samples.times_ns, counts)
    out, _, events = run(with_nul)
    assert [event.kind for event in events] == [event.kind for event in WHOLE[2]]
    np.testing.assert_array_equal(out.flags, WHOLE[0].flags)


def test_an_empty_feed_lets_nothing_go() -> None:
    pipeline = Pipeline("STA", "mag", XYZ)
    assert len(pipeline.feed(EVENTFUL[:0]).samples) == 0
    assert len(pipeline.flush().samples) == 0


def test_values_that_the_earth_cannot_have_are_flagged() -> None:
    samples = eventful(300)
    samples.counts[100:110, 0] = 9_000_000
    out, _, _ = run(samples)
    assert set(np.flatnonzero(out.flags & Flag.OUT_OF_RANGE).tolist()) >= set(range(100, 110))


DAMAGED = [b"", b"nonsense", b"PK\x03\x04 but no archive"]


@pytest.mark.parametrize("state", DAMAGED)
def test_a_damaged_state_is_refused(state: bytes) -> None:
    with pytest.raises(ValueError, match="saved state"):
        Pipeline.restore(state, "STA", "mag", XYZ)


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_a_state_with_a_changed_byte_is_refused(data: st.DataObject) -> None:
    state = bytearray(STATE)
    state[data.draw(st.integers(0, len(state) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError, match="saved state"):
        Pipeline.restore(bytes(state), "STA", "mag", XYZ)


def _state() -> bytes:
    pipeline = Pipeline("STA", "mag", XYZ)
    pipeline.feed(EVENTFUL[:400])
    return pipeline.save()


STATE = _state()


@pytest.mark.parametrize(
    ("station", "channels", "given_settings"),
    [
        ("OTHER", XYZ, PipelineSettings()),
        ("STA", XYZ[:2], PipelineSettings()),
        ("STA", XYZ, PipelineSettings(spike_sigma=9.0)),
    ],
)
def test_the_state_of_another_pipeline_is_refused(
    station: str, channels: tuple[Channel, ...], given_settings: PipelineSettings
) -> None:
    with pytest.raises(ValueError, match="another pipeline"):
        Pipeline.restore(STATE, station, "mag", channels, given_settings)


def test_a_state_cut_short_is_refused() -> None:
    with pytest.raises(ValueError, match="saved state"):
        Pipeline.restore(STATE[: len(STATE) // 2], "STA", "mag", XYZ)


def test_levels_of_activity_must_rise() -> None:
    with pytest.raises(ValueError, match="must be above 0 and rise"):
        PipelineSettings(activity_levels_nt=(100.0, 50.0, 200.0, 500.0))
