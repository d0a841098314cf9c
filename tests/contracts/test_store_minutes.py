"""The contract of a store's minutes, for every adapter: a minute once, the last one counts, apart from samples."""

import numpy as np

from gateway.stores import Store, Trace
from stream.block import MISSING, Channel, Samples
from stream.flags import Flag

MINUTE_NS = 60_000_000_000
T0_NS = 1_715_299_200_000_000_000  # midnight
XYZ = tuple(Channel(name, "nT", 0.001) for name in "xyz")
ALL = (-(2**62), 2**62)
PLENTY = 1_000_000


def minutes(first: int, n: int, seed: int = 1, channels: tuple[Channel, ...] = XYZ) -> Samples:
    """n minutes from the `first` one after T0_NS."""
    steps = np.random.default_rng(seed).integers(-300, 300, (n, len(channels)))
    counts = (np.cumsum(steps, axis=0) + 20_873_755).astype(np.int32)
    return Samples.raw(channels, T0_NS + (first + np.arange(n, dtype=np.int64)) * MINUTE_NS, counts)


async def everything(store: Store, sensor: str = "fge", max_points: int = PLENTY) -> Trace:
    return await store.read_minutes("conrad", sensor, *ALL, max_points)


async def test_minutes_come_back_to_the_last_digit_with_their_flags(store: Store) -> None:
    made = minutes(0, 5)
    made.counts[2] = MISSING
    made.counts[3, 1] = MISSING
    made.flags[2] = Flag.MISSING
    made.flags[4] = Flag.CLOCK_UNSYNCED
    await store.keep_minutes("conrad", "fge", made)
    trace = await everything(store)
    assert trace.channels == XYZ
    assert trace.times_ns.tolist() == made.times_ns.tolist()
    assert trace.flags.tolist() == made.flags.tolist()
    assert [channel.counts(trace.values[:, k]).tolist() for k, channel in enumerate(XYZ)] == made.counts.T.tolist()


async def test_the_same_minute_again_replaces_and_the_others_stay(store: Store) -> None:
    await store.keep_minutes("conrad", "fge", minutes(0, 3000, 1))
    again = minutes(1438, 4, 2)  # over midnight
    await store.keep_minutes("conrad", "fge", again)
    trace = await everything(store)
    expected = minutes(0, 3000, 1).counts.copy()
    expected[1438:1442] = again.counts
    assert np.array_equal(trace.times_ns, minutes(0, 3000).times_ns)
    assert np.array_equal(XYZ[0].counts(trace.values[:, 0]), expected[:, 0])


async def test_minutes_in_any_order_are_read_in_order_of_time(store: Store) -> None:
    whole = minutes(0, 3000)
    for part in np.random.default_rng(3).permutation(30).tolist():
        await store.keep_minutes("conrad", "fge", whole[part * 100 : part * 100 + 100])
    trace = await everything(store)
    assert np.array_equal(trace.times_ns, whole.times_ns)
    assert np.array_equal(XYZ[2].counts(trace.values[:, 2]), whole.counts[:, 2])


async def test_a_span_of_minutes_is_half_open(store: Store) -> None:
    await store.keep_minutes("conrad", "fge", minutes(0, 10))
    trace = await store.read_minutes("conrad", "fge", T0_NS + 2 * MINUTE_NS, T0_NS + 5 * MINUTE_NS, PLENTY)
    assert ((trace.times_ns - T0_NS) // MINUTE_NS).tolist() == [2, 3, 4]


async def test_minutes_are_no_samples_and_belong_to_their_sensor(store: Store) -> None:
    await store.keep_minutes("conrad", "fge", minutes(0, 10))
    assert len(await store.read("conrad", "fge", *ALL, PLENTY)) == 0
    assert len(await store.latest("conrad", "fge")) == 0
    assert await store.sensors() == []
    assert len(await everything(store, "lemi")) == 0


async def test_keeping_no_minutes_keeps_none(store: Store) -> None:
    await store.keep_minutes("conrad", "fge", minutes(0, 0))
    assert len(await everything(store)) == 0


async def test_a_channel_that_comes_later_is_missing_in_the_minutes_before(store: Store) -> None:
    more = (*XYZ, Channel("t", "degC", 0.01))
    await store.keep_minutes("conrad", "fge", minutes(0, 3))
    await store.keep_minutes("conrad", "fge", minutes(3, 2, channels=more))
    trace = await everything(store)
    assert [channel.name for channel in trace.channels] == ["x", "y", "z", "t"]
    assert np.isnan(trace.values[:3, 3]).all()
    assert not np.isnan(trace.values[3:]).any()
    assert XYZ[0].counts(trace.values[:3, 0]).tolist() == minutes(0, 3).counts[:, 0].tolist()


async def test_a_thinned_month_of_minutes_keeps_every_peak_and_the_gap(store: Store) -> None:
    whole = minutes(0, 43_200)
    whole.counts[[20_000, 31_111], [0, 2]] = [90_000_000, -90_000_000]
    await store.keep_minutes("conrad", "fge", whole[:35_000])
    await store.keep_minutes("conrad", "fge", whole[36_000:])
    kept = np.r_[0:35_000, 36_000:43_200]
    trace = await everything(store, max_points=1000)
    assert trace.thinned
    assert 250 < len(trace) <= 1000
    for column, channel in enumerate(XYZ):
        values = channel.physical(whole.counts[kept, column])
        assert (np.nanmin(trace.values[:, column]), np.nanmax(trace.values[:, column])) == (values.min(), values.max())
    empty = (trace.times_ns[np.isnan(trace.values).all(axis=1)] - T0_NS) / MINUTE_NS
    assert len(empty) == 1
    assert 35_000 <= empty[0] < 36_000


async def test_forgetting_minutes_drops_those_before_and_leaves_samples_alone(store: Store) -> None:
    await store.keep_minutes("conrad", "fge", minutes(0, 3000))
    await store.keep_minutes("conrad", "lemi", minutes(0, 100))
    assert await store.forget_minutes(T0_NS + 1500 * MINUTE_NS) == 1600
    trace = await everything(store)
    assert (len(trace), int(trace.times_ns[0])) == (1500, T0_NS + 1500 * MINUTE_NS)
    assert len(await everything(store, "lemi")) == 0
    assert await store.forget_minutes(T0_NS + 1500 * MINUTE_NS) == 0
    assert await store.forget_minutes(2**62) == 1500


async def test_a_minute_that_comes_again_without_a_value_has_none(store: Store) -> None:
    first, again = minutes(0, 5), minutes(0, 5, 2)
    again.counts[1, 2] = again.counts[3] = MISSING
    await store.keep_minutes("conrad", "fge", first)
    await store.keep_minutes("conrad", "fge", again)
    trace = await everything(store)
    assert [channel.counts(trace.values[:, k]).tolist() for k, channel in enumerate(XYZ)] == again.counts.T.tolist()
