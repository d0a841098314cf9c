"""The channels' settings: what is wrong is said before anything is sent, and no secret is shown."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.alerts.notifiers.channels import secret
from gateway.alerts.notifiers.opening import Means, opened
from gateway.alerts.notifiers.vapid import Vapid
from gateway.alerts.subscriptions import Subscriptions
from gateway.records import open_records
from gateway.settings import NotifySettings
from stream.errors import MagwatchError


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
        ({"type": "webpush", "contact": "ops"}, "contact"),
    ],
)
def test_a_channel_that_cannot_work_is_refused(channel: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        NotifySettings.model_validate({"channels": {"one": channel}})


def test_a_channel_has_a_name_that_can_be_written_anywhere() -> None:
    with pytest.raises(ValidationError):
        NotifySettings.model_validate({"channels": {"on call": {"type": "log"}}})


async def test_every_type_opens_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "tk_1")
    (tmp_path / "urls").write_text("# the office\njson://127.0.0.1:9 # a note\n")
    settings = NotifySettings.model_validate(
        {
            "public_url": "https://magwatch.example.org/",
            "channels": {
                "log": {"type": "log", "time_zone": "Europe/Berlin"},
                "phone": {"type": "ntfy", "topic": "a", "token_env": "TOKEN"},
                "mail": {"type": "apprise", "url_file": str(tmp_path / "urls")},
                "hook": {"type": "webhook", "url": "http://127.0.0.1:9/", "token_env": "TOKEN"},
                "page": {"type": "webpush", "contact": "mailto:ops@example.org"},
            },
        }
    )
    assert settings.public_url == "https://magwatch.example.org"
    assert settings.channels["hook"].model_dump()["url"] == "http://127.0.0.1:9/"
    records = await open_records(tmp_path / "gateway.db")

    async def no_picture(_: object) -> None:
        return None

    means = Means(None, Vapid.open(tmp_path), Subscriptions(records), no_picture)
    notifiers = list(opened(settings.channels, means))
    assert [notifier.name for notifier in notifiers] == ["log", "phone", "mail", "hook", "page"]
    for notifier in notifiers:
        await notifier.close()
    await records.close()


def test_a_secret_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(MagwatchError, match="NOT_SET is not set"):
        secret("notify.channels.a", None, "NOT_SET")
    with pytest.raises(MagwatchError, match="cannot be read"):
        secret("notify.channels.a", tmp_path / "none", None)
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(MagwatchError, match="is empty"):
        secret("notify.channels.a", tmp_path / "empty", None)
