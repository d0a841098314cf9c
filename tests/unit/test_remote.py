"""Settings from afar are taken whole or not at all, change what may be changed, and say every mistake."""

import json

import pytest

from edge.remote import LARGEST_BYTES, RefusedError, command, merged
from edge.settings import AgentSettings

OWN = AgentSettings.model_validate(
    {
        "station": "wic",
        "data_dir": "data",
        "sensors": [
            {"name": "fge", "source": {"type": "sim"}, "block_s": 2.0},
            {"name": "gsm", "source": {"type": "sim"}},
        ],
    }
)


def config(**values: object) -> bytes:
    return json.dumps({"version": "7"} | values).encode()


def test_what_is_given_is_put_over_the_agents_own_and_the_rest_stays() -> None:
    made, version = merged(OWN, config(status_s=30, sensors={"fge": {"publish": {"rate": "on_event"}}}))
    fge, gsm = made.sensors
    assert (version, made.status_s) == ("7", 30.0)
    assert (fge.publish.rate, fge.block_s, fge.source) == ("on_event", 2.0, OWN.sensors[0].source)
    assert gsm == OWN.sensors[1]
    assert (made.broker, made.data_dir) == (OWN.broker, OWN.data_dir)


def test_an_empty_message_takes_everything_back() -> None:
    assert merged(OWN, b"") == (OWN, "")


@pytest.mark.parametrize(
    ("payload", "names"),
    [
        (b"no json", ["Invalid JSON"]),
        (b"[" * 100_000, [str(LARGEST_BYTES)]),
        (config(broker={"url": "mqtt://elsewhere"}), ["broker"]),
        (config(data_dir="/etc"), ["data_dir"]),
        (config(sensors={"fge": {"source": {"type": "sim"}}}), ["source"]),
        (config(sensors={"hon": {}}), ["sensors.hon", "fge, gsm"]),
        (config(status_s=0, sensors={"fge": {"block_s": -1}, "hon": {}}), ["status_s", "sensors.fge.block_s", "hon"]),
        (config(sensors={"fge": {"publish": {"rate": "on_event", "before_s": 9000}}}), ["ring_s"]),
        (b'{"sensors": {}}', ["version"]),
        (config(status_s=float("nan")), ["status_s"]),
    ],
)
def test_a_message_with_a_mistake_is_refused_as_a_whole_and_each_mistake_is_named(
    payload: bytes, names: list[str]
) -> None:
    with pytest.raises(RefusedError) as refused:
        merged(OWN, payload)
    text = " ".join(refused.value.reply("config").reasons)
    assert [name for name in names if name not in text] == []


def test_a_command_names_what_it_wants() -> None:
    asked = command(
        b'{"id": "1", "what": "send", "sensor": "fge", "start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:01:00Z"}'
    )
    assert asked.span()[2] - asked.span()[1] == 60 * 10**9
    for wrong in (b"{}", b'{"id": "1", "what": "send"}', b'{"id": "1", "what": "rm -rf"}'):
        with pytest.raises(RefusedError):
            command(wrong)
