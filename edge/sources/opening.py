"""From a sensor's settings to its stream of samples."""

from collections.abc import AsyncGenerator, Callable

from edge.clock import SystemClock
from edge.health import Health
from edge.settings import ArchiveSource, SensorSettings, SimulatedSource
from edge.sources.archive import play
from edge.sources.links import Link, SerialSettings, TcpSettings
from edge.sources.live import live
from edge.sources.position import NMEA_BAUD, greeting_of, with_position
from edge.sources.rm3100 import Rm3100Source, live_rm3100
from edge.sources.serial_link import SerialLink
from edge.sources.tcp_link import TcpLink
from stream.block import Samples

Simulated = Callable[[SensorSettings, SimulatedSource], AsyncGenerator[Samples]]


class Sources:
    """Opens the source that a sensor's settings name, and knows how it is; the simulator is handed in."""

    def __init__(self, simulated: Simulated) -> None:
        self._simulated = simulated
        self._clock = SystemClock()
        self._health: dict[str, Health] = {}

    def health(self, sensor: str) -> Health:
        """How the source of a sensor is."""
        return self._health.setdefault(sensor, Health())

    def __call__(self, sensor: SensorSettings) -> AsyncGenerator[Samples]:
        """The samples of a sensor, in the order read, with the position where it moves."""
        source, where = self._open(sensor), sensor.position
        if where is None:
            return source
        link = TcpSettings(type="tcp", host=where.host, port=where.port) if where.type == "gpsd" else where.link
        return with_position(source, link_of(link, NMEA_BAUD), greeting_of(where))

    def _open(self, sensor: SensorSettings) -> AsyncGenerator[Samples]:
        match sensor.source:
            case SimulatedSource():
                self.health(sensor.name).connected = True
                return self._simulated(sensor, sensor.source)
            case ArchiveSource(files=files, speed=speed):
                self.health(sensor.name).connected = True
                return play(files, speed)
            case Rm3100Source():
                return live_rm3100(sensor.source, self._clock, self.health(sensor.name))
            case source:
                link = link_of(source.link, source.baud)
                return live(link, source.parser(), self._clock, self.health(sensor.name), source.greeting)


def link_of(settings: SerialSettings | TcpSettings, baud: int) -> Link:
    """The link that its settings describe; `baud` is the instrument's own."""
    if isinstance(settings, SerialSettings):
        return SerialLink(settings, baud)
    return TcpLink(settings)
