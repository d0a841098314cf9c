"""The gateway's configuration: broker, store, alert desk, page."""

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from gateway.alerts.rules import AlertSettings
from gateway.database import Synchronous
from stream.transport.broker import BrokerSettings


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ListenSettings(_Settings):
    """Where the page and the API are served: on loopback, because there are no accounts to let others in by."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 8080

    @field_validator("host")
    @classmethod
    def _loopback(cls, host: str) -> str:
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            raise ValueError("without accounts the page is for this machine alone: 127.0.0.1, ::1 or localhost")
        return host


class SqliteSettings(_Settings):
    """The embedded store: one file in the data folder."""

    type: Literal["sqlite"] = "sqlite"
    synchronous: Synchronous = "full"
    """full: a block is on disk when it is committed. normal: safe from a killed process, not from a power cut."""
    keep_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    """For how long full rate is kept; for ever without it."""
    keep_minutes_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    """For how long 1-minute means are kept; for ever without it."""


class WebhookSettings(_Settings):
    """A server that gets each notification as JSON in a POST."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s@]+$")]
    headers: dict[str, str] = {}


class NotifySettings(_Settings):
    """How people are told."""

    log: bool = True
    webhooks: Annotated[tuple[WebhookSettings, ...], Field(max_length=20)] = ()


class GatewaySettings(_Settings):
    """Everything that `magwatch gateway --config FILE` reads."""

    data_dir: Path
    client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,40}$")] = "magwatch-gateway"
    """Names this gateway to the broker: two gateways at one broker have two names."""
    broker: BrokerSettings = BrokerSettings()
    listen: ListenSettings = ListenSettings()
    store: SqliteSettings = SqliteSettings()
    alerts: AlertSettings = AlertSettings()
    notify: NotifySettings = NotifySettings()
