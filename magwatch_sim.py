"""The simulated sensor as a source of the agent: the one place that knows both the simulator and the edge."""

import contextlib
import time
from collections.abc import AsyncGenerator
from pathlib import Path

from pydantic import ValidationError

from edge.settings import AgentSettings, SensorSettings, SimulatedSource
from firmware_sim.settings import SimSettings
from stream.block import Channel, Samples
from stream.errors import SettingsError


async def simulated(sensor: SensorSettings, source: SimulatedSource) -> AsyncGenerator[Samples]:
    """The samples of a simulated sensor, each when its time has come.

    A sensor with a `start` lives its own life from then on: an agent that comes later, or comes back, finds it as it
    is by then, as it would find a real one.
    """
    # A station with a real instrument checks its settings here too, and has not installed what the sky is made of.
    from firmware_sim.pace import live  # noqa: PLC0415
    from firmware_sim.sensor import SimulatedSensor  # noqa: PLC0415

    settings = scenario(sensor, source)
    now_ns = time.time_ns()
    start_ns = now_ns if source.start is None else source.start
    device = SimulatedSensor(settings, start_ns)
    device.skip_until(now_ns)
    channels = tuple(Channel(*channel) for channel in device.channels)
    async with contextlib.aclosing(live(device, until_s=source.seconds, journal=source.journal)) as paced:
        async for times_ns, counts in paced:
            yield Samples.raw(channels, times_ns, counts)


def scenario(sensor: SensorSettings, source: SimulatedSource) -> SimSettings:
    """The simulator's settings out of the agent's. Raises SettingsError."""
    try:
        return SimSettings.model_validate(source.scenario)
    except ValidationError as wrong:
        mistakes = [
            f"sensor {sensor.name}, scenario.{'.'.join(str(part) for part in error['loc'])}: {error['msg']}"
            for error in wrong.errors(include_url=False)
        ]
        raise SettingsError("\n".join(mistakes)) from wrong


def check_scenarios(path: Path, settings: AgentSettings) -> None:
    """Raises SettingsError for each simulated sensor whose scenario is wrong."""
    mistakes = []
    for sensor in settings.sensors:
        if isinstance(sensor.source, SimulatedSource):
            try:
                scenario(sensor, sensor.source)
            except SettingsError as wrong:
                mistakes += [f"{path}: {line}" for line in str(wrong).splitlines()]
    if mistakes:
        raise SettingsError("\n".join(mistakes))
