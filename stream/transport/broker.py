"""Where the broker is and how to be let in. Secrets come from files or the environment, never from the command line."""

import os
import ssl
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from stream.errors import MagwatchError


class BrokerSettings(BaseModel):
    """One broker, the same table in the configuration of both ends."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = "mqtt://127.0.0.1:1883"
    """`mqtt://host[:1883]`, or `mqtts://host[:8883]` for TLS."""
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    """MQTT version; «auto» asks for 5 and takes 3.1.1 when the broker does not speak it."""
    username: Annotated[str, Field(max_length=200)] | None = None
    password_file: Path | None = None
    """A file whose first line is the password."""
    password_env: str | None = None
    """The name of an environment variable that holds the password."""
    ca_file: Path | None = None
    """PEM of the authority that signed the broker's certificate; the system's authorities otherwise."""
    certificate_file: Path | None = None
    key_file: Path | None = None
    keepalive_s: Annotated[int, Field(ge=5, le=1200)] = 20

    @field_validator("url")
    @classmethod
    def _known_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.path not in ("", "/"):
            raise ValueError("a broker is mqtt://HOST[:PORT] or, with TLS, mqtts://HOST[:PORT]")
        if parts.username or parts.password:
            raise ValueError("no user or password in the URL: use username with password_file or password_env")
        _ = parts.port
        return url

    @model_validator(mode="after")
    def _consistent(self) -> "BrokerSettings":
        if self.password_file and self.password_env:
            raise ValueError("password_file and password_env: one of the two, not both")
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file belong together")
        return self

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or (8883 if self.tls else 1883)

    @property
    def tls(self) -> bool:
        return urlsplit(self.url).scheme == "mqtts"

    def password(self) -> str | None:
        """The secret, read now. Raises MagwatchError when it is promised and not there."""
        if self.password_env:
            if self.password_env not in os.environ:
                raise MagwatchError(f"broker password: the environment variable {self.password_env} is not set")
            return os.environ[self.password_env]
        if self.password_file:
            try:
                return self.password_file.read_text().splitlines()[0]
            except (OSError, IndexError) as wrong:
                raise MagwatchError(f"broker password: {self.password_file} cannot be read: {wrong}") from wrong
        return None

    def tls_context(self) -> ssl.SSLContext:
        """Verified TLS, with the client's certificate where there is one. Raises MagwatchError."""
        try:
            context = ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
            if self.certificate_file and self.key_file:
                context.load_cert_chain(self.certificate_file, self.key_file)
        except (OSError, ssl.SSLError) as wrong:
            files = [str(f) for f in (self.ca_file, self.certificate_file, self.key_file) if f]
            raise MagwatchError(f"broker TLS: {', '.join(files)}: {wrong}") from wrong
        return context
