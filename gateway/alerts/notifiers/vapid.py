"""Who this gateway is to a push service (VAPID, RFC 8292): a key pair made at the first start, and what it signs."""

import base64
import json
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from gateway.alerts.keys import kept_secret
from stream.errors import MagwatchError

KEY_FILE = "vapid.pem"
_GOOD_FOR_S = 12 * 3600
"""RFC 8292 allows a day."""
_AGAIN_AFTER_S = 3600


class Vapid:
    """The gateway's key pair. Browsers subscribe with `public_key`; a new pair would lose all subscriptions."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public_key = encoded(point)
        self._signed: dict[tuple[str, str], tuple[int, str]] = {}

    @classmethod
    def open(cls, folder: Path) -> "Vapid":
        """With the key in the folder, made at the first start. Raises MagwatchError."""
        path = folder / KEY_FILE
        try:
            key = load_pem_private_key(kept_secret(path, _made), password=None)
        except (ValueError, TypeError) as wrong:
            raise MagwatchError(
                f"{path} is not a private key: restore it, or remove it and all subscribe anew"
            ) from wrong
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise MagwatchError(f"{path} is not a key on the curve P-256, which push services ask for")
        return cls(key)

    def authorization(self, origin: str, contact: str, now_s: int) -> str:
        """The Authorization header for a push service. Signed anew once an hour."""
        until_s, header = self._signed.get((origin, contact), (0, ""))
        if now_s + _GOOD_FOR_S - _AGAIN_AFTER_S < until_s <= now_s + _GOOD_FOR_S:
            return header
        until_s = now_s + _GOOD_FOR_S
        parts = ({"typ": "JWT", "alg": "ES256"}, {"aud": origin, "exp": until_s, "sub": contact})
        said = ".".join(encoded(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
        r, s = decode_dss_signature(self._key.sign(said.encode(), ec.ECDSA(hashes.SHA256())))
        token = f"{said}.{encoded(r.to_bytes(32) + s.to_bytes(32))}"
        header = f"vapid t={token}, k={self.public_key}"
        self._signed[origin, contact] = until_s, header
        return header


def encoded(content: bytes) -> str:
    """base64url without padding, as RFC 7515 has it."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _made() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
