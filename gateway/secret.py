"""Secrets that are handed out once: 256 random bits, of which only a digest is kept.

A digest without salt or cost is enough here: nobody tries 2^256 keys, as they would try a person's passwords.
"""

import hashlib
import hmac
import secrets


def fresh() -> str:
    """43 characters that fit a cookie, a header and a link."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """What is stored, and looked up by."""
    return hashlib.sha256(secret.encode()).digest()


def bound_to(secret: str, purpose: str) -> str:
    """Another secret, which only who has the first one can tell; 64 hexadecimal digits."""
    return hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    """In a time that says nothing of where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())
