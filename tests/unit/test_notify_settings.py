"""The channels' settings: what is wrong is said before anything is sent, and no secret is shown."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.alerts.desk import AlertDesk
from gateway.alerts.notifiers.channels import secret, token
from gateway.alerts.notifiers.opening import Means, opened
from gateway.alerts.notifiers.vapid import Vapid
from gateway.alerts.subscriptions import Subscriptions
from gateway.live import Hub
from gateway.records import open_records
from gateway.settings import GatewaySettings, NotifySettings
from stream.errors import MagwatchError, SettingsError
from stream.events import Event, Kind, Severity, event_id
from stream.instant import parse_iso
from stream.settings_file import load
from tests.receiver import receiving


def test_without_channels_there_is_the_log() -> None:
    assert list(NotifySettings().channels) == ["log"]


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        ({"type": "pigeon"}, "does not match any of the expected tags"),
        ({"type": "ntfy"}, "topic"),
        ({"type": "ntfy", "topic": "a b"}, "topic"),
        ({"type": "ntfy", "topic": "a", "url": "https://me:geheim@ntfy.sh"}, "no user or password in the URL"),
        ({"type": "ntfy", "topic": "a", "username": "me"}, "belong together"),
        ({"type": "ntfy", "topic": "a", "token_env": "A", "token_file": "/b"}, "one of them, not more"),
        ({"type": "ntfy", "topic": "a", "time_zone": "Europe/Bonn"}, "is not a time zone"),
        ({"type": "ntfy", "topic": "a", "time_zone": "../../etc/passwd"}, "is not a time zone"),
        ({"type": "apprise"}, "url_file or url_env"),
        ({"type": "webhook", "url": "ftp://x"}, "an address is http"),
        ({"type": "webhook", "url": "http://x", "headers": {"X-A": "b\r\nX-C: d"}}, "headers.X-A"),
        ({"type": "webhook", "url": "http://x", "headers": {"X-A: b\r\nX-C": "d"}}, "headers"),
        ({"type": "webpush", "contact": "ops"}, "contact"),
    ],
)
def test_a_channel_that_cannot_work_is_refused(channel: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        NotifySettings.model_validate({"channels": {"one": channel}})


def test_a_channel_has_a_name_that_can_be_written_anywhere() -> None:
    with pytest.raises(ValidationError):
        NotifySettings.model_validate({"channels": {"on call": {"type": "log"}}})


async def no_picture(_: object) -> None:
    return None


async def test_every_type_opens_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "tk_1")
    (tmp_path / "urls").write_text("# the office\njson://127.0.0.1:9 # a note\n")
    settings = NotifySettings.model_validate(
        {
            "channels": {
                "log": {"type": "log", "time_zone": "Europe/Berlin"},
                "phone": {"type": "ntfy", "topic": "a", "token_env": "TOKEN"},
                "mail": {"type": "apprise", "url_file": str(tmp_path / "urls")},
                "hook": {"type": "webhook", "url": "http://127.0.0.1:9/", "token_env": "TOKEN"},
                "page": {"type": "webpush", "contact": "mailto:ops@example.org"},
            },
        }
    )
    assert settings.channels["hook"].model_dump()["url"] == "http://127.0.0.1:9/"
    records = await open_records(tmp_path / "gateway.db")
    means = Means(None, Vapid.open(tmp_path), Subscriptions(records), no_picture)
    notifiers = list(opened(settings.channels, means, lambda _: None))
    assert [notifier.name for notifier in notifiers] == ["log", "phone", "mail", "hook", "page"]
    for notifier in notifiers:
        await notifier.close()
    await records.close()


async def test_times_are_told_in_utc_and_where_the_people_of_a_channel_live(tmp_path: Path) -> None:
    """The channel's own zone first, then that of its people; where they live in several, the desk's."""
    async with receiving() as phone:
        channels = ("anna", "ben", "cleo", "shared", "duty")
        settings = GatewaySettings.model_validate(
            {
                "data_dir": str(tmp_path),
                "alerts": {
                    "timezone": "Europe/Vienna",
                    "people": [
                        {"name": "anna", "channels": ["anna", "shared"], "timezone": "Asia/Kolkata"},
                        {"name": "ben", "channels": ["ben", "shared"]},
                        {"name": "cleo", "channels": ["cleo"], "timezone": "UTC"},
                    ],
                },
                "notify": {
                    "channels": {name: {"type": "webhook", "url": f"{phone.url}/{name}"} for name in channels[:4]}
                    | {"duty": {"type": "webhook", "url": f"{phone.url}/duty", "time_zone": "America/Lima"}}
                },
            }
        )
        records = await open_records(tmp_path / "gateway.db")
        means = Means(None, Vapid.open(tmp_path), Subscriptions(records), no_picture)
        notifiers = list(opened(settings.notify.channels, means, settings.alerts.directory.zone_of))
        now_ns = parse_iso("2024-05-10T17:05:20Z")
        desk = AlertDesk(records, settings.alerts, notifiers, Hub(), lambda: now_ns)
        event = Event(
            id=event_id("conrad", "fge", Kind.STEP, now_ns),
            station="conrad",
            sensor="fge",
            kind=Kind.STEP,
            severity=Severity.WARNING,
            start=now_ns,
            peak=now_ns,
            detected_at=now_ns,
            score=0.9,
        )
        await desk.take([event], now_ns)
        running = asyncio.create_task(desk.run())
        for _ in range(500):
            await asyncio.sleep(0.01)
            if len(phone.got) == len(channels):
                break
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await records.close()
    told = {request.path[1:]: request.json["text"].partition(". ")[0] for request in phone.got}
    assert told == {
        "anna": "Since 10 May 17:05:20 UTC (22:35:20 IST)",
        "ben": "Since 10 May 17:05:20 UTC (19:05:20 CEST)",
        "cleo": "Since 10 May 17:05:20 UTC",
        "shared": "Since 10 May 17:05:20 UTC (19:05:20 CEST)",
        "duty": "Since 10 May 17:05:20 UTC (12:05:20 -05)",
    }


def test_a_secret_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(MagwatchError, match="NOT_SET is not set"):
        secret("notify.channels.a", None, "NOT_SET")
    with pytest.raises(MagwatchError, match="cannot be read"):
        secret("notify.channels.a", tmp_path / "none", None)
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(MagwatchError, match="is empty"):
        secret("notify.channels.a", tmp_path / "empty", None)


def test_a_token_is_one_line_that_a_header_can_carry(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("tk_1\r\nX-Admin: yes\n")
    assert token("notify.channels.a", file, None) == "tk_1"
    file.write_text("tk_\u00fc")
    with pytest.raises(MagwatchError, match="a token is printable ASCII") as said:
        token("notify.channels.a", file, None)
    assert "tk_" not in str(said.value)


def gateway(**changes: object) -> dict[str, Any]:
    return {"data_dir": "data", **changes}


def test_the_gateway_has_one_public_address_and_the_old_place_of_it_says_where(tmp_path: Path) -> None:
    listen = {"public_url": "https://magwatch.example.org/"}
    settings = GatewaySettings.model_validate(gateway(listen=listen))
    assert settings.listen.public_url == "https://magwatch.example.org"
    file = tmp_path / "gateway.toml"
    file.write_text('data_dir = "data"\n\n[notify]\npublic_url = "https://magwatch.example.org"\n')
    with pytest.raises(SettingsError) as said:
        load(file, GatewaySettings)
    assert str(said.value).startswith(f"{file}:4: notify.public_url = 'https://magwatch.example.org': ")
    assert "set public_url in [listen]" in str(said.value)


def test_every_channel_of_a_person_is_there_and_each_that_is_not_is_named(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(
        """data_dir = "data"
[[alerts.people]]
name = "anna"
channels = ["phone", "sms"]
[[alerts.people]]
name = "ben"
channels = ["pager"]
[notify.channels.phone]
type = "log"
[notify.channels.mail]
type = "log"
"""
    )
    with pytest.raises(SettingsError) as said:
        load(file, GatewaySettings)
    assert str(said.value).splitlines() == [
        f"{file}:4: alerts.people.0.channels.1 = 'sms': anna: there is no notify.channels.sms; there is phone, mail",
        f"{file}:7: alerts.people.1.channels.0 = 'pager': ben: there is no notify.channels.pager; there is phone, mail",
    ]
