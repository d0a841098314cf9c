"""A recording through the live path is stored as `process` writes it, and yields the same events."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from gateway.stores.sqlite import SqliteStore

RECORDINGS = ["usgs/LLO20200106vsec.sec.gz", "psws/w2naf-20240510-runmag.log.bz2"]


@pytest.mark.parametrize("name", RECORDINGS)
def test_replay_stores_and_finds_what_process_does(
    name: str, data: Path, tmp_path: Path, mosquitto, make_gateway: Callable, magwatch: Callable
) -> None:
    gateway = make_gateway(mosquitto.url)
    processed = magwatch("process", str(data / name), "--out", str(tmp_path / "out"), "--json")
    assert processed.returncode == 0, processed.stderr
    said = json.loads(processed.stdout)
    for _ in range(2):  # the second time changes nothing
        replayed = magwatch("replay", str(data / name), "--broker", mosquitto.url, "--json", within_s=120)
        assert replayed.returncode == 0, replayed.stderr
        assert json.loads(replayed.stdout)["samples"] == said["rows"]

    table = pq.read_table(tmp_path / "out" / "samples.parquet")
    trace = asyncio.run(_stored(gateway.data_dir / "samples.db", said["station"], said["sensor"]))
    order = np.argsort(table["time"].cast("int64").to_numpy(), kind="stable")
    assert np.array_equal(trace.times_ns, table["time"].cast("int64").to_numpy()[order])
    assert np.array_equal(trace.flags, table["flags"].to_numpy()[order])
    for column, channel in enumerate(trace.channels):
        written = table[channel.name].to_numpy(zero_copy_only=False)[order]
        # What has more digits than counts hold (W2NAF's computed total field) is stored to its LSB.
        assert np.allclose(trace.values[:, column], written, rtol=0, atol=channel.lsb, equal_nan=True)
        if channel.name in "xyzuvwhdef":
            assert np.array_equal(trace.values[:, column], written, equal_nan=True)

    events = [json.loads(line) for line in (tmp_path / "out" / "events.jsonl").read_text().splitlines()]
    stored = []
    cursor = ""
    while cursor is not None:
        page = gateway.get(f"api/v1/events?limit=500{cursor and '&cursor=' + cursor}")
        stored += page["events"]
        cursor = page["next"]
    assert sorted(stored, key=lambda event: event["id"]) == sorted(events, key=lambda event: event["id"])
    assert gateway.get("api/v1/notifications")["notifications"] == [] or all(
        one["what"] == "backlog" for one in gateway.get("api/v1/notifications")["notifications"]
    ), "old news does not page"


async def _stored(path: Path, station: str, sensor: str):
    store = await SqliteStore.open(path, read_only=True)
    try:
        return await store.read(station, sensor, -(2**62), 2**62, 2**31)
    finally:
        await store.close()
