"""Talking to an InfluxDB: writing lines in its older and its newer way, asking in InfluxQL. Blocking, for threads."""

import asyncio
import json
import queue
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar, cast
from urllib.parse import urlencode

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException

from gateway.settings import InfluxSettings
from gateway.stores import StoreBusyError, StoreError, StoreHeldError, StoreUnavailableError
from gateway.stores.influx_lines import CONNECTIONS
from gateway.stores.influx_packed import PACKED, Rows, rows_in
from stream.errors import MagwatchError

TIMEOUT_S = 20.0
LONGEST_RETRY_AFTER_S = 300.0
_LARGEST_COMPLAINT = 400
_NANOSECONDS = cast(WritePrecision, WritePrecision.NS)

Result = TypeVar("Result")
Cell = str | int | float | bool | None


class Answer(NamedTuple):
    """To a request: HTTP status, the body's text, and when to come again, where the server says so."""

    status: int
    text: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer to InfluxQL."""

    tags: dict[str, str]
    columns: list[str]
    rows: list[list[Cell]]


class LineWriter(Protocol):
    """One connection for lines. Never used by two threads at once."""

    def write(self, policy: str, lines: bytes) -> Answer:
        """Send lines to a retention policy. Raises urllib3's HTTPError when there is no answer."""

    def close(self) -> None:
        """Let go of the connection."""


class OldLineWriter:
    """`POST /write`: every InfluxDB before 1.8, and any later one that still has it."""

    def __init__(self, settings: InfluxSettings, secret: str | None) -> None:
        self._settings = settings
        self._headers = headers(settings, secret)
        self._pool = _pool(settings, 1)

    def write(self, policy: str, lines: bytes) -> Answer:
        place = urlencode({"db": self._settings.database, "rp": policy, "precision": "ns"})
        url = f"{self._settings.url}/write?{place}"
        response = self._pool.request("POST", url, body=lines, headers=self._headers)
        return _answer(response.status, response.data, response.headers.get("Retry-After"))

    def close(self) -> None:
        self._pool.clear()


class NewLineWriter:
    """`POST /api/v2/write` by influxdb-client, one request a call."""

    def __init__(self, settings: InfluxSettings, secret: str | None) -> None:
        self._database = settings.database
        self._client = InfluxDBClient(
            settings.url,
            f"{settings.username}:{secret}" if settings.username else secret or "",
            org=settings.org,
            timeout=int(TIMEOUT_S * 1000),
            ssl_ca_cert=str(settings.ca_file) if settings.ca_file else None,
            connection_pool_maxsize=1,
        )
        self._api = self._client.write_api(write_options=SYNCHRONOUS)

    def write(self, policy: str, lines: bytes) -> Answer:
        try:
            self._api.write(
                f"{self._database}/{policy}", record=lines, write_precision=cast(WritePrecision, WritePrecision.NS)
            )
        except ApiException as refused:
            if not refused.status:
                raise urllib3.exceptions.HTTPError(str(refused.reason)) from refused
            headers = cast(Mapping[str, str], refused.headers or {})
            return _answer(cast(int, refused.status), refused.body or "", headers.get("Retry-After"))
        return Answer(cast(int, self._client.api_client.last_response.status), "")

    def close(self) -> None:
        self._client.close()  # type: ignore[no-untyped-call]


class InfluxServer:
    """The server of a database, with a connection for each call that is under way."""

    def __init__(self, settings: InfluxSettings) -> None:
        """Reads secret and certificate. Raises MagwatchError when they are promised and not there."""
        self.settings = settings
        self._secret = settings.secret()
        self._headers = headers(settings, self._secret)
        self._pool = _pool(settings, 2 * CONNECTIONS)
        self._writer: Callable[[InfluxSettings, str | None], LineWriter] = OldLineWriter
        self._idle: queue.SimpleQueue[LineWriter] = queue.SimpleQueue()
        self._closed = False

    def version(self) -> tuple[int, int]:
        """What it says of itself; a server that says nothing counts as a 2.0. Raises StoreError."""
        with answers(self.settings.url):
            response = self._pool.request("GET", f"{self.settings.url}/ping", headers=self._headers)
        if response.status >= 400:
            raise problem(_answer(response.status, response.data, response.headers.get("Retry-After")), "/ping")
        told = response.headers.get("X-Influxdb-Version", "").lstrip("v").split(".")
        return (int(told[0]), int(told[1])) if len(told) > 1 and (told[0] + told[1]).isdigit() else (2, 0)

    def write_as(self, version: tuple[int, int]) -> None:
        """Choose the way of writing: the settings', or else the version's."""
        new = self.settings.api == "v2" or (self.settings.api == "auto" and version >= (1, 8))
        self._writer = NewLineWriter if new else OldLineWriter

    def write(self, policy: str, lines: bytes) -> Answer:
        """Send lines on a connection that is free. Raises StoreUnavailableError when there is no answer."""
        try:
            writer = self._idle.get_nowait()
        except queue.Empty:
            writer = self._writer(self.settings, self._secret)
        try:
            with answers(self.settings.url):
                return writer.write(policy, lines)
        finally:
            if self._closed:
                writer.close()
            else:
                self._idle.put(writer)

    def ask(self, *statements: str, timeout_s: float = TIMEOUT_S) -> list[list[Series]]:
        """The series of each statement. Raises StoreError, also where one statement alone has failed."""
        response = self._query(statements, "application/json", timeout_s).data
        try:
            results = json.loads(response)["results"]
        except (ValueError, KeyError) as wrong:
            raise StoreHeldError(f"{self.settings.url}/query: no answer of an InfluxDB: {response[:80]!r}") from wrong
        for statement, result in zip(statements, results, strict=False):
            if "error" in result:
                raise StoreHeldError(f"{self.settings.url}/query: {statement}: {result['error']}")
        if len(results) != len(statements):
            raise StoreBusyError(f"{self.settings.url}/query: {len(statements)} asked, {len(results)} answered")
        return [
            [Series(one.get("tags", {}), one["columns"], one.get("values", [])) for one in result.get("series", [])]
            for result in results
        ]

    def rows(self, statement: str, columns: int) -> Rows:
        """The rows of a question whose answer is one series of so many columns of numbers. Raises StoreError."""
        response = self._query([statement], PACKED, TIMEOUT_S)
        return rows_in(response.data, response.headers.get("Content-Type", ""), columns)

    def _query(self, statements: Sequence[str], form: str, timeout_s: float) -> urllib3.BaseHTTPResponse:
        fields = {"db": self.settings.database, "epoch": "ns", "q": "; ".join(statements)}
        with answers(self.settings.url):
            response = self._pool.request(
                "POST",
                f"{self.settings.url}/query",
                body=urlencode(fields),
                headers=self._headers | {"Accept": form, "Content-Type": "application/x-www-form-urlencoded"},
                timeout=timeout_s,
            )
        if response.status != 200:
            answer = _answer(response.status, response.data, response.headers.get("Retry-After"))
            raise problem(answer, f"/query: {statements[0]}")
        return response

    def close(self) -> None:
        """Let go of the connections, of those under way when they are done; twice is once."""
        self._closed = True
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                break
        self._pool.clear()


async def in_threads(*calls: Callable[[], Result]) -> list[Result]:
    """The results of blocking calls that run at once. All have ended when one's error is raised."""
    return await all_of(*map(asyncio.to_thread, calls))


async def all_of(*work: Awaitable[Result]) -> list[Result]:
    """As asyncio.gather gives them, but nothing goes on when an error is raised; the first one is, by itself."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return cast(list[Result], results)


def headers(settings: InfluxSettings, secret: str | None) -> dict[str, str]:
    """Who asks: by user and password, by token, or nobody."""
    if settings.username:
        return dict(urllib3.make_headers(basic_auth=f"{settings.username}:{secret or ''}"))
    return {"Authorization": f"Token {secret}"} if secret else {}


def problem(answer: Answer, what: str) -> StoreError:
    """What an answer that is no success means for a retry."""
    text = f"InfluxDB, {what}: HTTP {answer.status}: {answer.text}"
    if answer.status in {408, 429} or answer.status >= 500:
        busy = StoreBusyError(text)
        busy.retry_after_s = answer.retry_after_s
        return busy
    return StoreHeldError(text)


def _pool(settings: InfluxSettings, connections: int) -> urllib3.PoolManager:
    try:
        context = ssl.create_default_context(cafile=str(settings.ca_file)) if settings.ca_file else None
    except OSError as wrong:
        raise MagwatchError(f"InfluxDB TLS: {settings.ca_file}: {wrong}") from wrong
    return urllib3.PoolManager(
        maxsize=connections, retries=False, timeout=urllib3.Timeout(TIMEOUT_S), ssl_context=context
    )


@contextmanager
def answers(url: str) -> Iterator[None]:
    """Turns urllib3's errors into a StoreUnavailableError."""
    try:
        yield
    except urllib3.exceptions.HTTPError as wrong:
        raise StoreUnavailableError(f"InfluxDB at {url} does not answer: {wrong}") from wrong


def _answer(status: int, body: bytes | str, retry_after: str | None) -> Answer:
    text = body.decode(errors="replace") if isinstance(body, bytes) else body
    try:
        complaint = str(json.loads(text)["error"] if '"error"' in text else json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        complaint = text.strip()
    after = min(float(retry_after), LONGEST_RETRY_AFTER_S) if retry_after and retry_after.isdigit() else None
    return Answer(status, complaint[:_LARGEST_COMPLAINT], after)
