"""How many samples each sensor has. InfluxDB counts some five million a second, so it is not asked at every glance."""

import threading
import time

from gateway.stores import StoreBusyError
from gateway.stores.influx_http import InfluxServer
from gateway.stores.influx_ql import SAMPLES, of_sensor, select
from gateway.stores.influx_reading import Extent, Name, grouped, whole

QUICK_S = 1.0
"""What took no longer is counted anew each time."""
REST = 20
"""What took longer is counted anew after so many times as long: a twentieth of the database's time at most."""
TIMEOUT_S = 600.0
_COUNT = 'count("flags")'


class Counting:
    """Counts that may be old, where counting takes long. For threads: one counts at a time, the others do not wait."""

    def __init__(self) -> None:
        self._one = threading.Lock()
        self._samples: dict[Name, int] | None = None
        self._due_s = 0.0

    def extents(self, server: InfluxServer) -> dict[Name, Extent]:
        """Of every sensor; first and last sample are as they are now. Raises StoreError."""
        first, last = server.ask(*(_of_all(f'{end}("flags")') for end in ("first", "last")))
        first_ns, last_ns = grouped(first, 0), grouped(last, 0)
        known = self._counted(server)
        if new := first_ns.keys() - known.keys():
            # Who has come since is small enough to be counted at once.
            counted = server.ask(*(select(_COUNT, SAMPLES, of_sensor(*name)) for name in new))
            for name, (one,) in zip(new, counted, strict=True):
                known = known | {name: whole(one.rows[0][1])}
        return {name: Extent(known[name], first_ns[name], last_ns[name]) for name in sorted(first_ns.keys() & last_ns)}

    def again(self) -> None:
        """What was counted is no longer true."""
        self._due_s = 0.0

    def _counted(self, server: InfluxServer) -> dict[Name, int]:
        if time.monotonic() >= self._due_s and self._one.acquire(blocking=False):
            try:
                began_s = time.monotonic()
                (counted,) = server.ask(_of_all(_COUNT), timeout_s=TIMEOUT_S)
                self._samples = grouped(counted, 1)
                took_s = time.monotonic() - began_s
                self._due_s = time.monotonic() + (0.0 if took_s < QUICK_S else REST * took_s)
            finally:
                self._one.release()
        if self._samples is None:
            raise StoreBusyError("InfluxDB is counting its samples for the first time")
        return self._samples


def _of_all(what: str) -> str:
    return select(what, SAMPLES, tail="GROUP BY station, sensor")
