"""Web Push: what a push service gets, that a device can read it, and what becomes of devices that are gone."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import http_ece
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from gateway.access import Access
from gateway.alerts.actions import Links
from gateway.alerts.notifiers import Notification, NotifierError
from gateway.alerts.notifiers.channels import LogChannel, WebPushChannel
from gateway.alerts.notifiers.vapid import Vapid, encoded
from gateway.alerts.notifiers.webpush import WebPushNotifier, topic
from gateway.alerts.subscriptions import Subscribed, Subscription, Subscriptions, decoded, is_known_service
from gateway.api.push import push
from gateway.records import open_records
from stream.errors import MagwatchError
from stream.events import Kind, Severity
from tests.receiver import FAILS, GONE, OK, Receiver, patience, receiving

NOW = 1_715_360_700_000_000_000
NOTE = Notification(
    id="ab" * 16,
    what="firing",
    severity=Severity.CRITICAL,
    title="Sudden commencement in europe, 38 nT",
    text="Since 17:05. " + "ü" * 3000,
    station="conrad",
    kind=Kind.COMMENCEMENT,
    alert_id="cd" * 16,
    created_at=NOW,
    thread="cd" * 16,
)
LINKS = Links(b"k" * 32, "https://magwatch.example.org")


class Device:
    """A browser's side of a subscription."""

    def __init__(self, endpoint: str) -> None:
        self.key, self.auth, self.endpoint = ec.generate_private_key(ec.SECP256R1()), b"0123456789abcdef", endpoint
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.json = {"endpoint": endpoint, "keys": {"p256dh": encoded(point), "auth": encoded(self.auth)}}

    @property
    def subscription(self) -> Subscription:
        return Subscription.of(Subscribed.model_validate(self.json))

    def read(self, body: bytes) -> dict[str, object]:
        content = http_ece.decrypt(body, private_key=self.key, auth_secret=self.auth, version="aes128gcm")
        return json.loads(content)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def subscriptions(tmp_path: Path) -> AsyncIterator[Subscriptions]:
    records = await open_records(tmp_path / "gateway.db")
    yield Subscriptions(records)
    await records.close()


def notifier(tmp_path: Path, subscriptions: Subscriptions) -> WebPushNotifier:
    vapid = Vapid.open(tmp_path)
    return WebPushNotifier("page", vapid, subscriptions, "mailto:ops@example.org", links=LINKS, clock=lambda: NOW)


async def test_a_device_can_read_what_nobody_between_can(
    tmp_path: Path, receiver: Receiver, subscriptions: Subscriptions
) -> None:
    device = Device(f"{receiver.url}/send/1")
    await subscriptions.put("page", device.subscription, NOW)
    webpush = notifier(tmp_path, subscriptions)
    await webpush.hand_over(NOTE)
    await webpush.close()
    (request,) = receiver.got
    assert len(request.body) <= 4096
    assert b"commencement" not in request.body
    told = device.read(request.body)
    assert (told["title"], told["tag"], told["id"]) == (NOTE.title, NOTE.thread, NOTE.id)
    assert [one["action"] for one in told["actions"]] == ["acknowledge", "false"]  # type: ignore[attr-defined]
    said = request.headers
    assert (said["ttl"], said["urgency"], said["topic"]) == ("86400", "high", NOTE.thread)
    assert said["content-encoding"] == "aes128gcm"


async def test_the_push_service_can_check_who_sends(
    tmp_path: Path, receiver: Receiver, subscriptions: Subscriptions
) -> None:
    await subscriptions.put("page", Device(f"{receiver.url}/send/1").subscription, NOW)
    webpush = notifier(tmp_path, subscriptions)
    await webpush.hand_over(NOTE)
    await webpush.close()
    scheme, _, fields = receiver.got[0].headers["authorization"].partition(" ")
    given = dict(field.strip().split("=", 1) for field in fields.split(","))
    assert (scheme, given["k"]) == ("vapid", Vapid.open(tmp_path).public_key)
    head, claims, signature = given["t"].split(".")
    assert json.loads(decoded(head)) == {"typ": "JWT", "alg": "ES256"}
    assert json.loads(decoded(claims)) == {
        "aud": receiver.url,
        "exp": NOW // 10**9 + 12 * 3600,
        "sub": "mailto:ops@example.org",
    }
    raw = decoded(signature)
    proof = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decoded(given["k"]))
    key.verify(proof, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        key.verify(proof, f"{head}.x{claims}".encode(), ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("status", [b"404 Not Found", b"410 Gone"])
async def test_a_device_that_has_unsubscribed_is_dropped(
    tmp_path: Path, receiver: Receiver, subscriptions: Subscriptions, status: bytes
) -> None:
    await subscriptions.put("page", Device(f"{receiver.url}/send/1").subscription, NOW)
    receiver.answers = [GONE.replace(b"410 Gone", status)]
    webpush = notifier(tmp_path, subscriptions)
    for said in ("the device has unsubscribed", "no device has subscribed"):
        with pytest.raises(NotifierError, match=said) as trouble:
            await webpush.hand_over(NOTE)
        assert not trouble.value.retryable
    await webpush.close()
    assert await subscriptions.of("page") == []


async def test_a_device_that_has_it_does_not_get_it_again_because_another_one_failed(
    tmp_path: Path, receiver: Receiver, subscriptions: Subscriptions
) -> None:
    for number in (1, 2):
        await subscriptions.put("page", Device(f"{receiver.url}/send/{number}").subscription, NOW + number)
    broken = True
    receiver.answer = lambda request: patience(9) if broken and request.path == "/send/2" else OK
    webpush = notifier(tmp_path, subscriptions)
    with pytest.raises(NotifierError, match="1 of 2 devices") as trouble:
        await webpush.hand_over(NOTE)
    assert (trouble.value.retryable, trouble.value.partly, trouble.value.retry_after_s) == (True, True, 9.0)
    broken = False
    await webpush.hand_over(NOTE)
    await webpush.close()
    assert sorted(request.path for request in receiver.got) == ["/send/1", "/send/2", "/send/2"]


async def test_a_dead_push_service_is_worth_a_retry(
    tmp_path: Path, receiver: Receiver, subscriptions: Subscriptions
) -> None:
    await subscriptions.put("page", Device(f"{receiver.url}/send/1").subscription, NOW)
    receiver.answers = [FAILS]
    webpush = notifier(tmp_path, subscriptions)
    with pytest.raises(NotifierError) as trouble:
        await webpush.hand_over(NOTE)
    await webpush.close()
    assert (trouble.value.retryable, trouble.value.partly) == (True, False)


def test_the_key_is_made_once_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    first = Vapid.open(tmp_path).public_key
    assert Vapid.open(tmp_path).public_key == first
    assert (tmp_path / "vapid.pem").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["vapid.pem"]


def test_a_key_that_is_none_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "vapid.pem").write_text("nonsense")
    with pytest.raises(MagwatchError, match=r"vapid\.pem is not a private key"):
        Vapid.open(tmp_path)


def test_a_topic_has_at_most_32_letters() -> None:
    assert topic("cd" * 16) == "cd" * 16
    assert len(topic("region/alps/commencement")) == 32


@pytest.mark.parametrize(
    ("endpoint", "known"),
    [
        ("https://fcm.googleapis.com/fcm/send/x", True),
        ("https://updates.push.services.mozilla.com/wpush/v2/x", True),
        ("https://push.example.org/x", True),
        ("http://fcm.googleapis.com/fcm/send/x", False),
        ("https://fcm.googleapis.com.evil.example/x", False),
        ("https://evilpush.services.mozilla.com.example/x", False),
        ("https://user@fcm.googleapis.com/x", False),
        ("https://127.0.0.1/x", False),
        ("https://fcm.googleapis.com:22/x", False),
    ],
)
def test_a_gateway_posts_only_where_push_services_are(endpoint: str, known: bool) -> None:
    assert is_known_service(endpoint, ("https://push.example.org",)) is known


async def test_a_page_subscribes_and_unsubscribes(tmp_path: Path, subscriptions: Subscriptions) -> None:
    vapid = Vapid.open(tmp_path)
    channels = {"log": LogChannel(type="log"), "page": WebPushChannel(type="webpush", contact="mailto:o@example.org")}
    app = FastAPI()
    records = await open_records(tmp_path / "doors.db")
    app.state.access = Access(records)
    app.include_router(push(channels, vapid, subscriptions))
    device = Device("https://fcm.googleapis.com/fcm/send/abc")
    own = {"Origin": "http://localhost"}
    async with AsyncClient(transport=ASGITransport(app), base_url="http://localhost/api/v1", headers=own) as client:
        assert (await client.get("push/key")).json() == {"key": vapid.public_key, "channels": ["page"]}
        for _ in range(2):
            answer = await client.post("push/subscriptions", json=device.json)
            assert answer.status_code == 201
        (known,) = await subscriptions.of("page")
        assert known == device.subscription
        elsewhere = device.json | {"endpoint": "http://127.0.0.1:9/"}
        assert (await client.post("push/subscriptions", json=elsewhere)).status_code == 422
        assert (await client.post("push/subscriptions", json=device.json | {"channel": "log"})).status_code == 404
        wrong = device.json | {"keys": {"p256dh": base64.urlsafe_b64encode(b"x" * 65).decode(), "auth": "AA"}}
        assert (await client.post("push/subscriptions", json=wrong)).status_code == 422
        assert (await client.delete(f"push/subscriptions/{answer.json()['id']}")).status_code == 204
    await records.close()
    assert await subscriptions.of("page") == []
