"""Passwords as argon2id hashes, made and checked in a thread of their own, one at a time.

A hash is meant to be dear: 64 MiB and some 0.1 s of a core. One at a time leaves the machine to the ingest however many
try to log in, and who comes when too many wait is sent away at once.
"""

import asyncio
import base64
import secrets
import unicodedata
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from stream.errors import MagwatchError

SHORTEST, LONGEST = 12, 200
WAITING_AT_MOST = 16

# The second recommended option of RFC 9106, section 4, with one lane instead of four: one core, not all of them.
_PASSES, _MEMORY_KIB, _LANES = 3, 65_536, 1
_SALT_BYTES, _HASH_BYTES = 16, 32


class HasherBusyError(MagwatchError):
    """Too many want to log in at this moment."""


class WeakPasswordError(MagwatchError):
    """A new password that is not taken."""


class Hasher:
    """`made` and `fits`; both may raise HasherBusyError."""

    def __init__(self) -> None:
        self._argon2 = PasswordHasher(_PASSES, _MEMORY_KIB, _LANES, hash_len=_HASH_BYTES, salt_len=_SALT_BYTES)
        self._thread = ThreadPoolExecutor(1, "passwords")
        self._waiting = 0
        salt, never = (_encoded(secrets.token_bytes(size)) for size in (_SALT_BYTES, _HASH_BYTES))
        self._nobodys = f"$argon2id$v=19$m={_MEMORY_KIB},t={_PASSES},p={_LANES}${salt}${never}"

    async def made(self, password: str) -> str:
        """The hash of a new password. Raises WeakPasswordError."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise WeakPasswordError(f"a password has {SHORTEST} to {LONGEST} characters: a few words are good")
        return str(await self._in_turn(password, None))

    async def fits(self, kept: str | None, password: str) -> bool:
        """Whether the password is that of the hash. None, for who is not known, takes as long and never fits."""
        return bool(await self._in_turn(password, kept or self._nobodys))

    def check_room(self) -> None:
        """Raises HasherBusyError when one more would have to wait for long."""
        if self._waiting >= WAITING_AT_MOST:
            raise HasherBusyError("too many are logging in: try again in some seconds")

    async def _in_turn(self, password: str, kept: str | None) -> str | bool:
        self.check_room()
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._work, password, kept)
        finally:
            self._waiting -= 1

    def _work(self, password: str, kept: str | None) -> str | bool:
        same_however_typed = unicodedata.normalize("NFKC", password)
        if kept is None:
            return self._argon2.hash(same_however_typed)
        try:
            return self._argon2.verify(kept, same_however_typed)
        except VerifyMismatchError:
            return False


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode().rstrip("=")
