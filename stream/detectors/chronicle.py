"""From what detectors say to events: one cause, one event, told again under the same id when there is more to say."""

import json
from dataclasses import dataclass

from stream.detectors.base import Telling
from stream.events import Event, Kind, event_id
from stream.instant import SECOND_NS

EXPLAINED_BY: dict[Kind, tuple[Kind, ...]] = {
    Kind.STEP: (Kind.SATURATED, Kind.STUCK),
    Kind.TRANSIENT: (Kind.SATURATED, Kind.STUCK, Kind.STEP),
    Kind.COMMENCEMENT: (Kind.SATURATED,),
    Kind.DISTURBANCE: (Kind.SATURATED,),
    Kind.UNUSUAL: tuple(kind for kind in Kind if kind != Kind.UNUSUAL),
}
"""What is left unsaid when one of these kinds was told at the same time: the instrument's faults come first, then what
somebody did near the sensor, nature last. What has a size explains only what is at most twice as large. Steps and
passes are not named against nature: they are taken out of the field before it is judged. The unusual is told last, and
only where nothing else was told."""
MARGIN_NS = 2 * SECOND_NS
REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class Told:
    """When something was, in nanoseconds, on which group of axes, how large; end_ns None: it lasts."""

    kind: Kind
    group: int
    start_ns: int
    end_ns: int | None
    amplitude: float | None

    def explains(self, telling: Telling, group: int) -> bool:
        """Whether the telling adds nothing to this: the same seen on other axes, or a consequence."""
        if not self.meets(telling):
            return False
        if self.kind == telling.kind:
            return self.group != group or (self.kind in (Kind.STEP, Kind.TRANSIENT) and self.overlaps(telling))
        large = self.amplitude is None or telling.amplitude is None or 2.0 * self.amplitude >= telling.amplitude
        return large and self.kind in (telling.explained_by or EXPLAINED_BY.get(telling.kind, ()))

    def overlaps(self, telling: Telling) -> bool:
        """Whether both have ended and have some time in common: passes and steps are looked for in two ways."""
        if self.end_ns is None or telling.end_ns is None:
            return False
        return self.start_ns <= telling.end_ns and telling.start_ns <= self.end_ns

    def meets(self, telling: Telling) -> bool:
        """Whether the two overlap, or nearly."""
        begins_in_time = telling.end_ns is None or self.start_ns <= telling.end_ns + MARGIN_NS
        return begins_in_time and (self.end_ns is None or telling.start_ns <= self.end_ns + MARGIN_NS)


class Chronicle:
    """The events of one sensor."""

    def __init__(self, station: str, sensor: str) -> None:
        self._station = station
        self._sensor = sensor
        self._open: dict[tuple[Kind, int], Event] = {}
        self._told: list[Told] = []
        self._dismissed: list[tuple[Kind, int]] = []

    def tell(self, telling: Telling, group: int) -> Event | None:
        """The event to send, or None when it is explained by what was told before."""
        key = (telling.kind, telling.start_ns)
        known = self._open.get(key)
        if known is None:
            if key in self._dismissed or any(told.explains(telling, group) for told in self._told):
                self._dismissed = [*self._dismissed, key][-REMEMBERED:]
                return None
            event = self._first(telling)
            self._told = [*self._told, Told(telling.kind, group, telling.start_ns, telling.end_ns, telling.amplitude)][
                -REMEMBERED:
            ]
        else:
            event = _more(known, telling)
            ended = Told(telling.kind, group, telling.start_ns, telling.end_ns, telling.amplitude)
            self._told = [
                ended if one.kind == ended.kind and one.start_ns == ended.start_ns else one for one in self._told
            ]
        if event.end is None:
            self._open[key] = event
        else:
            self._open.pop(key, None)
        return event

    def close_all(self, at_ns: int) -> tuple[Event, ...]:
        """The stream has ended: so have all events that lasted."""
        closed = tuple(
            event.model_copy(
                update={"revision": event.revision + 1, "end": max(at_ns, event.start), "detected_at": at_ns}
            )
            for event in self._open.values()
        )
        self._open.clear()
        return closed

    def _first(self, telling: Telling) -> Event:
        return Event(
            id=event_id(self._station, self._sensor, telling.kind, telling.start_ns),
            station=self._station,
            sensor=self._sensor,
            kind=telling.kind,
            severity=telling.severity,
            start=telling.start_ns,
            peak=telling.peak_ns,
            end=telling.end_ns,
            detected_at=telling.known_ns,
            amplitude_nt=telling.amplitude if telling.unit == "nT" else None,
            snr=telling.snr,
            channels=telling.channels,
            score=telling.score,
            evidence=telling.evidence,
        )

    def save(self) -> str:
        """All of it as JSON."""
        return json.dumps(
            {
                "open": [event.model_dump(mode="json") for event in self._open.values()],
                "told": [(one.kind, one.group, one.start_ns, one.end_ns, one.amplitude) for one in self._told],
                "dismissed": self._dismissed,
            }
        )

    def load(self, text: str) -> None:
        """The inverse of `save`. Raises ValueError for anything else."""
        try:
            saved = json.loads(text)
            events = [Event.model_validate(event) for event in saved["open"]]
            self._told = [
                Told(
                    Kind(kind),
                    int(group),
                    int(start),
                    None if end is None else int(end),
                    None if amplitude is None else float(amplitude),
                )
                for kind, group, start, end, amplitude in saved["told"]
            ]
            self._dismissed = [(Kind(kind), int(start)) for kind, start in saved["dismissed"]]
        except (KeyError, TypeError) as error:
            raise ValueError(f"the saved events are damaged: {error}") from error
        self._open = {(event.kind, event.start): event for event in events}


def _more(event: Event, telling: Telling) -> Event:
    """The next revision: what is new replaces what was said, what is not said again stays."""
    return event.model_copy(
        update={
            "revision": event.revision + 1,
            "severity": max(event.severity, telling.severity, key=_ORDER.index),
            "peak": telling.peak_ns,
            "end": telling.end_ns,
            "detected_at": telling.known_ns,
            "amplitude_nt": event.amplitude_nt if telling.amplitude is None else telling.amplitude,
            "channels": tuple(dict.fromkeys((*event.channels, *telling.channels))),
            "score": max(event.score, telling.score),
            "evidence": {**event.evidence, **telling.evidence},
        }
    )


_ORDER = ("info", "warning", "critical")
