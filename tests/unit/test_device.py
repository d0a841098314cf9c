"""A device without an agent is watched as by one: the same flags and events, however its messages are cut and held."""

import numpy as np

from gateway.device import MOST_LATE, Device, Held
from gateway.stores import Trace
from stream.block import Block, Channel, Samples
from stream.flags import Flag
from stream.pipeline import Pipeline
from stream.transport.link import Message

CHANNELS = (Channel("x", "nT", 0.01),)
STEP_NS = 1_000_000_000


def stream(rows: int = 600) -> Samples:
    """Noise, a spike, and a step."""
    dice = np.random.default_rng(5)
    counts = (2_000_000 + dice.normal(0, 20, (rows, 1)).round()).astype(np.int32)
    counts[300] += 50_000
    counts[450:] += 30_000
    return Samples.raw(CHANNELS, 1_700_000_000 * STEP_NS + np.arange(rows, dtype=np.int64) * STEP_NS, counts)


def messages(samples: Samples, sizes: list[int]) -> list[Held]:
    held, at, number = [], 0, 0
    while at < len(samples):
        rows = samples[at : at + sizes[number % len(sizes)]]
        held.append(Held(Message("t", b"", False, (number, 1, 1)), Block("home", "esp", number, 0, rows), 0.0))
        at, number = at + len(rows), number + 1
    return held


def joined(done: list[Held]) -> Samples:
    return Samples.joined([held.settled.samples for held in done])


def test_messages_come_out_with_the_flags_and_events_of_the_pipeline() -> None:
    samples = stream()
    pipeline = Pipeline("home", "esp", CHANNELS)
    fed, last = pipeline.feed(samples), pipeline.flush()
    expected = Samples.joined([fed.samples, last.samples])
    sent = messages(samples, [1, 7, 30])
    device = Device.fresh(sent[0].block)
    done, events = [], []
    for held in sent:
        events += device.take(held)
        done += device.certain()
    told, rest = device.end()
    done += rest
    assert joined(done).same_as(expected)
    assert joined(done).flags[300] & Flag.SPIKE
    assert [event.id for event in (*events, *told)] == [event.id for event in (*fed.events, *last.events)]
    assert {event.kind for event in events} >= {"step"}


def test_what_is_stored_early_comes_once_and_does_not_disturb_what_follows() -> None:
    samples = stream()
    sent = messages(samples, [3])
    device = Device.fresh(sent[0].block)
    done, events = [], []
    for number, held in enumerate(sent):
        events += device.take(held)
        done += device.certain()
        if number % 5 == 0:
            done += device.all_now()
    done += device.all_now()
    assert joined(done).counts.tolist() == samples.counts.tolist()
    assert joined(done).times_ns.tolist() == samples.times_ns.tolist()
    assert [event.kind for event in events].count("step") == 1


def test_a_device_that_was_saved_goes_on_after_what_was_stored_since() -> None:
    samples = stream()
    first, since, rest = messages(samples[:400], [400]), samples[400:440], messages(samples[440:], [1])
    device = Device.fresh(first[0].block)
    device.take(first[0])
    device.all_now()
    again = Device.restored(rest[0].block, device.save(), int(samples.times_ns[399]))
    assert again is not None
    values = CHANNELS[0].physical(since.counts[:, 0])[:, None]
    again.catch_up(Trace(CHANNELS, since.times_ns, values, since.flags))
    done, events = [], []
    for held in rest:
        events += again.take(held)
        done += again.certain()
    done += again.all_now()
    assert joined(done).counts.tolist() == samples[440:].counts.tolist()
    assert {event.kind for event in events} >= {"step"}
    assert Device.restored(rest[0].block, b"something else", 0) is None


def test_a_repeated_message_is_late_until_the_clock_must_be_another_one() -> None:
    sent = messages(stream(), [5])
    device = Device.fresh(sent[0].block)
    for held in sent:
        assert not device.is_late(held.block)
        device.take(held)
    assert [device.is_late(sent[0].block) for _ in range(MOST_LATE)] == [True] * (MOST_LATE - 1) + [False]
    assert device.lost_its_clock
