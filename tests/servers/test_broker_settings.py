"""config/mosquitto.conf and config/mosquitto.acl as they stand, on a real mosquitto: who is let in, and to what."""

import os
import re
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from firmware_sim.settings import SimSettings
from stream import pipeline
from tests.conftest import listening, program, wait_for
from tests.fleet import Command, Gateway, counted, station_config

CONFIG = Path(__file__).resolve().parents[2] / "config"
ACCOUNTS = ("wic", "hon", "gateway", "operator")
SECONDS = 7.0


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with everybody's password and certificate, made as the files that are shipped tell."""
    program("openssl")
    folder = tmp_path_factory.mktemp("secrets")
    for name in ACCOUNTS:
        (folder / f"{name}.password").write_text(f"{name}'s secret\n")
        create = ["-c"] if name == ACCOUNTS[0] else []
        accounts = [*create, "-b", str(folder / "accounts"), name, f"{name}'s secret"]
        subprocess.run([program("mosquitto_passwd"), *accounts], check=True)
    for what, name in (("broker", "127.0.0.1"), *(("client", name) for name in ACCOUNTS)):
        subprocess.run(["sh", CONFIG / "certificates.sh", folder, what, name], check=True)
    return folder


class Site:
    """The broker of the shipped files: only paths, ports and what stands behind a # are changed."""

    def __init__(self, folder: Path, secrets: Path, port: int, tls_port: int, *, certificates: bool = False) -> None:
        self.folder, self.secrets, self.port, self.tls_port = folder, secrets, port, tls_port
        text = (CONFIG / "mosquitto.conf").read_text()
        wanted = "listener|cafile|certfile|keyfile|tls_version"
        wanted += "|require_certificate|use_identity_as_username" if certificates else ""
        text = re.sub(rf"^#({wanted}) ", r"\1 ", text, flags=re.MULTILINE)
        for shipped, here in (
            ("listener 1883 127.0.0.1", f"listener {port} 127.0.0.1"),
            ("listener 8883", f"listener {tls_port} 127.0.0.1"),
            ("/etc/mosquitto/magwatch.passwd", str(secrets / "accounts")),
            ("/etc/mosquitto/magwatch.acl", str(CONFIG / "mosquitto.acl")),
            ("/etc/mosquitto/certs", str(secrets)),
            ("/var/lib/mosquitto/", f"{folder}/"),
        ):
            assert shipped in text, shipped
            text = text.replace(shipped, here)
        as_root = "user root\n" if os.getuid() == 0 else ""
        (folder / "mosquitto.conf").write_text(text + as_root)
        with (folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program("mosquitto"), "-c", folder / "mosquitto.conf"], stdout=log, stderr=log
            )
        wait_for(lambda: listening(port) and listening(tls_port), 10, "mosquitto listens")

    def password_file(self, name: str) -> Path:
        return self.secrets / f"{name}.password"

    def by_password(self, name: str) -> dict[str, str]:
        """The lines of `[broker]` of an account."""
        return {"username": name, "password_file": str(self.password_file(name))}

    def by_certificate(self, name: str) -> dict[str, str]:
        return {
            "ca_file": str(self.secrets / "ca.pem"),
            "certificate_file": str(self.secrets / f"{name}.pem"),
            "key_file": str(self.secrets / f"{name}.key"),
        }

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(10)


@pytest.fixture
def site(tmp_path: Path, secrets: Path, free_port: Callable[[], int]) -> Iterator[Site]:
    site = Site(tmp_path, secrets, free_port(), free_port())
    yield site
    site.stop()


@pytest.fixture
def site_of_certificates(tmp_path: Path, secrets: Path, free_port: Callable[[], int]) -> Iterator[Site]:
    site = Site(tmp_path, secrets, free_port(), free_port(), certificates=True)
    yield site
    site.stop()


class Client:
    """Somebody with an account, who hears what the broker lets it hear and keeps the answers to what it says."""

    def __init__(self, site: Site, name: str | None, password: str | None = None) -> None:
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5, reconnect_on_failure=False
        )
        if name is not None:
            self._client.username_pw_set(name, f"{name}'s secret" if password is None else password)
        self.heard: list[str] = []
        self._answers: dict[int, ReasonCode] = {}
        self._arrived = threading.Condition()
        self.refusal: str | None = None
        self._client.on_connect = self._on_connect
        self._client.on_message = lambda _c, _u, message: self.heard.append(message.topic)
        self._client.on_subscribe = lambda _c, _u, mid, reasons, _p: self._answered(mid, reasons[0])
        self._client.on_publish = lambda _c, _u, mid, reason, _p: self._answered(mid, reason)
        self._client.connect("127.0.0.1", site.port)
        self._client.loop_start()
        wait_for(lambda: self.refusal is not None, 10, "an answer of the broker")

    def _on_connect(self, _c: object, _u: object, _f: object, reason: ReasonCode, _p: object) -> None:
        self.refusal = str(reason) if reason.is_failure else ""

    def _answered(self, mid: int, reason: ReasonCode) -> None:
        with self._arrived:
            self._answers[mid] = reason
            self._arrived.notify_all()

    def _answer(self, mid: int | None) -> bool:
        with self._arrived:
            assert self._arrived.wait_for(lambda: mid in self._answers, 10)
            return not self._answers[mid or 0].is_failure

    def subscribe(self, topic: str) -> None:
        self._answer(self._client.subscribe(topic, 1)[1])

    def may_say(self, topic: str) -> bool:
        return self._answer(self._client.publish(topic, b"{}", qos=1).mid)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def join(site: Site) -> Iterator[Callable[..., Client]]:
    made: list[Client] = []

    def connect(name: str | None, password: str | None = None) -> Client:
        made.append(Client(site, name, password))
        return made[-1]

    yield connect
    for client in made:
        client.close()


@pytest.mark.parametrize(("name", "password"), [(None, None), ("wic", "guessed"), ("wic", ""), ("nobody", "x")])
def test_nobody_comes_in_without_an_account(join: Callable[..., Client], name: str | None, password: str) -> None:
    assert join(name, password).refusal in {"Not authorized", "Bad user name or password"}


OWN = ["mag/1/wic/fge/block", "mag/1/wic/fge/backlog", "mag/1/wic/fge/event", "mag/1/wic/fge/reading"]
OWN += ["mag/1/wic/status", "mag/1/wic/reply"]
TOLD = ["mag/1/wic/commit", "mag/1/wic/config", "mag/1/wic/command"]


def test_a_station_may_say_what_is_its_own_and_nothing_else(join: Callable[..., Client]) -> None:
    station, everybody = join("wic"), join("gateway")
    everybody.subscribe("mag/1/#")
    foreign = [topic.replace("/wic/", "/hon/") for topic in OWN + TOLD]
    elsewhere = ["mag/1/wic", "mag/1/wic/fge/deep/block", "mag/2/wic/status", "wic", "$SYS/broker/uptime"]
    for topic in (*foreign, *elsewhere, *TOLD):
        assert not station.may_say(topic), topic
    for topic in OWN:
        assert station.may_say(topic), topic
    wait_for(lambda: len(everybody.heard) >= len(OWN), 5, "what the station said")
    assert everybody.heard == OWN


def test_a_station_hears_what_is_meant_for_it_whatever_it_asks_for(join: Callable[..., Client]) -> None:
    station, nosy, gateway = join("wic"), join("wic"), join("gateway")
    station.subscribe("#")
    nosy.subscribe("$share/gateway/mag/1/+/commit")
    for topic in TOLD:
        gateway.may_say(topic.replace("/wic/", "/hon/"))
    assert join("hon").may_say("mag/1/hon/fge/block")
    for topic in TOLD:
        assert gateway.may_say(topic), topic
    wait_for(lambda: len(station.heard) >= len(TOLD), 5, "what the gateway told it")
    assert station.heard == TOLD
    assert set(nosy.heard) <= {"mag/1/wic/commit"}


def test_a_gateway_and_an_operator_read_all_and_tell_stations_what_to_do(join: Callable[..., Client]) -> None:
    station = join("wic")
    for name, may in (("gateway", {"commit", "config", "command"}), ("operator", {"config", "command"})):
        somebody = join(name)
        somebody.subscribe("$share/gateway/mag/1/+/+/block")
        somebody.subscribe("mag/1/+/status")
        assert {topic.rsplit("/", 1)[1] for topic in OWN + TOLD if somebody.may_say(topic)} == may
        station.may_say("mag/1/wic/fge/block")
        station.may_say("mag/1/wic/status")
        wait_for(lambda who=somebody: len(who.heard) >= 2, 5, f"what {name} hears")
        somebody.close()


def test_what_waits_for_a_client_is_bounded(site: Site) -> None:
    text = (site.folder / "mosquitto.conf").read_text()
    for limit in ("max_inflight_messages", "max_queued_messages", "max_queued_bytes", "max_packet_size"):
        assert re.search(rf"^{limit} [1-9]", text, re.MULTILINE), limit


def counts_of_a_run(site: Site, gateway: Gateway, url: str, accounts: dict[str, dict[str, str]]) -> None:
    """Each of the stations streams for some seconds; every sample is stored once."""
    stations = [SimSettings(station=name, rate_hz=10, seed=seed) for seed, name in enumerate(accounts)]
    pipeline.warm_up()
    start_ns = time.time_ns()
    configs = [
        station_config(site.folder, each, url, start_ns, SECONDS, account=accounts[each.station]) for each in stations
    ]
    edge = Command(site.folder / "edge.log", "edge", "--config", *map(str, configs))
    try:
        assert edge.wait(60) == 0, edge.log.read_text()[-2000:]
        total = counted(gateway, site.folder, stations, start_ns)
        assert total.sent >= 10 * len(stations)
        assert (total.missing, total.duplicated) == (0, 0)
        wait_for(lambda: len(gateway.get("api/v1/stations")["stations"]) == len(stations), 5, "the stations' statuses")
    finally:
        edge.kill()
        gateway.kill()


def lines(table: dict[str, str]) -> str:
    return "\n".join(f'{key} = "{value}"' for key, value in table.items())


def test_every_sample_arrives_with_accounts_of_users_and_passwords(site: Site, free_port: Callable[[], int]) -> None:
    url = f"mqtt://127.0.0.1:{site.port}"
    gateway = Gateway(site.folder, url, free_port(), account=lines(site.by_password("gateway")))
    counts_of_a_run(site, gateway, url, {name: site.by_password(name) for name in ("wic", "hon")})


def test_every_sample_arrives_over_tls_with_certificates_and_no_password(
    site_of_certificates: Site, free_port: Callable[[], int]
) -> None:
    site = site_of_certificates
    url = f"mqtts://127.0.0.1:{site.tls_port}"
    gateway = Gateway(site.folder, url, free_port(), account=lines(site.by_certificate("gateway")))
    counts_of_a_run(site, gateway, url, {name: site.by_certificate(name) for name in ("wic", "hon")})


def test_a_certificate_is_another_stations_by_no_user_name_and_none_is_no_entry(site_of_certificates: Site) -> None:
    site = site_of_certificates
    context = ssl.create_default_context(cafile=str(site.secrets / "ca.pem"))
    context.load_cert_chain(site.secrets / "wic.pem", site.secrets / "wic.key")
    liar = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    liar.username_pw_set("hon", "hon's secret")
    liar.tls_set_context(context)
    answers: list[bool] = []
    liar.on_publish = lambda _c, _u, _m, reason, _p: answers.append(reason.is_failure)
    liar.connect("127.0.0.1", site.tls_port)
    liar.loop_start()
    for topic in ("mag/1/hon/fge/block", "mag/1/wic/fge/block"):
        liar.publish(topic, b"", qos=1)
    wait_for(lambda: len(answers) == 2, 5, "the broker's answers")
    liar.disconnect()
    liar.loop_stop()
    assert answers == [True, False]
    assert not _admitted(site, ssl.create_default_context(cafile=str(site.secrets / "ca.pem")))


def _admitted(site: Site, context: ssl.SSLContext) -> bool:
    """Whether a client without a certificate of its own is let in."""
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.username_pw_set("hon", "hon's secret")
    client.tls_set_context(context)
    seen: list[bool] = []
    client.on_connect = lambda _c, _u, _f, reason, _p: seen.append(not reason.is_failure)
    client.on_disconnect = lambda *_: seen.append(False)
    try:
        client.connect("127.0.0.1", site.tls_port)
    except OSError:
        return False
    client.loop_start()
    wait_for(lambda: seen, 5, "an answer of the broker")
    client.loop_stop()
    return seen[0]


def test_who_takes_anothers_client_id_does_not_get_what_waits_for_it(site: Site) -> None:
    heard: list[str] = []

    def session(name: str) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2, "magwatch-gateway-blocks", clean_session=False, reconnect_on_failure=False
        )
        client.username_pw_set(name, f"{name}'s secret")
        client.on_message = lambda _c, _u, message: heard.append(message.topic)
        client.connect("127.0.0.1", site.port)
        client.loop_start()
        wait_for(client.is_connected, 5, "the connection")
        return client

    gateway = session("gateway")
    asked: list[object] = []
    gateway.on_subscribe = lambda *_: asked.append(1)
    gateway.subscribe("mag/1/+/+/block", 1)
    wait_for(lambda: asked, 5, "the subscription")
    gateway.disconnect()
    gateway.loop_stop()
    station = Client(site, "hon")
    assert station.may_say("mag/1/hon/fge/block")
    thief = session("wic")
    assert station.may_say("mag/1/hon/fge/block")
    time.sleep(0.5)
    thief.disconnect()
    thief.loop_stop()
    station.close()
    assert heard == []
