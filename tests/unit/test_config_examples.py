"""Every option of every role stands in an example, and every example is good."""

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from edge.calibration import Calibration
from edge.settings import AgentSettings, ArchiveSource, InstrumentSource, SensorSettings, SimulatedSource
from edge.sources.i2c_link import I2cSettings, I2cTcpSettings
from edge.sources.links import SerialSettings, TcpSettings
from edge.sources.position import GpsdPosition, NmeaPosition
from edge.sources.rm3100 import Rm3100Source
from edge.sources.textline import TextChannel, TextTime
from firmware_sim import settings as sim
from firmware_sim.wire_faults import WireSettings
from gateway.alerts.notifiers.channels import (
    AppriseChannel,
    LogChannel,
    NtfyChannel,
    WebhookChannel,
    WebPushChannel,
)
from gateway.settings import GatewaySettings, InfluxSettings
from stream.settings_file import load

CONFIG = Path(__file__).resolve().parents[2] / "config"
CHANNELS = (NtfyChannel, AppriseChannel, WebhookChannel, WebPushChannel, LogChannel)
ROLES: list[tuple[str, type[BaseModel], tuple[type[BaseModel], ...]]] = [
    (
        "edge.example.toml",
        AgentSettings,
        (
            *(SensorSettings, SimulatedSource, ArchiveSource, Calibration, *get_args(InstrumentSource), Rm3100Source),
            *(TextChannel, TextTime, SerialSettings, TcpSettings, I2cSettings, I2cTcpSettings),
            *(NmeaPosition, GpsdPosition),
        ),
    ),
    ("gateway.example.toml", GatewaySettings, (InfluxSettings, *CHANNELS)),
    (
        "sim.example.toml",
        sim.SimSettings,
        (
            sim.Storm,
            sim.Spike,
            sim.Step,
            sim.Stuck,
            sim.Saturated,
            sim.Gap,
            sim.ClockStep,
            sim.GpsLoss,
            sim.Vehicle,
            WireSettings,
        ),
    ),
]


def options(model: type[BaseModel]) -> set[str]:
    """The names of a model's options and those of the models inside it."""
    names: set[str] = set()
    for name, field in model.model_fields.items():
        names.add(name)
        for inner in re.findall(r"<class '([\w.]+)'>", repr(field.annotation)):
            found = next((m for m in BaseModel.__subclasses__() if f"{m.__module__}.{m.__qualname__}" == inner), None)
            names |= options(found) if found else set()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names |= options(field.annotation)
    return names


@pytest.mark.parametrize(("name", "model", "others"), ROLES)
def test_an_example_is_good(name: str, model: type[BaseModel], others: tuple[type[BaseModel], ...]) -> None:
    load(CONFIG / name, model)


@pytest.mark.parametrize(("name", "model", "others"), ROLES)
def test_every_option_is_named(name: str, model: type[BaseModel], others: tuple[type[BaseModel], ...]) -> None:
    text = (CONFIG / name).read_text()
    wanted = set().union(*(options(each) for each in (model, *others)))
    assert {option for option in wanted if not re.search(rf"\b{option}\b", text)} == set()


@pytest.mark.parametrize(("name", "model", "others"), ROLES)
def test_what_stands_behind_a_hash_is_toml_too(
    tmp_path: Path, name: str, model: type[BaseModel], others: tuple[type[BaseModel], ...]
) -> None:
    lines = (CONFIG / name).read_text().splitlines()
    commented = [line[2:] for line in lines if re.match(r"# [a-z_]+ = ", line)]
    for line in commented:
        tomllib.loads(line)
