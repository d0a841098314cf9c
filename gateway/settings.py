"""The gateway's configuration: broker, store, alert desk, page."""

import ipaddress
import os
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from gateway.access import Anonymous
from gateway.alerts.notifiers.channels import Channel, ChannelName, LogChannel
from gateway.alerts.rules import AlertSettings
from gateway.database import Synchronous
from stream.errors import MagwatchError
from stream.settings_file import Mistake, mistaken
from stream.transport.broker import BrokerSettings


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


PublicUrl = Annotated[
    str, Field(pattern=r"^https?://[A-Za-z0-9.\-\[\]:]+/?$"), AfterValidator(lambda url: url.rstrip("/"))
]


class ListenSettings(_Settings):
    """Where the page and the API are served, and to whom; elsewhere than on loopback only once there is an account."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 8080
    certificate_file: Path | None = None
    """PEM of the certificate and those that signed it: HTTPS instead of HTTP."""
    key_file: Path | None = None
    public_url: PublicUrl | None = None
    """Where people and their phones reach it; without it messages have no buttons and no link to the page."""
    behind_proxy: bool = False
    """A reverse proxy on this machine says in X-Forwarded-For and X-Forwarded-Proto who asks, and how."""
    anonymous: Anonymous = "none"
    """What who is not logged in may: nothing, or look at everything (a public page)."""

    @field_validator("host")
    @classmethod
    def _address(cls, host: str) -> str:
        if host != "localhost":
            try:
                ipaddress.ip_address(host)
            except ValueError as wrong:
                raise ValueError("an address of this machine: 127.0.0.1, ::1, localhost, 0.0.0.0 for all") from wrong
        return host

    @model_validator(mode="after")
    def _both_or_neither(self) -> "ListenSettings":
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file belong together")
        return self

    @property
    def scheme(self) -> str:
        """https with a certificate."""
        return "https" if self.certificate_file else "http"

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback


class SqliteSettings(_Settings):
    """The embedded store: one file in the data folder."""

    type: Literal["sqlite"] = "sqlite"
    synchronous: Synchronous = "full"
    """full: a block is on disk when it is committed. normal: safe from a killed process, not from a power cut."""
    keep_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    """For how long full rate is kept; for ever without it."""
    keep_minutes_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    """For how long 1-minute means are kept; for ever without it."""


class InfluxSettings(_Settings):
    """An InfluxDB 1.x, 2.x or 3. Full rate is kept in its retention policy (bucket) `full`, minutes in `minutes`."""

    type: Literal["influx"]
    url: str = "http://127.0.0.1:8086"
    api: Literal["auto", "v1", "v2"] = "auto"
    """How lines are written: by `/write`, by `/api/v2/write`, or as the server's version suggests."""
    database: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")] = "magwatch"
    org: str = "magwatch"
    """The organisation, which only InfluxDB 2 has."""
    username: Annotated[str, Field(pattern=r"^[^:]{1,200}$")] | None = None
    password_file: Path | None = None
    """A file whose first line is the password."""
    password_env: str | None = None
    """The name of an environment variable that holds the password."""
    token_file: Path | None = None
    """A file whose first line is the token: InfluxDB 2 and 3, instead of username and password."""
    token_env: str | None = None
    ca_file: Path | None = None
    """PEM of the authority that signed the server's certificate; the system's authorities otherwise."""
    keep_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    """For how long full rate is kept; for ever without it."""
    keep_minutes_days: Annotated[int, Field(ge=1, le=36_500)] | None = None

    @field_validator("url")
    @classmethod
    def _known_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise ValueError("an InfluxDB is http://HOST[:PORT] or https://HOST[:PORT]")
        if parts.username or parts.password:
            raise ValueError("no user or password in the URL: use username with password_file or password_env")
        _ = parts.port
        return url.rstrip("/")

    @model_validator(mode="after")
    def _consistent(self) -> "InfluxSettings":
        given = [name for name in _SECRETS if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)}: one of them, not more")
        if bool(self.username) != (bool(given) and given[0].startswith("password")):
            raise ValueError("username and password_file or password_env belong together; a token stands alone")
        if self.keep_minutes_days and (not self.keep_days or self.keep_minutes_days < self.keep_days):
            raise ValueError("keep_minutes_days: minutes are kept at least as long as full rate (keep_days)")
        return self

    def secret(self) -> str | None:
        """The password or the token, read now. Raises MagwatchError when it is promised and not there."""
        if variable := self.password_env or self.token_env:
            if variable not in os.environ:
                raise MagwatchError(f"InfluxDB: the environment variable {variable} is not set")
            return os.environ[variable]
        if file := self.password_file or self.token_file:
            try:
                return file.read_text().splitlines()[0]
            except (OSError, IndexError) as wrong:
                raise MagwatchError(f"InfluxDB: {file} cannot be read: {wrong}") from wrong
        return None


_SECRETS = ("password_file", "password_env", "token_file", "token_env")


def _store_type(store: object) -> str:
    """A table without `type` is the embedded store's."""
    return str(store.get("type", "sqlite")) if isinstance(store, dict) else getattr(store, "type", "")


StoreSettings = Annotated[
    Annotated[SqliteSettings, Tag("sqlite")] | Annotated[InfluxSettings, Tag("influx")],
    Discriminator(
        _store_type, custom_error_type="store_type", custom_error_message='a store has the type "sqlite" or "influx"'
    ),
]


class NotifySettings(_Settings):
    """How people are told."""

    channels: Annotated[dict[ChannelName, Channel], Field(max_length=50)] = {"log": LogChannel(type="log")}
    """By name; what is filed as handed over is filed under it."""

    @model_validator(mode="before")
    @classmethod
    def _public_url_is_elsewhere(cls, given: object) -> object:
        if isinstance(given, dict) and "public_url" in given:
            says = "remove it here and set public_url in [listen]: messages, the login and the page have one address"
            raise mistaken("NotifySettings", [Mistake(("public_url",), given["public_url"], says)])
        return given


class GatewaySettings(_Settings):
    """Everything that `magwatch gateway --config FILE` reads."""

    data_dir: Path
    client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,40}$")] = "magwatch-gateway"
    """Names this gateway to the broker: two gateways at one broker have two names."""
    broker: BrokerSettings = BrokerSettings()
    listen: ListenSettings = ListenSettings()
    store: StoreSettings = SqliteSettings()
    alerts: AlertSettings = AlertSettings()
    notify: NotifySettings = NotifySettings()

    @model_validator(mode="after")
    def _channels_are_there(self) -> "GatewaySettings":
        there = ", ".join(self.notify.channels)
        wrong = [
            Mistake(
                ("alerts", "people", place, "channels", rung),
                channel,
                f"{person.name}: there is no notify.channels.{channel}; there is {there}",
            )
            for place, person in enumerate(self.alerts.people)
            for rung, channel in enumerate(person.channels)
            if channel not in self.notify.channels
        ]
        if wrong:
            raise mistaken("GatewaySettings", wrong)
        return self
