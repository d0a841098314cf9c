"""What goes wrong at the start is said in one line, with what to do; and costs nothing that was there."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import tomli_w
from paho.mqtt import publish

from tests.conftest import wait_for


def edge_config(folder: Path, broker_url: str, **changes: object) -> Path:
    settings = {
        "station": "wic",
        "data_dir": str(folder / "edge"),
        "broker": {"url": broker_url},
        "sensors": [
            {"name": "fge", "block_s": 0.25, "source": {"type": "sim", "seconds": 1.0, "scenario": {"rate_hz": 40.0}}}
        ],
    } | changes
    path = folder / "edge.toml"
    path.write_text(tomli_w.dumps(settings))
    return path


def gateway_config(folder: Path, **changes: object) -> Path:
    path = folder / "gateway.toml"
    path.write_text(tomli_w.dumps({"data_dir": str(folder / "gateway")} | changes))
    return path


def one_line(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.startswith("magwatch: ")]
    assert len(lines) == 1, stderr
    assert "Traceback" not in stderr
    return lines[0]


def test_a_taken_port_is_named_with_what_to_do(tmp_path: Path, magwatch: Callable) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = magwatch("gateway", "--config", str(gateway_config(tmp_path, listen={"port": port})))
        assert ended.returncode == 1
        assert f"port {port}" in one_line(ended.stderr)
        ended = magwatch("demo", "--seconds", "3", "--port", str(port))
        assert ended.returncode == 1
        assert "--port" in one_line(ended.stderr)


@pytest.mark.parametrize("command", ["gateway", "edge"])
def test_a_data_folder_that_cannot_be_made_is_named(command: str, tmp_path: Path, magwatch: Callable) -> None:
    (tmp_path / "file").write_text("in the way")
    folder = str(tmp_path / "file" / "data")
    make = gateway_config if command == "gateway" else lambda path, **c: edge_config(path, "mqtt://127.0.0.1:1", **c)
    ended = magwatch(command, "--config", str(make(tmp_path, data_dir=folder)))
    assert ended.returncode == 1
    assert folder in one_line(ended.stderr)


def test_mistakes_in_a_configuration_are_told_all_at_once(tmp_path: Path, magwatch: Callable) -> None:
    path = gateway_config(tmp_path, listen={"port": 99_999, "host": "everywhere"}, nonsense=1)
    for ended in (magwatch("gateway", "--config", str(path)), magwatch("check", str(path))):
        assert ended.returncode == 2
        lines = ended.stderr.splitlines()
        assert len(lines) == 3, ended.stderr
        assert all(line.startswith(f"{path}:") for line in lines)
        assert "nonsense" in ended.stderr
        assert "127.0.0.1" in ended.stderr


@pytest.mark.parametrize(
    "content", [b"", b"no format at all\n" * 9, b"\x1f\x8b\x08 cut"], ids=["empty", "text", "gzip"]
)
def test_an_unknown_or_damaged_file_leaves_no_output(content: bytes, tmp_path: Path, magwatch: Callable) -> None:
    path = tmp_path / "recording.sec"
    path.write_bytes(content)
    ended = magwatch("process", str(path), "--out", str(tmp_path / "out"))
    assert ended.returncode == 1
    assert str(path) in one_line(ended.stderr)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
    ended = magwatch("replay", str(path), "--broker", "mqtt://127.0.0.1:1")
    assert ended.returncode == 1
    assert str(path) in one_line(ended.stderr)


def test_wrong_use_ends_with_2(magwatch: Callable) -> None:
    assert magwatch("process").returncode == 2
    assert magwatch("demo", "--stations", "0").returncode == 2
    assert magwatch("replay", "x", "--broker", "http://nonsense").returncode == 2


def test_an_agent_without_a_broker_keeps_trying_and_sends_its_backlog(
    tmp_path: Path, mosquitto, make_gateway: Callable, make_edge: Callable
) -> None:
    gateway = make_gateway(mosquitto.url)
    mosquitto.kill()
    edge = make_edge(edge_config(tmp_path, mosquitto.url))
    wait_for(lambda: "the source has ended" in edge.log.read_text(), 30, "its source ends")
    assert "trying again" in edge.log.read_text()
    mosquitto.start()
    assert edge.wait(60) == 0
    (station,) = gateway.get("api/v1/stations")["stations"]
    assert station["sensors"][0]["samples"] == pytest.approx(40, abs=1)


def test_a_message_that_is_no_block_is_quarantined_and_the_rest_flows(
    tmp_path: Path, mosquitto, make_gateway: Callable, make_edge: Callable
) -> None:

    gateway = make_gateway(mosquitto.url)
    for topic in ("mag/1/wic/fge/block", "mag/1/wic/fge/event", "mag/1/wic/status"):
        publish.single(topic, b"\xff\x00 nonsense", qos=1, port=mosquitto.port)
    assert make_edge(edge_config(tmp_path, mosquitto.url)).wait(60) == 0
    entries = gateway.get("api/v1/quarantine")["entries"]
    assert sorted(entry["topic"].rsplit("/", 1)[1] for entry in entries) == ["block", "event", "status"]
    assert all(entry["reason"] for entry in entries)
    (station,) = gateway.get("api/v1/stations")["stations"]
    assert station["sensors"][0]["samples"] == pytest.approx(40, abs=1)
