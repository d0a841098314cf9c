"""Which store the settings name, and what is wrong with those that name none."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.settings import GatewaySettings, InfluxSettings
from gateway.stores.influx import InfluxStore
from gateway.stores.opening import open_store
from gateway.stores.sqlite import SqliteStore
from stream.errors import MagwatchError, SettingsError
from stream.settings_file import load

INFLUX = 'type = "influx"\n'


def settings(folder: Path, store: str) -> GatewaySettings:
    path = folder / "gateway.toml"
    path.write_text(f'data_dir = "{folder}"\n[store]\n{store}')
    return load(path, GatewaySettings)


@pytest.mark.parametrize("store", ["", 'type = "sqlite"', 'synchronous = "normal"'])
async def test_without_a_type_it_is_the_embedded_store(tmp_path: Path, store: str) -> None:
    opened = await open_store(settings(tmp_path, store))
    assert isinstance(opened, SqliteStore)
    await opened.close()


async def test_an_influxdb_is_opened_without_asking_it(tmp_path: Path) -> None:
    opened = await open_store(settings(tmp_path, INFLUX + 'url = "http://127.0.0.1:1"'))
    assert isinstance(opened, InfluxStore)
    await opened.close()


def test_settings_survive_the_way_to_another_process(tmp_path: Path) -> None:
    made = settings(tmp_path, INFLUX + 'token_file = "/etc/token"\nkeep_days = 30')
    assert GatewaySettings.model_validate_json(made.model_dump_json()) == made


@pytest.mark.parametrize(
    ("store", "told"),
    [
        ('type = "postgres"', 'a store has the type "sqlite" or "influx"'),
        ("keep_weeks = 3", "3: store.*keep_weeks"),
        (INFLUX + 'url = "influx.example"', "http://HOST"),
        (INFLUX + 'url = "http://me:pass@influx.example"', "no user or password in the URL"),
        (INFLUX + 'database = "a/b"', "4: store.database"),
        (INFLUX + "keep_days = 0", "4: store.keep_days"),
        (INFLUX + 'username = "me"', "belong together"),
        (INFLUX + 'password_env = "P"', "belong together"),
        (INFLUX + 'username = "me"\npassword_env = "P"\ntoken_env = "T"', "one of them"),
        (INFLUX + 'username = "me"\ntoken_env = "T"', "a token stands alone"),
        (INFLUX + "keep_minutes_days = 30", "at least as long as full rate"),
        (INFLUX + "keep_days = 31\nkeep_minutes_days = 30", "at least as long as full rate"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, store: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told) as raised:
        settings(tmp_path, store)
    assert "pass@" not in str(raised.value)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"token_file": Path("/nowhere/token")}, "/nowhere/token cannot be read"),
        ({"token_env": "NOT_SET_ANYWHERE"}, "NOT_SET_ANYWHERE is not set"),
        ({"ca_file": Path("/nowhere/ca.pem")}, "/nowhere/ca.pem"),
    ],
)
def test_a_secret_or_a_certificate_that_is_not_there_is_told(how: dict[str, object], told: str) -> None:
    with pytest.raises(MagwatchError, match=told):
        InfluxStore(InfluxSettings.model_validate({"type": "influx", **how}))


def test_who_does_not_use_influxdb_does_not_load_its_client() -> None:
    code = "import sys, gateway.service; print([name for name in sys.modules if name.startswith('influxdb_client')])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
