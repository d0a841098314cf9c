"""The settings of each kind of channel. Secrets come from a file or the environment and are read when it is opened."""

import os
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, model_validator

from stream.errors import MagwatchError

ChannelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]


def _http(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or any(mark.isspace() for mark in url):
        raise ValueError("an address is http://HOST[:PORT] or https://HOST[:PORT]")
    if parts.username is not None or parts.password is not None:
        raise ValueError("no user or password in the URL: they come from a file or the environment")
    _ = parts.port
    return url


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError) as wrong:
        raise ValueError(f'{name} is not a time zone, such as "Europe/Berlin"') from wrong
    return name


HttpUrl = Annotated[str, AfterValidator(_http)]
BaseUrl = Annotated[HttpUrl, AfterValidator(lambda url: url.rstrip("/"))]
"""Of something below which more is: without the slash at its end."""
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")]
HeaderValue = Annotated[str, Field(pattern=r"^[\x20-\x7e]{0,1000}$")]
"""RFC 9110, 5.5: in one line."""
ZoneName = Annotated[str, AfterValidator(_zone)]


class _Channel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    time_zone: ZoneName | None = None
    """Where its person lives: times are told in UTC and there."""

    @property
    def zone(self) -> ZoneInfo | None:
        """The same, ready for use."""
        return ZoneInfo(self.time_zone) if self.time_zone else None


class NtfyChannel(_Channel):
    """A topic of an ntfy server, native: priorities, buttons, updates in place, a picture."""

    type: Literal["ntfy"]
    url: BaseUrl = "https://ntfy.sh"
    topic: Annotated[str, Field(pattern=r"^[-_A-Za-z0-9]{1,64}$")]
    """Whoever knows it can read along, unless the server asks for a login."""
    token_file: Path | None = None
    """A file whose first line is an access token."""
    token_env: str | None = None
    username: Annotated[str, Field(pattern=r"^[^:\s]{1,200}$")] | None = None
    """Instead of a token, with a password:"""
    password_file: Path | None = None
    password_env: str | None = None
    picture: bool = True
    """Attach a picture of the trace."""

    @model_validator(mode="after")
    def _one_login(self) -> "NtfyChannel":
        given = [name for name in _SECRETS if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)}: one of them, not more")
        if bool(self.username) != (bool(given) and given[0].startswith("password")):
            raise ValueError("username and password_file or password_env belong together; a token stands alone")
        return self


_SECRETS = ("token_file", "token_env", "password_file", "password_env")


class AppriseChannel(_Channel):
    """Whatever Apprise knows: Telegram, e-mail, SMS, Matrix ... Its URL holds the login, so it is a secret whole."""

    type: Literal["apprise"]
    url_file: Path | None = None
    """A file with Apprise URLs, one a line; # begins a comment."""
    url_env: str | None = None
    """The name of an environment variable that holds one or more, separated by white space."""

    @model_validator(mode="after")
    def _one_place(self) -> "AppriseChannel":
        if (self.url_file is None) == (self.url_env is None):
            raise ValueError("an Apprise channel has url_file or url_env, one of them")
        return self


class WebhookChannel(_Channel):
    """A server that gets each notification as JSON in a POST."""

    type: Literal["webhook"]
    url: HttpUrl
    headers: Annotated[dict[HeaderName, HeaderValue], Field(max_length=20)] = {}
    token_file: Path | None = None
    """A file whose first line is sent as `Authorization: Bearer ...`."""
    token_env: str | None = None

    @model_validator(mode="after")
    def _one_token(self) -> "WebhookChannel":
        if self.token_file and self.token_env:
            raise ValueError("token_file and token_env: one of them, not both")
        return self


class WebPushChannel(_Channel):
    """The installed page on a phone or a desk, through the push service of its browser."""

    type: Literal["webpush"]
    contact: Annotated[str, Field(pattern=r"^(mailto:[^@\s]+@[^@\s]+|https://\S+)$")]
    """Whom a push service may ask when something is wrong: mailto:... or https://..."""
    services: Annotated[tuple[BaseUrl, ...], Field(max_length=20)] = ()
    """Push services besides those of Chrome, Firefox, Safari and Edge; a gateway posts to no others."""


class LogChannel(_Channel):
    """The gateway's log."""

    type: Literal["log"]


Channel = Annotated[NtfyChannel | AppriseChannel | WebhookChannel | WebPushChannel | LogChannel, Discriminator("type")]


def token(what: str, file: Path | None, variable: str | None) -> str | None:
    """The first line of a secret that goes into a header. Raises MagwatchError, also when a header cannot carry it."""
    text = secret(what, file, variable)
    first = text.splitlines()[0].strip() if text else None
    if first and not (first.isascii() and first.isprintable()):
        raise MagwatchError(f"{what}: {variable or file}: a token is printable ASCII")
    return first


def secret(what: str, file: Path | None, variable: str | None) -> str | None:
    """What stands in the file or the variable; None where neither is named. Raises MagwatchError when it is not there.

    The value itself never reaches a message.
    """
    if variable:
        if variable not in os.environ:
            raise MagwatchError(f"{what}: the environment variable {variable} is not set")
        return os.environ[variable].strip()
    if file is None:
        return None
    try:
        text = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as wrong:
        raise MagwatchError(f"{what}: {file} cannot be read: {wrong}") from wrong
    if not text:
        raise MagwatchError(f"{what}: {file} is empty")
    return text
