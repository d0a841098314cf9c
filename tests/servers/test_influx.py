"""The InfluxDB store when something is wrong: nothing is lost, nothing doubled, and it goes on by itself."""

import asyncio
import json
import logging
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import numpy as np
import pytest
import urllib3
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from gateway.ingest import until_done
from gateway.records import open_records
from gateway.settings import InfluxSettings
from gateway.stores import Counted, StoreBusyError, StoreHeldError, StoreUnavailableError
from gateway.stores.influx import InfluxStore
from gateway.stores.influx_http import InfluxServer
from gateway.stores.influx_lines import lines_of, requests, runs_of
from gateway.stores.ledger import Ledger
from stream.block import MISSING, Block, Channel, Samples
from stream.codec import encode
from stream.messages import Commit
from tests.conftest import ALLOWED, Influxd, InfluxFront, Mosquitto, listening, program, wait_for
from tests.fleet import Gateway

log = logging.getLogger(__name__)

SECOND_NS = 10**9
DAY_NS = 86_400 * SECOND_NS
T0_NS = 1_715_360_700 * SECOND_NS
XYZ = tuple(Channel(name, "nT", 0.01) for name in "xyz")
ALL = (-(2**62), 2**62)


def block(
    seq: int, n: int = 1000, channels: tuple[Channel, ...] = XYZ, t0_ns: int = T0_NS, sensor: str = "fge"
) -> tuple[Block, bytes]:
    times_ns = t0_ns + (seq * n + np.arange(n, dtype=np.int64)) * SECOND_NS
    steps = np.random.default_rng(seq).integers(-30, 30, (n, len(channels)))
    made = Block("conrad", sensor, 7, seq, Samples.raw(channels, times_ns, np.cumsum(steps, axis=0).astype(np.int32)))
    return made, encode(made)


def settings_of(url: str, name: str, **others: object) -> InfluxSettings:
    return InfluxSettings.model_validate({"type": "influx", "url": url, "database": name, **others})


def ask(url: str, statement: str) -> list[dict[str, Any]]:
    """As an administrator."""
    headers = urllib3.make_headers(basic_auth="admin:admin")
    answer = urllib3.request("POST", f"{url}/query?{urlencode({'q': statement, 'epoch': 'ns'})}", headers=headers)
    results: list[dict[str, Any]] = json.loads(answer.data)["results"]
    return results


def write(url: str, name: str, line: str) -> int:
    """As somebody else than the gateway."""
    return urllib3.request("POST", f"{url}/write?db={name}&rp=full", body=line).status


async def samples_in(store: InfluxStore) -> int:
    (sensor,) = await store.sensors()
    return sensor.samples


@pytest.fixture
def name(tmp_path: Path) -> str:
    """A database of its own for each test."""
    return f"{tmp_path.name}-{time.time_ns() % 10**6}"[-60:].lstrip("_-.")


@pytest.fixture(params=["v1", "v2"])
def url(request: pytest.FixtureRequest) -> str:
    fixture: Influxd | InfluxFront = request.getfixturevalue("influxd" if request.param == "v1" else "influx_front")
    return fixture.url


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[Influxd]:
    """A database to kill."""
    server = Influxd(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Influxd]:
    """A database that lets in its administrator alone, until the tests make users."""
    server = Influxd(tmp_path, auth=True)
    try:
        server.start()
        ask(server.url, "CREATE USER admin WITH PASSWORD 'admin' WITH ALL PRIVILEGES")
        yield server
    finally:
        server.kill()


@pytest.fixture
def make_front(tmp_path: Path) -> Iterator[Callable[..., InfluxFront]]:
    made: list[InfluxFront] = []

    def make(upstream: str, **how: str) -> InfluxFront:
        made.append(InfluxFront(tmp_path, upstream, **how))
        made[-1].start()
        return made[-1]

    yield make
    for front in made:
        front.stop()


@pytest.mark.parametrize("api", ["v1", "v2"])
async def test_a_wrong_secret_holds_and_the_right_one_goes_on(
    api: str,
    guarded: Influxd,
    make_front: Callable[..., InfluxFront],
    tmp_path: Path,
    name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ask(guarded.url, f"CREATE USER magwatch WITH PASSWORD '{ALLOWED.partition(':')[2]}' WITH ALL PRIVILEGES")
    front = make_front(guarded.url)
    secret = tmp_path / "secret"
    secret.write_text("tesla-1856\n")
    how = {"password_file": secret, "username": "magwatch"} if api == "v1" else {"token_file": secret}
    store = InfluxStore(settings_of(front.url, name, api=api, **how))
    with pytest.raises(StoreHeldError, match=r"HTTP 401"):
        await store.append([block(0)])
    appending = asyncio.create_task(until_done(partial(store.append, [block(0), block(1)]), "the store"))
    await asyncio.sleep(1.2)
    assert not appending.done()
    secret.write_text(f"{ALLOWED.partition(':')[2] if api == 'v1' else ALLOWED}\n")
    assert await appending == []
    assert await samples_in(store) == 2000
    held = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(held) == 1, "told once, however often it was tried"
    assert ALLOWED.partition(":")[2] not in caplog.text
    assert "tesla-1856" not in caplog.text
    await store.close()


async def test_a_database_that_is_gone_is_made_again(url: str, name: str) -> None:
    store = InfluxStore(settings_of(url, name))
    await store.append([block(0)])
    ask(url, f'DROP DATABASE "{name}"')
    assert await until_done(partial(store.append, [block(1)]), "the store") == []
    assert await samples_in(store) == 1000
    assert (await store.sensors())[0].channels == XYZ
    await store.close()


async def test_a_retention_policy_that_is_gone_is_made_again(url: str, name: str) -> None:
    store = InfluxStore(settings_of(url, name))
    await store.append([block(0)])
    ask(url, f'DROP RETENTION POLICY "full" ON "{name}"')
    assert await until_done(partial(store.append, [block(1)]), "the store") == []
    assert await samples_in(store) == 1000
    await store.close()


async def test_who_may_not_make_a_database_is_told_what_an_administrator_has_to_do(
    guarded: Influxd, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(guarded.url, "CREATE USER writer WITH PASSWORD 'pen'")
    ask(guarded.url, "CREATE DATABASE other")
    ask(guarded.url, "GRANT ALL ON other TO writer")
    monkeypatch.setenv("PEN", "pen")
    store = InfluxStore(settings_of(guarded.url, name, username="writer", **{"password_env": "PEN"}))
    with pytest.raises(StoreHeldError) as raised:
        await store.append([block(0)])
    assert f'GRANT ALL ON "{name}" TO "writer"' in str(raised.value)
    ask(guarded.url, f'CREATE DATABASE "{name}"')
    ask(guarded.url, f'GRANT ALL ON "{name}" TO writer')
    with pytest.raises(StoreHeldError) as raised:
        await store.append([block(0)])
    statement = str(raised.value).rpartition("run: ")[2]
    assert statement == f'CREATE RETENTION POLICY "full" ON "{name}" DURATION INF REPLICATION 1'
    ask(guarded.url, statement)
    ask(guarded.url, statement.replace("full", "minutes"))
    assert await store.append([block(0)]) == []
    assert await samples_in(store) == 1000
    await store.close()


async def test_full_rate_and_minutes_are_kept_for_as_long_as_the_settings_say(url: str, name: str) -> None:
    def durations() -> dict[str, tuple[str, bool]]:
        (series,) = ask(url, f'SHOW RETENTION POLICIES ON "{name}"')[0]["series"]
        return {row[0]: (row[1], row[4]) for row in series["values"]}

    now_ns = time.time_ns()
    store = InfluxStore(settings_of(url, name, keep_days=30, keep_minutes_days=400))
    old, new = block(0, t0_ns=now_ns - 40 * DAY_NS), block(1, t0_ns=now_ns - DAY_NS)
    (refused,) = await store.append([new, old])
    assert (refused.block, refused.samples, refused.sent) == (1, 1000, old[1])
    assert refused.reason == "1000 samples are older than the 30 days that are kept (keep_days)"
    assert await samples_in(store) == 1000, "what is older than is kept is not stored"
    assert durations() == {"full": ("720h0m0s", True), "minutes": ("9600h0m0s", False)}
    await store.close()
    later = InfluxStore(settings_of(url, name))
    await later.append([old])
    assert durations() == {"full": ("0s", True), "minutes": ("0s", False)}
    assert await samples_in(later) == 2000
    await later.close()


async def test_what_the_database_drops_or_refuses_stays_counted_once(url: str, name: str, tmp_path: Path) -> None:
    now_ns = time.time_ns()
    ledger = Ledger(await open_records(tmp_path / "gateway.db"))
    store = InfluxStore(settings_of(url, name, keep_days=30), ledger)
    old, new, mixed = block(0, t0_ns=now_ns - 29 * DAY_NS), block(1, t0_ns=now_ns), block(2, t0_ns=now_ns - 40 * DAY_NS)
    mixed[0].samples.times_ns[400:] += 20 * DAY_NS
    for _ in range(2):
        assert [point.samples for point in await store.append([old, new, mixed])] == [400]
    counted = {("conrad", "fge"): Counted(stored=2600, refused=400)}
    assert await store.counts() == counted
    assert await samples_in(store) == 2600
    (shards,) = [series for series in ask(url, "SHOW SHARDS")[0]["series"] if series["name"] == name]
    rows = [dict(zip(shards["columns"], row, strict=True)) for row in shards["values"]]
    oldest = min((row for row in rows if row["retention_policy"] == "full"), key=lambda row: row["start_time"])
    ask(url, f"DROP SHARD {oldest['id']}")  # as the database's retention does, once in half an hour
    assert await samples_in(store) < 2600
    assert await store.counts() == counted
    await store.append([old])
    assert await store.counts() == counted
    await store.close()


async def test_one_point_with_a_type_conflict_in_5000_is_refused_alone(url: str, name: str, influxd: Influxd) -> None:
    with_q = (*XYZ, Channel("q", "", 1.0))
    store = InfluxStore(settings_of(url, name))
    await store.append([block(99)])
    assert write(influxd.url, name, f'magnetic,station=other,sensor=other q="good" {T0_NS}') == 204
    blocks = [block(k, channels=with_q) for k in range(5)]
    for made, _ in blocks:
        made.samples.counts[:, 3] = MISSING
    blocks[3][0].samples.counts[333, 3] = 7
    before = writes(influxd)
    (refused,) = await store.append(blocks)
    requests_taken = writes(influxd) - before
    assert requests_taken <= 20
    assert (refused.block, refused.row) == (3, 333)
    assert refused.sent.endswith(f",q=7,flags=0i {T0_NS + 3333 * SECOND_NS}\n".encode())
    assert "field type conflict" in refused.reason
    trace = await store.read("conrad", "fge", T0_NS, T0_NS + 5000 * SECOND_NS, 10_000)
    log.warning("1 of 5000 points refused: %d stored, in %d requests", len(trace), requests_taken)
    assert len(trace) == 4999
    assert T0_NS + 3333 * SECOND_NS not in trace.times_ns
    await store.close()


def writes(server: Influxd) -> int:
    (series,) = ask(server.url, "SHOW STATS FOR 'httpd'")[0]["series"]
    return int(series["values"][0][series["columns"].index("writeReq")])


async def test_a_server_that_takes_less_at_once_gets_less(
    influxd: Influxd, make_front: Callable[..., InfluxFront], name: str
) -> None:
    front = make_front(influxd.url, largest="200k")
    store = InfluxStore(settings_of(front.url, name, api="v2"))
    blocks = [block(k) for k in range(10)]
    assert await store.append(blocks) == []
    assert await samples_in(store) == 10_000
    before = writes(influxd)
    assert await store.append(blocks) == []
    assert writes(influxd) - before == 8, "the size is learned: 1250 lines a request"
    await store.close()


@pytest.mark.parametrize("api", ["v1", "v2"])
async def test_a_database_killed_in_mid_append_has_everything_once_after(
    api: str, lone: Influxd, make_front: Callable[..., InfluxFront], name: str
) -> None:
    front = make_front(lone.url)
    store = InfluxStore(settings_of(front.url if api == "v2" else lone.url, name, api=api))
    batches = [[block(k) for k in range(first, first + 20)] for first in range(0, 160, 20)]
    done = 0

    async def append_all() -> None:
        nonlocal done
        for batch in batches:
            assert await until_done(partial(store.append, batch), "the store") == []
            done += 1

    appending = asyncio.create_task(append_all())
    for limit in (2, 6):
        while done < limit:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.002)
        await asyncio.to_thread(lone.kill)
        await asyncio.sleep(0.3)
        await asyncio.to_thread(lone.start)
    await appending
    assert await samples_in(store) == 160_000
    trace = await store.read("conrad", "fge", *ALL, 10**6)
    whole = np.concatenate([made.samples.counts[:, 0] for batch in batches for made, _ in batch])
    assert np.array_equal(XYZ[0].counts(trace.values[:, 0]), whole)
    await store.close()


class StandIn(ThreadingHTTPServer):
    """Answers writes as it is told and remembers them; everything else as an InfluxDB that is all right."""

    daemon_threads = True

    def __init__(self, answers: list[tuple[int, dict[str, str]]]) -> None:
        self.answers, self.writes, self.delay_s = answers, [], 0.0
        self.version = "1.8.10"
        self.buckets: dict[str, int] = {}
        self.busy = self.most_busy = 0
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: StandIn
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, _, asked = self.path.partition("?")
        if path == "/ping":
            self._answer(204, {"X-Influxdb-Version": self.server.version})
        elif path == "/api/v2/orgs":
            self._tell(200, {"orgs": [{"id": "0123456789abcdef", "name": "magwatch"}]})
        else:
            (name,) = parse_qs(asked)["name"]
            self._tell(200, {"buckets": [self._bucket(name)] if name in self.server.buckets else []})

    def do_PATCH(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/api/v2/buckets"):
            wanted = json.loads(body)
            self.server.buckets[wanted["name"]] = wanted["retentionRules"][0]["everySeconds"]
            self._tell(201, self._bucket(wanted["name"]))
        elif self.path.startswith("/query"):
            columns = ["name", "duration", "shardGroupDuration", "replicaN", "default"]
            values = [["full", "0s", "168h0m0s", 1, True], ["minutes", "0s", "168h0m0s", 1, False]]
            self._tell(200, {"results": [{"series": [{"columns": columns, "values": values}]}]})
        elif b"magnetic_channels" in body:
            self._answer(204, {})
        else:
            self.server.writes.append((self.path, self.headers.get("Authorization"), body))
            self._count(1)
            time.sleep(self.server.delay_s)
            self._count(-1)
            self._answer(*(self.server.answers.pop(0) if self.server.answers else (204, {})))

    def _count(self, one: int) -> None:
        with self.server.lock:
            self.server.busy += one
            self.server.most_busy = max(self.server.most_busy, self.server.busy)

    def _bucket(self, name: str) -> dict[str, object]:
        rule = {"type": "expire", "everySeconds": self.server.buckets[name], "shardGroupDurationSeconds": 604800}
        return {"id": "fedcba9876543210", "orgID": "0123456789abcdef", "name": name, "retentionRules": [rule]}

    def _tell(self, status: int, told: object) -> None:
        self._answer(status, {"Content-Type": "application/json"}, json.dumps(told).encode())

    def _answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def stand_in() -> Iterator[Callable[..., StandIn]]:
    servers: list[StandIn] = []

    def start(*answers: tuple[int, dict[str, str]]) -> StandIn:
        servers.append(StandIn(list(answers)))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("api", ["v1", "v2"])
async def test_what_failed_is_sent_again_with_the_same_bytes_when_the_server_says(
    api: str, stand_in: Callable[..., StandIn]
) -> None:
    server = stand_in((500, {}), (503, {"Retry-After": "7"}), (429, {"Retry-After": "1"}))
    store = InfluxStore(settings_of(server.url, "m", api=api))
    for retry_after_s in (None, 7.0):
        with pytest.raises(StoreBusyError) as raised:
            await store.append([block(0), block(1)])
        assert raised.value.retry_after_s == retry_after_s
    began = time.monotonic()
    await until_done(partial(store.append, [block(0), block(1)]), "the store")
    assert time.monotonic() - began > 0.95
    assert len(server.writes) == 4
    assert len({body for _, _, body in server.writes}) == 1
    await store.close()


async def test_the_way_of_writing_follows_the_version_unless_it_is_set(
    stand_in: Callable[..., StandIn], tmp_path: Path
) -> None:
    token, password = tmp_path / "token", tmp_path / "password"
    token.write_text("abc\n")
    password.write_text("pass\n")
    user = {"username": "me", "password_file": password}
    ways = []
    for how in ({}, {"api": "v1", **user}, {"api": "v2", **user}, {"token_file": token}):
        server = stand_in()
        store = InfluxStore(settings_of(server.url, "m", **how))
        await store.append([block(0)])
        ((path, who, _),) = server.writes
        ways.append((path.partition("?")[0], who))
        await store.close()
    basic = urllib3.make_headers(basic_auth="me:pass")["authorization"]
    assert ways == [
        ("/api/v2/write", None),
        ("/write", basic),
        ("/api/v2/write", "Token me:pass"),
        ("/api/v2/write", "Token abc"),
    ]


async def test_influxdb_2_gets_two_buckets_that_keep_as_long_as_the_settings_say(
    stand_in: Callable[..., StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its documentation: no InfluxDB 2 runs here."""
    monkeypatch.setenv("TOKEN", "abc")
    server = stand_in()
    server.version = "v2.7.1"
    for days, minutes_days in ((30, 400), (None, None)):
        how = {"token_env": "TOKEN", "keep_days": days, "keep_minutes_days": minutes_days}
        store = InfluxStore(settings_of(server.url, "field", **how))
        await store.append([block(0, t0_ns=time.time_ns() - DAY_NS)])
        await store.close()
        assert server.buckets == {"field/full": (days or 0) * 86_400, "field/minutes": (minutes_days or 0) * 86_400}
    path, who, _ = server.writes[-1]
    assert path == "/api/v2/write?org=magwatch&bucket=field%2Ffull&precision=ns"
    assert who == "Token abc"


@pytest.mark.parametrize("api", ["v1", "v2"])
async def test_a_server_that_does_not_answer_is_unavailable(
    api: str, stand_in: Callable[..., StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.stores.influx_http.TIMEOUT_S", 0.3)
    server = stand_in()
    server.delay_s = 1.0
    store = InfluxStore(settings_of(server.url, "m", api=api))
    with pytest.raises(StoreUnavailableError, match="does not answer"):
        await store.append([block(0)])
    await store.close()


async def test_two_requests_are_under_way_at_once_and_no_more(stand_in: Callable[..., StandIn]) -> None:
    server = stand_in()
    server.delay_s = 0.2
    store = InfluxStore(settings_of(server.url, "m"))
    await store.append([block(0, 10)])
    async with asyncio.TaskGroup() as group:
        group.create_task(store.append([block(k) for k in range(10)]))
        group.create_task(store.append([block(k) for k in range(10, 20)]))
    assert len(server.writes) == 1 + 4
    assert server.most_busy == 2
    await store.close()


async def test_a_gateway_starts_without_its_database(tmp_path: Path, name: str, free_port: Callable[[], int]) -> None:
    store = InfluxStore(settings_of(f"http://127.0.0.1:{free_port()}", name))
    with pytest.raises(StoreUnavailableError, match="does not answer"):
        await store.append([block(0)])
    with pytest.raises(StoreUnavailableError):
        await store.sensors()
    await store.close()


async def test_where_counting_takes_long_it_is_not_done_at_every_glance(
    influxd: Influxd, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.stores.influx_counting.QUICK_S", 0.0)
    monkeypatch.setattr("gateway.stores.influx_counting.REST", 1e9)
    store = InfluxStore(settings_of(influxd.url, name))
    await store.append([block(0)])
    assert await samples_in(store) == 1000
    await store.append([block(1), block(0, sensor="lemi")])
    old, new = await store.sensors()
    assert (old.samples, old.last_ns) == (1000, T0_NS + 1999 * SECOND_NS), "an old count, but the newest sample"
    assert (new.sensor, new.samples) == ("lemi", 1000), "who has come since is counted"
    assert await store.forget(T0_NS + 500 * SECOND_NS) == 1000
    assert [sensor.samples for sensor in await store.sensors()] == [1500, 500], "counted anew"
    await store.close()


@pytest.mark.parametrize("together", [100_000, 7])
async def test_a_long_span_of_uneven_density_is_read_page_by_page(
    together: int, influxd: Influxd, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.stores.influx_reading._PAGE_ROWS", together)
    monkeypatch.setattr("gateway.stores.influx_reading._WINDOW_ROWS", 5)
    store = InfluxStore(settings_of(influxd.url, name))
    made, payload = block(0, 120)
    made.samples.times_ns[100:] += DAY_NS
    await store.append([(made, payload)])
    trace = await store.read("conrad", "fge", *ALL, 1000)
    assert trace.times_ns.tolist() == made.samples.times_ns.tolist()
    assert XYZ[2].counts(trace.values[:, 2]).tolist() == made.samples.counts[:, 2].tolist()
    await store.close()


@pytest.fixture(scope="module")
def victoria(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """VictoriaMetrics: somebody else's `/api/v2/write`. It keeps milliseconds, numbers, and nothing of other kinds."""
    port = Influxd(tmp_path_factory.mktemp("unused")).port
    data = tmp_path_factory.mktemp("victoria")
    options = ["-retentionPeriod=100y", f"-storageDataPath={data}", f"-httpListenAddr=127.0.0.1:{port}"]
    process = subprocess.Popen([program("victoria-metrics"), *options], stderr=subprocess.DEVNULL)
    wait_for(lambda: listening(port), 30, "victoria-metrics listens")
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait()


def test_another_database_understands_the_lines(victoria: str) -> None:
    server = InfluxServer(settings_of(victoria, "magwatch", api="v2"))
    server.write_as((2, 0))
    made, _ = block(0, 6000)
    made.samples.counts[17, 1] = MISSING
    named = [(made.station, made.sensor, made.samples)]
    (pieces,) = requests(runs_of("magnetic", named, 0), 10_000)
    lines = lines_of(pieces)
    assert server.write("full", lines.data).status == 204
    server.close()
    urllib3.request("GET", f"{victoria}/internal/force_flush")
    answer = urllib3.request("GET", f"{victoria}/api/v1/export?match[]={{station=%22conrad%22}}&start=0")
    found = {one["metric"]["__name__"]: one for one in map(json.loads, answer.data.splitlines())}
    assert found.keys() == {"magnetic_x", "magnetic_y", "magnetic_z", "magnetic_flags"}
    assert found["magnetic_x"]["timestamps"] == (made.samples.times_ns // 10**6).tolist()
    assert found["magnetic_x"]["values"] == XYZ[0].physical(made.samples.counts[:, 0]).tolist()
    assert len(found["magnetic_y"]["values"]) == 5999


def test_a_gateway_commits_nothing_while_its_database_is_down_and_everything_after(
    lone: Influxd, mosquitto: Mosquitto, make_gateway: Callable[..., Gateway]
) -> None:
    gateway = make_gateway(mosquitto.url, f'[store]\ntype = "influx"\nurl = "{lone.url}"\ndatabase = "field"')
    committed: set[int] = set()

    def take(client: Client, _: object, message: MQTTMessage) -> None:
        for blocks in Commit.model_validate_json(message.payload).blocks:
            committed.update(seq for first, last in blocks.ranges for seq in range(first, last + 1))

    station = Client(CallbackAPIVersion.VERSION2)
    station.on_message = take
    station.connect("127.0.0.1", mosquitto.port)
    station.subscribe("mag/1/conrad/commit", 1)
    station.loop_start()

    def send(*seqs: int) -> None:
        for seq in seqs:
            station.publish("mag/1/conrad/fge/block", block(seq, 100)[1], 1)

    send(*range(20))
    wait_for(lambda: len(committed) == 20, 20, "20 blocks are committed")
    lone.kill()
    send(*range(10, 60))
    time.sleep(1.0)
    assert len(committed) == 20
    lone.start()
    wait_for(lambda: len(committed) == 60, 20, "all blocks are committed")
    station.disconnect()
    station.loop_stop()

    (sensor,) = gateway.get("api/v1/stations")["stations"][0]["sensors"]
    assert sensor["samples"] == 6000
