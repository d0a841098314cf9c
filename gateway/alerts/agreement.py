"""When the same kind at several stations is one alert: pure functions of what is open."""

from collections.abc import Sequence

from gateway.alerts.life import Alert
from gateway.alerts.region import EVERYWHERE, NATURE, WITHIN_S, Regions, needed, needed_everywhere
from stream.events import Event, Kind
from stream.instant import SECOND_NS


def homes(event: Event, region: str) -> tuple[str, ...]:
    """The places whose open alert an event may belong to, the nearest first."""
    if event.kind not in WITHIN_S:
        return (f"station/{event.station}",)
    return (f"station/{event.station}", f"region/{region}", f"region/{EVERYWHERE}")


def joins(event: Event, alert: Alert) -> bool:
    """Whether an event belongs to the open alert of a place that is its own.

    A storm goes on to more stations for as long as it lasts; a station that falls silent an hour after the others does
    so for a reason of its own, and that is news.
    """
    if event.station in alert.stations:
        return True
    if alert.kind in NATURE:
        return event.start >= alert.start_ns - _within_ns(alert.kind)
    return _near(event.start, alert)


def agreed(
    new: Alert, candidates: Sequence[Alert], regions: Regions, agreeing: int
) -> tuple[Alert, list[Alert], str] | None:
    """The alerts of a region that are one with the new one: which stands for all, the others, the region's name."""
    region = regions.of(new.station)
    same = [one for one in candidates if regions.of(one.station) == region and _near(new.start_ns, one)]
    if len(same) < 2 or len(_stations(same)) < needed(new.kind, agreeing):
        return None
    return *_main_first(same), region


def agreed_everywhere(
    new: Alert, candidates: Sequence[Alert], regions: Regions
) -> tuple[Alert, list[Alert], str] | None:
    """Likewise for a line that several regions share: stations of all of them fall silent."""
    if new.kind is not Kind.SILENT:
        return None
    same = [one for one in candidates if _near(new.start_ns, one)]
    stations = _stations(same)
    if len({regions.of(one) for one in stations}) < 2 or len(stations) < needed_everywhere(len(regions.names)):
        return None
    return (*_main_first(same), EVERYWHERE) if len(same) > 1 else None


def _near(start_ns: int, alert: Alert) -> bool:
    within_ns = _within_ns(alert.kind)
    return alert.start_ns - within_ns <= start_ns <= alert.joined_ns + within_ns


def _within_ns(kind: Kind) -> int:
    return round(WITHIN_S[kind] * SECOND_NS)


def _stations(alerts: Sequence[Alert]) -> set[str]:
    return {station for one in alerts for station in one.stations}


def _main_first(alerts: Sequence[Alert]) -> tuple[Alert, list[Alert]]:
    """What people were told of first goes on; else the oldest."""
    main, *joining = sorted(alerts, key=lambda one: (one.told is None, one.told_ns, one.opened_ns, one.start_ns))
    return main, joining
