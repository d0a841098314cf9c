"""Mistakes in a configuration are told all at once, each with line, key, value and what would be right."""

from pathlib import Path

import pytest

from edge.settings import AgentSettings
from stream.errors import SettingsError
from stream.settings_file import load

GOOD = """
station = "wic"
data_dir = "data"

[broker]
url = "mqtt://127.0.0.1:1883"

[[sensors]]
name = "fge"
source = { type = "sim" }

[[sensors]]
name = "lemi"
[sensors.source]
type = "sim"
"""


def test_a_good_file_becomes_settings(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(GOOD)
    assert [sensor.name for sensor in load(path, AgentSettings).sensors] == ["fge", "lemi"]


def test_all_mistakes_are_told_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(
        GOOD.replace("mqtt://127", "http://127")
        .replace('"wic"', '"no spaces"')
        .replace('"lemi"\n', '"lemi"\nrate = 3\n')
    )
    with pytest.raises(SettingsError) as told:
        load(path, AgentSettings)
    lines = str(told.value).splitlines()
    assert [line.removeprefix(f"{path}:").split(":")[0] for line in lines] == ["2", "6", "14"]
    assert "station = 'no spaces'" in lines[0]
    assert "mqtt://HOST" in lines[1]
    assert "sensors.1.rate" in lines[2]


def test_a_mistake_inside_a_chosen_source_is_told_at_its_own_key(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(GOOD + 'speed = "fast"\n')
    with pytest.raises(SettingsError, match=r"16: sensors\.1\.source\.speed = 'fast'"):
        load(path, AgentSettings)


def test_text_that_is_not_toml_says_where(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text("station = \n")
    with pytest.raises(SettingsError, match="line 1"):
        load(path, AgentSettings)


def test_a_secret_in_the_url_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(GOOD.replace("mqtt://127", "mqtt://me:hunter2@127"))
    with pytest.raises(SettingsError, match="password_file") as told:
        load(path, AgentSettings)
    assert "hunter2" not in str(told.value)
