"""Secrets that the gateway makes for itself at its first start: files that only its user may read."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from stream.errors import MagwatchError


def kept_secret(path: Path, make: Callable[[], bytes]) -> bytes:
    """What the file holds; where there is none it is made, readable by nobody else. Raises MagwatchError.

    It appears whole or not at all, and of two processes that make it at once both get the same.
    """
    try:
        if not path.exists():
            _placed(path, make())
        return path.read_bytes()
    except OSError as wrong:
        raise MagwatchError(f"{path}: cannot be read or made: {wrong}") from wrong


def _placed(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.link(draft, path)
    except FileExistsError:
        return  # somebody else was first
    finally:
        draft.unlink(missing_ok=True)
