"""config/compose.yaml and what it needs, as far as can be told without containers; the dashboard on a real InfluxDB."""

import json
import os
import re
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from gateway.settings import GatewaySettings, InfluxSettings
from gateway.stores.influx import InfluxStore
from stream.block import Block, Channel, Samples
from stream.codec import encode
from stream.flags import Flag
from stream.instant import SECOND_NS
from stream.settings_file import load
from tests.conftest import program

CONFIG = Path(__file__).resolve().parents[2] / "config"
COMPOSE = yaml.safe_load((CONFIG / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
DASHBOARD = json.loads((CONFIG / "grafana" / "dashboards" / "magnetic.json").read_text())
START_NS = 1_750_000_000 * SECOND_NS
MINUTES = 3


def mounts(service: str) -> dict[str, str]:
    """What is mounted where, by its place in the container."""
    pairs = (volume.split(":")[:2] for volume in SERVICES[service].get("volumes", []))
    return {place: source for source, place in pairs}


def secrets_of(service: str) -> set[str]:
    return {each if isinstance(each, str) else each["source"] for each in SERVICES[service].get("secrets", [])}


def test_every_file_that_the_services_name_is_there() -> None:
    dockerfile = (CONFIG / "Dockerfile").read_text()
    for name, service in SERVICES.items():
        for place, source in mounts(name).items():
            if source.startswith("."):
                assert (CONFIG / source).exists(), f"{name}: {source}"
            else:
                assert source in COMPOSE["volumes"], f"{name}: {place}"
        if "build" in service:
            assert (CONFIG / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
            assert f" AS {service['build']['target']}\n" in dockerfile
        assert set(service.get("depends_on", {})) <= set(SERVICES)
    # The container's entry point runs what it finds there only when it may be run.
    assert os.access(CONFIG / "influxdb.init.sh", os.X_OK)


def test_nothing_listens_beyond_this_machine() -> None:
    for name, service in SERVICES.items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert ("ports" in service) != (service.get("network_mode") == "host"), name
    settings = load(CONFIG / "compose.gateway.toml", GatewaySettings)
    assert settings.listen.host == "127.0.0.1"
    listeners = re.findall(r"^listener (.*)$", (CONFIG / "mosquitto.conf").read_text(), re.MULTILINE)
    assert listeners == ["1883 127.0.0.1"]


def test_every_password_is_a_file_that_the_script_makes_at_random(tmp_path: Path) -> None:
    program("mosquitto_passwd")
    shutil.copy(CONFIG / "secrets.sh", tmp_path)
    script = ["sh", tmp_path / "secrets.sh"]
    subprocess.run(script, check=True)
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert set(made) == set(COMPOSE["secrets"]) == set().union(*map(secrets_of, SERVICES))
    assert {each["file"] for each in COMPOSE["secrets"].values()} == {f"./secrets/{name}" for name in made}
    assert len(set(made.values())) == len(made)
    assert all(len(value) == 48 for name, value in made.items() if name != "broker_accounts")

    told = subprocess.run([*script, "station", "wic"], check=True, capture_output=True, text=True).stdout.strip()
    accounts = (tmp_path / "secrets" / "broker_accounts").read_text()
    assert [line.split(":")[0] for line in accounts.splitlines()] == ["gateway", "wic"]
    assert len(told) == 48
    again = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert {name for name in made if made[name] != again[name]} == {"broker_accounts"}
    assert subprocess.run([*script, "station", "gateway"], check=False, capture_output=True).returncode == 2


def test_no_password_stands_in_a_setting() -> None:
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if re.search("PASSWORD|TOKEN|SECRET", key):
                assert key.endswith("_FILE"), f"{name}: {key}"
                assert value.removeprefix("/run/secrets/") in secrets_of(name), f"{name}: {value}"
    gateway = load(CONFIG / "compose.gateway.toml", GatewaySettings)
    assert isinstance(gateway.store, InfluxSettings)
    for file in (gateway.broker.password_file, gateway.store.token_file):
        assert file is not None
        assert file.parent == Path("/run/secrets")
        assert file.name in secrets_of("gateway")
    assert str(gateway.data_dir) in mounts("gateway")


def test_grafana_finds_its_source_and_its_dashboard() -> None:
    (source,) = yaml.safe_load((CONFIG / "grafana" / "datasource.yaml").read_text())["datasources"]
    (provider,) = yaml.safe_load((CONFIG / "grafana" / "dashboards.yaml").read_text())["providers"]
    gateway = load(CONFIG / "compose.gateway.toml", GatewaySettings)
    assert isinstance(gateway.store, InfluxSettings)
    assert source["jsonData"]["dbName"] == gateway.store.database
    assert source["url"] == "http://influxdb:8086"
    assert source["secureJsonData"]["password"].strip("$_file{}").removeprefix("/run/secrets/") in secrets_of("grafana")
    assert provider["options"]["path"] in mounts("grafana")
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/magnetic.json"
    assert SERVICES["influxdb"]["environment"]["DOCKER_INFLUXDB_INIT_BUCKET"] == f"{gateway.store.database}/full"
    for each in (*DASHBOARD["panels"], *DASHBOARD["templating"]["list"], *map(dict, targets())):
        assert each["datasource"] == {"type": source["type"], "uid": source["uid"]}


def targets() -> Iterator[dict]:
    for panel in DASHBOARD["panels"]:
        assert panel["targets"], panel["title"]
        yield from panel["targets"]


def test_panels_stand_side_by_side_and_have_numbers_of_their_own() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@pytest.fixture
async def filled(influxd) -> str:
    """A database as the gateway fills it: three minutes of one sensor with every channel that the dashboard shows."""
    store = InfluxStore(InfluxSettings(type="influx", url=influxd.url, database="dashboard"))
    channels = (*(Channel(name, "nT", 0.01) for name in "xyzf"), Channel("temperature", "degC", 0.01))
    times_ns = START_NS + np.arange(60 * MINUTES) * SECOND_NS
    counts = np.tile(np.arange(len(times_ns), dtype=np.int32)[:, np.newaxis], (1, len(channels)))
    samples = Samples.raw(channels, times_ns, counts)
    samples.flags[10] = Flag.SPIKE
    block = Block("wic", "fge", 1, 0, samples)
    await store.append([(block, encode(block))])
    await store.keep_minutes("wic", "fge", samples[::60])
    await store.close()
    return f"{influxd.url}/query?db=dashboard&epoch=ns&q="


def asked(url: str, query: str) -> list[dict]:
    """The series that InfluxDB answers with, Grafana's names filled in as Grafana does."""
    end_ns = START_NS + 60 * MINUTES * SECOND_NS
    for name, value in (
        ("$timeFilter", f"time >= {START_NS} AND time < {end_ns}"),
        ("$__interval", "60s"),
        ("$station", "(wic|hon)"),
        ("$sensor", "(fge)"),
    ):
        query = query.replace(name, value)
    assert not re.search(r"[$]\w", query)
    with urllib.request.urlopen(url + urllib.parse.quote(query), timeout=10) as answer:  # noqa: S310 - loopback
        (result,) = json.load(answer)["results"]
    assert "error" not in result, f"{query}: {result}"
    return result.get("series", [])


async def test_every_query_of_the_dashboard_finds_what_the_gateway_stored(filled: str) -> None:
    for target in targets():
        (series,) = asked(filled, target["query"])
        assert series["tags"] == {"sensor": "fge", "station": "wic"}, target["query"]
        values = [value for _, value in series["values"] if value is not None]
        assert any(values), target["query"]
        for tag in re.findall(r"\$tag_(\w+)", target["alias"]):
            assert tag in series["tags"]
    flagged = next(target["query"] for target in targets() if '"flags" > 0' in target["query"])
    assert sum(value for _, value in asked(filled, flagged)[0]["values"]) == 1


async def test_stations_and_sensors_can_be_chosen(filled: str) -> None:
    found = {each["name"]: asked(filled, each["query"])[0]["values"] for each in DASHBOARD["templating"]["list"]}
    assert found == {"station": [["station", "wic"]], "sensor": [["sensor", "fge"]]}
