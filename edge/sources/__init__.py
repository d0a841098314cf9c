"""Where samples come from: a source gives Samples asynchronously, in the order read; it may end or never end."""

from collections.abc import AsyncGenerator, Callable

from edge.settings import ArchiveSource, SensorSettings, SimulatedSource
from edge.sources.archive import play
from stream.block import Samples

Simulated = Callable[[SensorSettings, SimulatedSource], AsyncGenerator[Samples]]


def opener(simulated: Simulated) -> Callable[[SensorSettings], AsyncGenerator[Samples]]:
    """What opens the source that a sensor's settings name; the simulator is handed in, the edge does not know it."""

    def open_source(sensor: SensorSettings) -> AsyncGenerator[Samples]:
        match sensor.source:
            case SimulatedSource():
                return simulated(sensor, sensor.source)
            case ArchiveSource(files=files, speed=speed):
                return play(files, speed)

    return open_source
