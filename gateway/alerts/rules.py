"""What an event is worth: one rule for each kind and severity, all with defaults that need no editing."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from stream.events import Kind, Severity

Seconds = Annotated[float, Field(ge=0, le=7 * 86_400)]

_HYSTERESIS_S = {
    Kind.COMMENCEMENT: 1800.0,
    Kind.DISTURBANCE: 1800.0,
    Kind.STEP: 60.0,
    Kind.TRANSIENT: 60.0,
    Kind.SILENT: 0.0,
    Kind.OUTAGE: 60.0,
}
_HYSTERESIS_OF_OTHERS_S = 300.0
_ORDER = tuple(Severity)


def rank(severity: Severity) -> int:
    """0 for info, more for worse."""
    return _ORDER.index(severity)


class Rule(BaseModel):
    """What is done about events of one kind and severity."""

    model_config = ConfigDict(frozen=True)

    page: bool
    """Whether a person is told, or the alert only shown."""
    pending_s: float
    """How long the evidence must last before the alert fires."""
    keep_firing_s: float
    """How long after the last evidence the alert stays: a flapping cause is one alert."""
    lapse_s: float
    """An event whose end nobody ever told counts as over after this long without news."""


class RuleSettings(BaseModel):
    """A departure from the defaults: for one kind, and one severity of it or all. What is left out stays as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    severity: Severity | None = None
    page: bool | None = None
    pending_s: Seconds | None = None
    keep_firing_s: Seconds | None = None
    lapse_s: Seconds | None = None


class AlertSettings(BaseModel):
    """How the alert desk judges."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    page_from: Severity = Severity.WARNING
    """Events of this severity and above are told to a person; those below are only shown."""
    old_after_s: Annotated[float, Field(gt=0, le=365 * 86_400)] = 900.0
    """An event that is older than this when it arrives is history: recorded, summed up once, never paged."""
    rules: Annotated[tuple[RuleSettings, ...], Field(max_length=1000)] = ()
    """Later ones win."""

    def rule(self, kind: Kind, severity: Severity) -> Rule:
        """The one rule for this kind and severity."""
        rule = Rule(
            page=rank(severity) >= rank(self.page_from),
            pending_s=0.0,
            keep_firing_s=_HYSTERESIS_S.get(kind, _HYSTERESIS_OF_OTHERS_S),
            lapse_s=7 * 86_400.0 if kind in (Kind.SILENT, Kind.OUTAGE) else 86_400.0,
        )
        for settings in self.rules:
            if settings.kind is kind and settings.severity in (None, severity):
                given = settings.model_dump(exclude_none=True, exclude={"kind", "severity"})
                rule = rule.model_copy(update=given)
        return rule
