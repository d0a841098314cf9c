"""The channels that the settings name, opened."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from gateway.alerts.actions import Links
from gateway.alerts.notifiers import Notifier
from gateway.alerts.notifiers.channels import (
    AppriseChannel,
    Channel,
    NtfyChannel,
    WebhookChannel,
    WebPushChannel,
    secret,
    token,
)
from gateway.alerts.notifiers.log import LogNotifier
from gateway.alerts.notifiers.ntfy import NtfyNotifier, PictureOf, login
from gateway.alerts.notifiers.vapid import Vapid
from gateway.alerts.notifiers.webhook import WebhookNotifier
from gateway.alerts.notifiers.webpush import WebPushNotifier
from gateway.alerts.subscriptions import Subscriptions


@dataclass(frozen=True, slots=True)
class Means:
    """What channels work with. Without `links` there are no buttons: nobody could reach the gateway by them."""

    links: Links | None
    vapid: Vapid
    subscriptions: Subscriptions
    picture_of: PictureOf


def opened(
    channels: Mapping[str, Channel], means: Means, zone_of: Callable[[str], ZoneInfo | None]
) -> Iterator[Notifier]:
    """`zone_of`: of a channel that has no zone of its own. Raises MagwatchError for a secret that is not there,
    SettingsError for an address that cannot be used."""
    for name, channel in channels.items():
        yield _opened(name, channel, means, channel.zone or zone_of(name))


def _opened(name: str, channel: Channel, means: Means, zone: ZoneInfo | None) -> Notifier:
    where = f"notify.channels.{name}"
    match channel:
        case NtfyChannel():
            password = secret(where, channel.password_file, channel.password_env)
            authorization = login(
                token(where, channel.token_file, channel.token_env),
                channel.username,
                password and password.splitlines()[0],
            )
            return NtfyNotifier(
                *(name, channel.url, channel.topic),
                authorization=authorization,
                links=means.links,
                picture_of=means.picture_of if channel.picture else None,
                zone=zone,
            )
        case AppriseChannel():
            # Half a second and 40 MB: only who uses it pays for it.
            from gateway.alerts.notifiers.apprise import AppriseNotifier  # noqa: PLC0415

            text = secret(where, channel.url_file, channel.url_env) or ""
            lines = (line.partition(" #")[0] for line in text.splitlines() if not line.startswith("#"))
            return AppriseNotifier(name, " ".join(lines).split(), links=means.links, zone=zone)
        case WebhookChannel():
            given = token(where, channel.token_file, channel.token_env)
            headers = channel.headers | ({"Authorization": f"Bearer {given}"} if given else {})
            return WebhookNotifier(channel.url, headers, name, zone)
        case WebPushChannel():
            return WebPushNotifier(
                name, means.vapid, means.subscriptions, channel.contact, links=means.links, zone=zone
            )
        case _:
            return LogNotifier(name, zone)
