"""The buttons of a notification: looking does nothing, pressing does it once, nobody else can make one."""

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from gateway.alerts.actions import GOOD_FOR_NS, ActionRefusedError, Actions, Links
from gateway.alerts.notifiers import Notification
from gateway.api import problems
from gateway.api.actions import actions
from gateway.database import Database
from gateway.records import open_records
from gateway.stores import StoreUnavailableError
from stream.errors import MagwatchError
from stream.events import Severity

NOW = 1_715_360_700_000_000_000
NOTE = Notification(
    id="ab" * 16,
    what="firing",
    severity=Severity.CRITICAL,
    title="Step",
    text="",
    station="conrad",
    alert_id="cd" * 16,
    created_at=NOW,
)


@dataclass
class Desk:
    """Keeps what it was asked."""

    asked: list[tuple[str, ...]] = field(default_factory=list)
    fails: Exception | None = None

    async def acknowledge(self, alert_id: str, who: str, why: str) -> None:
        await self._take(alert_id, who, why)

    async def verdict(self, alert_id: str, verdict: Literal["useful", "false"], who: str) -> None:
        await self._take(alert_id, verdict, who)

    async def _take(self, *asked: str) -> None:
        await asyncio.sleep(0)
        if self.fails is not None:
            raise self.fails
        self.asked.append(asked)


@dataclass
class Clock:
    now_ns: int = NOW + 1

    def __call__(self) -> int:
        return self.now_ns


@dataclass
class Place:
    client: AsyncClient
    desk: Desk
    clock: Clock
    links: Links


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[Database]:
    records = await open_records(tmp_path / "gateway.db")
    yield records
    await records.close()


@pytest.fixture
async def place(tmp_path: Path, records: Database) -> AsyncIterator[Place]:
    desk, clock, links = Desk(), Clock(), Links.open(tmp_path, "https://gateway")
    app = FastAPI()
    problems.install(app)
    app.include_router(actions(Actions(records, links, desk, clock)))
    async with AsyncClient(transport=ASGITransport(app), base_url="https://gateway") as client:
        yield Place(client, desk, clock, links)


async def test_the_button_acknowledges_once(place: Place) -> None:
    link = place.links.link("acknowledge", NOTE, "on-call")
    first = await place.client.post(link)
    assert (first.status_code, first.json()["who"]) == (200, "on-call")
    again = await place.client.post(link)
    assert (again.status_code, again.headers["content-type"]) == (410, "application/problem+json")
    assert place.desk.asked == [(NOTE.alert_id, "on-call", "by the button of a notification")]


async def test_looking_at_a_link_does_nothing(place: Place) -> None:
    link = place.links.link("false", NOTE, "on-call")
    for _ in range(3):
        page = await place.client.get(link)
        assert page.status_code == 200
        assert '<form method="post">' in page.text
        assert (await place.client.head(link)).status_code == 405
    assert place.desk.asked == []
    done = await place.client.post(link, headers={"Accept": "text/html,*/*"})
    assert "false alarm" in done.text
    assert place.desk.asked == [(NOTE.alert_id, "false", "on-call")]
    assert (await place.client.get(link)).status_code == 410


async def test_many_presses_at_once_are_one(place: Place) -> None:
    link = place.links.link("acknowledge", NOTE, "on-call")
    answers = await asyncio.gather(*(place.client.post(link) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + [410] * 19
    assert len(place.desk.asked) == 1


async def test_a_link_expires(place: Place) -> None:
    link = place.links.link("acknowledge", NOTE, "on-call")
    place.clock.now_ns = NOW + GOOD_FOR_NS
    for answer in (await place.client.get(link), await place.client.post(link)):
        assert (answer.status_code, "too old" in answer.text) == (410, True)
    assert place.desk.asked == []


async def test_a_link_that_was_altered_or_made_with_another_key_is_refused(place: Place, tmp_path: Path) -> None:
    link = place.links.link("acknowledge", NOTE, "on-call")
    head, _, token = link.rpartition("/")
    said, _, proof = token.partition(".")
    content = base64.urlsafe_b64decode(said + "=" * (-len(said) % 4)).replace(b"acknowledge", b"false")
    altered = base64.urlsafe_b64encode(content).decode().rstrip("=")
    other = Links(b"x" * 32, "https://gateway").link("acknowledge", NOTE, "on-call")
    for wrong in (f"{head}/{altered}.{proof}", f"{head}/{said}.{'A' * 43}", other):
        assert (await place.client.post(wrong)).status_code == 410
    for nonsense in ("x", "..", f"{said}.", "%00.x", "a" * 5000):
        assert (await place.client.post(f"{head}/{nonsense}")).status_code in {404, 422}
    assert place.desk.asked == []


async def test_a_failure_of_the_file_leaves_the_link_good(place: Place) -> None:
    link = place.links.link("acknowledge", NOTE, "on-call")
    place.desk.fails = StoreUnavailableError("disk full")
    assert (await place.client.post(link)).status_code == 503
    place.desk.fails = None
    assert (await place.client.post(link)).status_code == 200


async def test_an_alert_that_is_over_says_so(place: Place) -> None:
    place.desk.fails = MagwatchError("the alert is resolved: it ended")
    answer = await place.client.post(place.links.link("acknowledge", NOTE, "on-call"))
    assert (answer.status_code, answer.json()["detail"]) == (410, "the alert is resolved: it ended")


async def test_the_same_notification_has_the_same_links_and_others_have_others(tmp_path: Path) -> None:
    links = Links.open(tmp_path, "https://gateway")
    again = Links.open(tmp_path, "https://gateway")
    assert links.buttons(NOTE, "a") == again.buttons(NOTE, "a")
    assert links.buttons(NOTE, "a") != links.buttons(NOTE, "b")
    assert links.buttons(NOTE.model_copy(update={"what": "resolved"}), "a") == []
    assert (tmp_path / "actions.key").stat().st_mode & 0o777 == 0o600


def test_a_token_of_another_shape_is_refused() -> None:
    links = Links(b"k" * 32, "https://gateway")
    said = base64.urlsafe_b64encode(b'{"id": 3}').decode().rstrip("=")
    with pytest.raises(ActionRefusedError, match="another version"):
        links.read(f"{said}.{links._proof(said)}", NOW)
