"""The decisions of an alert's life, one by one: pure functions of state, input and time."""

import pytest
from pydantic import ValidationError

from gateway.alerts import backlog as old_news
from gateway.alerts import life
from gateway.alerts.life import Alert
from gateway.alerts.region import RegionSettings
from gateway.alerts.rules import AlertSettings, Facts, Rule, RuleSettings
from gateway.views import AlertState
from stream.events import Event, Kind, Severity, event_id

S = 1_000_000_000
NOW = 1_715_360_700 * S


def event(*, start: int = NOW - S, **changes: object) -> Event:
    """A step that is still going on, seen a moment ago."""
    usual = {
        "id": event_id("conrad", "fge", Kind.STEP, start),
        "station": "conrad",
        "sensor": "fge",
        "kind": Kind.STEP,
        "severity": Severity.WARNING,
        "start": start,
        "peak": start,
        "detected_at": NOW,
        "amplitude_nt": 12.5,
        "snr": 8.0,
        "score": 0.9,
    }
    return Event.model_validate(usual | changes)


def rule(**changes: object) -> Rule:
    usual = {"severity": Severity.WARNING, "page": True, "pending_s": 0, "keep_firing_s": 60, "lapse_s": 3600}
    return Rule.model_validate(usual | changes)


def alert(state: AlertState = "firing", *, ended: bool = False, **changes: object) -> Alert:
    made = life.heard(life.opened(event(), NOW), event(), NOW)
    over = {"lasting": (), "ended_ns": NOW} if ended else {}
    return made.model_copy(update={"state": state, "told": Severity.WARNING} | over | changes)


@pytest.mark.parametrize(
    ("before", "by", "after_s", "lasted_s", "state", "why"),
    [
        (alert("pending"), rule(), 0, 0, "firing", "first evidence"),
        (alert("pending"), rule(pending_s=10), 9.9, 0, "pending", "opened"),
        (alert("pending"), rule(pending_s=10), 10, 0, "firing", "evidence for 10 s"),
        (alert("pending", ended=True), rule(pending_s=10), 3, 0, "resolved", "before it had lasted 10 s"),
        (alert("pending", ended=True), rule(pending_s=10), 0, 12, "firing", "evidence for 10 s"),
        (alert(), rule(), 3000, 0, "firing", ""),
        (alert(ended=True), rule(), 59, 0, "firing", ""),
        (alert(ended=True), rule(), 60, 0, "resolved", "60 s passed"),
        (alert("acknowledged", ended=True), rule(), 60, 0, "resolved", "60 s passed"),
        (alert("acknowledged"), rule(), 60, 0, "acknowledged", ""),
        (alert("acknowledged"), rule(severity=Severity.CRITICAL), 60, 0, "firing", "become critical"),
        (alert(ended=True, flips=1), rule(), 1799, 0, "firing", ""),
        (alert(ended=True, flips=1), rule(), 1800, 0, "resolved", "1800 s passed"),
        (alert(ended=True, flips=2), rule(), 3599, 0, "firing", ""),
        (alert(), rule(), 3600, 0, "resolved", "nothing was said"),
        (alert("resolved"), rule(), 9999, 0, "resolved", ""),
    ],
)
def test_the_state_follows_from_rule_evidence_and_time(
    before: Alert, by: Rule, after_s: float, lasted_s: float, state: str, why: str
) -> None:
    before = before.model_copy(update={"lasted_ns": round(lasted_s * S)})
    judged = life.judged(before, by, NOW + round(after_s * S))
    assert judged.state == state
    assert why in judged.reason
    assert (judged.resolved_ns is not None) == (state == "resolved" and before.state != "resolved")


@pytest.mark.parametrize("before", [alert("pending"), alert(), alert(ended=True), alert("pending", ended=True)])
@pytest.mark.parametrize("by", [rule(), rule(pending_s=10), rule(keep_firing_s=0), rule(lapse_s=5)])
def test_nothing_changes_before_it_falls_due_and_something_does_then(before: Alert, by: Rule) -> None:
    settled = life.judged(before, by, NOW)
    due_ns = life.due_ns(settled, by)
    if due_ns is None:
        assert settled.state == "resolved"
        return
    assert life.judged(settled, by, max(NOW, due_ns - 1)).state == settled.state or due_ns <= NOW
    assert life.judged(settled, by, due_ns).state != settled.state


def test_an_alert_is_as_large_as_early_and_as_bad_as_its_worst_event() -> None:
    worse = {"amplitude_nt": -40.0, "severity": Severity.CRITICAL, "score": 0.5, "evidence": {"step_nt": -40.0}}
    small, large = event(), event(start=NOW - 9 * S, **worse)
    known = life.heard(life.heard(life.opened(small, NOW), small, NOW), large, NOW + S)
    assert (known.amplitude_nt, known.start_ns, known.seen, known.score) == (-40.0, NOW - 9 * S, "critical", 0.9)
    assert known.event_ids == (small.id, large.id)
    assert (known.evidence, known.stale) == ({"step_nt": -40.0}, True)


def test_an_alert_ends_with_the_last_of_its_events() -> None:
    one = event().model_copy(update={"end": NOW + 5 * S})
    two = event(start=NOW - 9 * S).model_copy(update={"end": NOW})
    assert life.heard(life.heard(life.opened(one, NOW), one, NOW), two, NOW).end_ns == NOW + 5 * S


def test_an_alert_has_ended_only_when_all_its_events_have() -> None:
    one, two = event(), event(start=NOW - 5 * S)
    both = life.heard(life.heard(life.opened(one, NOW), one, NOW), two, NOW)
    half = life.heard(both, one.model_copy(update={"end": NOW, "revision": 1}), NOW + S)
    none = life.heard(half, two.model_copy(update={"end": NOW, "revision": 1}), NOW + 2 * S)
    assert (both.ended_ns, half.ended_ns, none.ended_ns) == (None, None, NOW + 2 * S)


def test_an_alert_names_its_newest_hundred_events() -> None:
    known = life.opened(event(), NOW)
    for k in range(150):
        known = life.heard(known, event(start=NOW - k * S), NOW)
    assert len(known.event_ids) == 100
    assert known.event_ids[-1] == event(start=NOW - 149 * S).id


def test_without_settings_warnings_page_and_notes_do_not() -> None:
    settings = AlertSettings()
    assert settings.rule(Facts(Kind.STEP, Severity.WARNING)).page
    assert settings.rule(Facts(Kind.SILENT, Severity.CRITICAL)).page
    assert not settings.rule(Facts(Kind.STEP, Severity.INFO)).page


def test_a_rule_changes_only_what_it_names_for_whom_it_names() -> None:
    settings = AlertSettings(
        rules=(
            RuleSettings(kind=Kind.STEP, pending_s=5),
            RuleSettings(kind=Kind.STEP, severity=Severity.WARNING, page=False),
        )
    )
    changed = settings.rule(Facts(Kind.STEP, Severity.WARNING))
    assert (changed.page, changed.pending_s, changed.keep_firing_s, changed.lapse_s) == (False, 5, 60, 86_400)
    assert settings.rule(Facts(Kind.STEP, Severity.CRITICAL)).page
    gap = Facts(Kind.GAP, Severity.WARNING)
    assert settings.rule(gap) == AlertSettings().rule(gap)


@pytest.mark.parametrize(
    ("facts", "severity"),
    [
        ({}, "warning"),
        ({"amplitude_nt": -50.0}, "critical"),
        ({"amplitude_nt": 49.9}, "warning"),
        ({"score": 0.4}, "info"),
        ({"score": 0.4, "duration_s": 600.0}, "critical"),
        ({"stations": ("hon", "conrad")}, "critical"),
        ({"region": "alps", "amplitude_nt": 1.0}, "info"),
    ],
)
def test_severity_follows_from_size_duration_score_station_and_region(facts: dict, severity: str) -> None:
    settings = AlertSettings(
        rules=(
            RuleSettings(becomes=Severity.INFO),
            RuleSettings(score=0.5, becomes=Severity.WARNING),
            RuleSettings(kind=Kind.STEP, amplitude_nt=50, becomes=Severity.CRITICAL),
            RuleSettings(station="conrad", becomes=Severity.CRITICAL),
            RuleSettings(region="alps", becomes=Severity.INFO),
            RuleSettings(duration_s=600, becomes=Severity.CRITICAL),
        ),
        regions=(RegionSettings(name="alps", stations=("sonnblick",)),),
    )
    assert settings.rule(Facts(Kind.STEP, Severity.WARNING, **facts)).severity == severity


def test_a_rule_that_waits_for_a_duration_says_when_it_will_speak() -> None:
    settings = AlertSettings(rules=(RuleSettings(kind=Kind.STEP, duration_s=600), RuleSettings(duration_s=300)))
    assert settings.next_duration_s(Facts(Kind.STEP, Severity.INFO, duration_s=200)) == 300
    assert settings.next_duration_s(Facts(Kind.STEP, Severity.INFO, duration_s=300)) == 600
    assert settings.next_duration_s(Facts(Kind.GAP, Severity.INFO, duration_s=300)) is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"rules": [{"tell": ["anna"]}]}, "rules.0.tell.0\n  'anna' is in neither alerts.people nor alerts.teams"),
        ({"tell": ["night"]}, "tell.0\n  'night' is in neither"),
        ({"teams": [{"name": "night", "people": ["anna"]}]}, "teams.0.people.0\n  'anna' is not in alerts.people"),
        (
            {"people": [{"name": "anna", "channels": ["a"]}, {"name": "anna", "channels": ["b"]}]},
            "people.1.name\n  another person or team has this name",
        ),
        (
            {"rules": [{"region": "alps"}], "regions": [{"name": "Alps", "stations": ["x"]}]},
            "rules.0.region\n  'alps' is not in alerts.regions: there is Alps",
        ),
        ({"people": [{"name": "anna", "channels": []}]}, "people.0.channels"),
        ({"people": [{"name": "anna", "channels": ["a"], "quiet": "22-7"}]}, "such as 22:00-07:00"),
        ({"people": [{"name": "anna", "channels": ["a"], "timezone": "Europe/Wien"}]}, "such as Europe/Vienna"),
        ({"regions": [{"name": "a", "stations": ["x"]}, {"name": "b", "stations": ["x"]}]}, "regions.1.stations.0"),
        ({"agreeing": 1}, "agreeing"),
        ({"rules": [{"score": 1.5}]}, "rules.0.score"),
        (
            {"maintenance": [{"station": "x", "start": "2026-05-02T00:00:00Z", "end": "2026-05-01T00:00:00Z"}]},
            "end comes after start",
        ),
        (
            {"maintenance": [{"station": "x", "start": "2026-05-02T00:00:00", "end": "2026-05-03T00:00:00Z"}]},
            "timezone",
        ),
    ],
)
def test_a_mistake_in_the_settings_is_named(wrong: dict, says: str) -> None:
    with pytest.raises(ValidationError) as found:
        AlertSettings.model_validate(wrong)
    assert says in str(found.value)


def test_old_is_judged_by_when_it_was_detected() -> None:
    assert not old_news.is_old(event(start=NOW - 9999 * S), 900, NOW + 900 * S)
    assert old_news.is_old(event(), 900, NOW + 901 * S)


def test_a_backlog_is_summed_up_after_a_quiet_or_when_it_lasts_and_then_forgotten() -> None:
    first = old_news.received(None, event(), NOW)
    assert old_news.due_ns(first) == NOW + old_news.QUIET_NS
    long = first
    for k in range(30):
        long = old_news.received(long, event(start=NOW - k * S), NOW + k * 20 * S)
    assert old_news.due_ns(long) == NOW + old_news.LONGEST_NS
    assert (long.events, long.oldest_ns, long.newest_ns) == (31, NOW - 29 * S, NOW)
    told = long.model_copy(update={"told": True})
    assert old_news.due_ns(told) == told.news_ns + old_news.OVER_NS
    again = old_news.received(told, event(), told.news_ns + old_news.OVER_NS)
    assert (again.told, again.events) == (False, 1)
    assert old_news.received(told, event(), told.news_ns + old_news.OVER_NS - 1).told
