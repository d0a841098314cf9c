"""Which thresholds the verdicts and the recorded scores suggest. It only says so: nothing changes by itself.

For each kind at each station the smallest alert that somebody found useful draws the line, by score or by size,
whichever would have kept more false ones quiet. No useful alert on record would have been lost. Alerts of a region are
left out: several stations have agreed to them already.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.alerts import archive
from gateway.alerts.life import Alert
from gateway.database import Database
from stream.events import Kind

ENOUGH = 5
"""With fewer verdicts nothing is said."""
By = Literal["score_below", "amplitude_below_nt"]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`by` None: nobody should be told at all. before, after: alerts on record that rang, and would have."""

    kind: Kind
    station: str
    by: By | None
    threshold: float | None
    useful: int
    false: int
    false_after: int
    before: int
    after: int

    def toml(self) -> str:
        """What to add to the configuration, below the rules that stand there."""
        lines = ["[[alerts.rules]]", f'kind = "{self.kind}"', f'station = "{self.station}"']
        if self.by is not None:
            lines.append(f"{self.by} = {self.threshold:g}")
        return "\n".join([*lines, "page = false"])

    def line(self) -> str:
        """For a person."""
        what = f"{self.by} = {self.threshold:g}" if self.by else "never"
        return (
            f"{self.kind} at {self.station}: {self.useful} useful, {self.false} false; {what}: "
            f"{self.false_after} false; rang {self.before} times, would have rung {self.after} times"
        )


async def tuned(records: Database) -> list[Suggestion]:
    """From all that is on record."""
    return suggestions(await archive.told(records))


def suggestions(alerts: Sequence[Alert]) -> list[Suggestion]:
    """alerts: those of one station that rang. Worst precision first."""
    groups: dict[tuple[Kind, str], list[Alert]] = {}
    for alert in alerts:
        if not alert.regional:
            groups.setdefault((alert.kind, alert.station), []).append(alert)
    found = [one for (kind, station), group in groups.items() if (one := _suggested(kind, station, group)) is not None]
    return sorted(found, key=lambda one: (one.useful / (one.useful + one.false), -one.false, one.kind, one.station))


def _suggested(kind: Kind, station: str, group: Sequence[Alert]) -> Suggestion | None:
    useful = [alert for alert in group if alert.verdict == "useful"]
    false = [alert for alert in group if alert.verdict == "false"]
    if not false or len(useful) + len(false) < ENOUGH:
        return None
    counts = {"useful": len(useful), "false": len(false), "before": len(group)}
    if not useful:
        return Suggestion(kind, station, None, None, **counts, false_after=0, after=0)
    lines: list[tuple[By, float]] = [("score_below", _floor(min(alert.score for alert in useful)))]
    sizes = [abs(alert.amplitude_nt) for alert in useful if alert.amplitude_nt is not None]
    if len(sizes) == len(useful):
        lines.append(("amplitude_below_nt", _floor(min(sizes))))
    by, threshold = min(lines, key=lambda line: sum(not _below(alert, *line) for alert in false))
    false_after = sum(not _below(alert, by, threshold) for alert in false)
    if false_after == len(false):
        return None
    after = sum(not _below(alert, by, threshold) for alert in group)
    return Suggestion(kind, station, by, threshold, **counts, false_after=false_after, after=after)


def _below(alert: Alert, by: By, threshold: float) -> bool:
    return alert.score < threshold if by == "score_below" else abs(alert.amplitude_nt or 0.0) < threshold


def _floor(value: float) -> float:
    """Two figures are enough for a threshold; down, so that what draws the line is above it."""
    if value <= 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return round(math.floor(value / step + 1e-9) * step, 12)
