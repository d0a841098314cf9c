"""Who is told what and when: pure functions of the alert, its rule, the situation and the time."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.alerts import life
from gateway.alerts.life import Alert
from gateway.alerts.people import EVERYBODY, Directory, PersonSettings, TeamSettings
from gateway.alerts.rules import Rule
from gateway.alerts.telling import LOOK_AGAIN_NS, Message, Situation, telling
from stream.events import Event, Kind, Severity, event_id

S = 1_000_000_000
NOW = 1_715_360_700 * S
PLAIN = Situation(update_s=30)
ANNA = PersonSettings(name="anna", channels=("ntfy-anna", "sms-anna"))
BEN = PersonSettings(name="ben", channels=("ntfy-ben",))
SLEEPER = PersonSettings(name="cleo", channels=("cleo",), quiet="22:00-07:00", timezone="Europe/Vienna")
EVERYONE = Directory((ANNA, BEN, SLEEPER), (TeamSettings(name="both", people=("anna", "ben")),))


def rule(**changes: object) -> Rule:
    usual = {"severity": Severity.WARNING, "page": True, "pending_s": 0, "keep_firing_s": 60, "lapse_s": 3600}
    return Rule.model_validate(usual | changes)


def alert(**changes: object) -> Alert:
    event = Event(
        id=event_id("conrad", "fge", Kind.STEP, NOW),
        station="conrad",
        sensor="fge",
        kind=Kind.STEP,
        severity=Severity.WARNING,
        start=NOW,
        peak=NOW,
        detected_at=NOW,
        score=0.9,
    )
    made = life.heard(life.opened(event, NOW, "alps"), event, NOW)
    return made.model_copy(update={"state": "firing"} | changes)


def told(**changes: object) -> Alert:
    usual = {"told": Severity.WARNING, "told_ns": NOW, "shown_ns": NOW, "rung_ns": NOW, "rings": 1}
    return alert(**(usual | {"called": (EVERYBODY,)} | changes))


@pytest.mark.parametrize(
    ("now", "by", "situation", "what"),
    [
        (alert(state="pending"), rule(), PLAIN, None),
        (alert(), rule(), PLAIN, "firing"),
        (alert(), rule(page=False), PLAIN, None),
        (alert(), rule(wait_s=5), PLAIN, None),
        (alert(), rule(), Situation(muted_until_ns=NOW + S, muted_why="work"), None),
        (alert(), rule(), Situation(muted_until_ns=NOW), "firing"),
        (alert(), rule(), Situation(explained_by="conrad is silent"), None),
        (alert(), rule(), Situation(rang_ns=NOW - 10 * S, group_s=60), None),
        (alert(), rule(), Situation(rang_ns=NOW - 60 * S, group_s=60), "firing"),
        (alert(severity=Severity.CRITICAL), rule(), Situation(rang_ns=NOW - 10 * S, group_s=60), "firing"),
        (alert(state="acknowledged", acknowledged_by="anna"), rule(), PLAIN, None),
        (told(), rule(), PLAIN, None),
        (told(severity=Severity.CRITICAL), rule(), PLAIN, "raised"),
        (told(severity=Severity.CRITICAL), rule(), Situation(muted_until_ns=NOW + S), None),
        (told(stale=True), rule(), PLAIN, None),
        (told(stale=True, shown_ns=NOW - 30 * S), rule(), PLAIN, "updated"),
        (told(stale=True, shown_ns=0, state="acknowledged"), rule(), PLAIN, "acknowledged"),
        (told(told_ns=NOW - 60 * S), rule(repeat_s=60), PLAIN, "reminder"),
        (told(told_ns=NOW - 59 * S), rule(repeat_s=60), PLAIN, None),
        (told(told_ns=NOW - 60 * S, state="acknowledged"), rule(repeat_s=60), PLAIN, None),
        (told(told_ns=NOW - 60 * S), rule(repeat_s=60), Situation(muted_until_ns=NOW + S), None),
        (told(state="resolved"), rule(), PLAIN, "resolved"),
        (told(state="resolved", called=()), rule(), PLAIN, None),
        (told(state="resolved", thread="another"), rule(), PLAIN, None),
        (alert(state="resolved"), rule(), PLAIN, None),
    ],
)
def test_a_person_is_told_what_they_do_not_know_yet(
    now: Alert, by: Rule, situation: Situation, what: str | None
) -> None:
    found = telling(now, by, situation, EVERYONE, NOW)
    assert (found.message.what if found.message else None) == what
    if found.message is not None:
        assert found.message.to == (EVERYBODY,)
        assert found.message.quiet == (what in {"updated", "acknowledged", "resolved"})
        after = telling(found.alert, by, situation, EVERYONE, NOW)
        assert after.message is None, "told once"


@pytest.mark.parametrize(
    ("situation", "by", "again_ns", "held"),
    [
        (Situation(muted_until_ns=NOW + 9 * S, muted_why="silenced by anna"), rule(), NOW + 9 * S, "silenced by anna"),
        (Situation(explained_by="conrad is silent"), rule(), NOW + LOOK_AGAIN_NS, "conrad is silent"),
        (PLAIN, rule(wait_s=5), NOW + 5 * S, "waiting 5 s"),
        (Situation(rang_ns=NOW - 10 * S, group_s=60), rule(), NOW + 50 * S, "has just rung in alps"),
    ],
)
def test_what_is_held_back_says_why_and_when_it_is_looked_at_again(
    situation: Situation, by: Rule, again_ns: int, held: str
) -> None:
    found = telling(alert(), by, situation, EVERYONE, NOW)
    assert (found.message, found.again_ns) == (None, again_ns)
    assert held in found.alert.held


def test_nobody_answers_so_the_next_person_and_the_next_channel_are_called_until_there_is_none() -> None:
    by = rule(tell=("anna", "ben"), escalate_s=600)
    now, calls = alert(), []
    for second in range(0, 3600, 60):
        found = telling(now, by, PLAIN, EVERYONE, NOW + second * S)
        now = found.alert
        if found.message is not None:
            calls.append((second, found.message.what, found.message.to))
    assert calls == [(0, "firing", ("ntfy-anna",)), (600, "reminder", ("sms-anna", "ntfy-ben"))]


def test_a_team_is_told_together_and_an_acknowledgement_ends_the_ladder() -> None:
    by = rule(tell=("both", "cleo"), escalate_s=600)
    first = telling(alert(), by, PLAIN, EVERYONE, NOW)
    assert first.message is not None
    assert (first.message.to, first.again_ns) == (("ntfy-anna", "ntfy-ben"), NOW + 600 * S)
    taken = life.acknowledged(first.alert, "anna", "", NOW + 60 * S)
    shown = telling(taken, by, PLAIN, EVERYONE, NOW + 60 * S)
    assert shown.message is not None
    assert (shown.message.what, shown.message.to) == ("acknowledged", ("ntfy-anna", "ntfy-ben"))
    assert telling(shown.alert, by, PLAIN, EVERYONE, NOW + 9999 * S).message is None


def _vienna(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Vienna")).timestamp()) * S


@pytest.mark.parametrize(
    ("now", "severity", "until"),
    [
        ("2024-05-10T21:59:59", Severity.WARNING, None),
        ("2024-05-10T22:00:00", Severity.WARNING, "2024-05-11T07:00:00"),
        ("2024-05-11T06:59:59", Severity.WARNING, "2024-05-11T07:00:00"),
        ("2024-05-11T07:00:00", Severity.WARNING, None),
        ("2024-05-11T03:00:00", Severity.CRITICAL, None),
        ("2024-03-30T23:00:00", Severity.INFO, "2024-03-31T07:00:00"),
    ],
)
def test_quiet_hours_go_by_the_persons_own_clock(now: str, severity: Severity, until: str | None) -> None:
    """The last one is the night in which summer time begins."""
    expected = _vienna(until) if until else None
    assert SLEEPER.quiet_until_ns(severity, _vienna(now)) == expected


def test_who_does_not_say_where_they_live_lives_where_the_desk_is() -> None:
    sleeper = PersonSettings(name="dora", channels=("dora",), quiet="22:00-07:00")
    night = _vienna("2024-05-10T22:30:00")
    at_the_desk = Directory((sleeper,), (), "Europe/Vienna").called(("dora",), 0, Severity.WARNING, night)
    assert at_the_desk == ([], _vienna("2024-05-11T07:00:00"))
    assert Directory((sleeper,), ()).called(("dora",), 0, Severity.WARNING, night) == (["dora"], None)


def test_what_came_in_quiet_hours_is_told_at_their_end_if_it_lasts() -> None:
    night, morning = _vienna("2024-05-11T02:00:00"), _vienna("2024-05-11T07:00:00")
    by = rule(tell=("cleo",), lapse_s=86_400)
    asleep = telling(alert(opened_ns=night), by, PLAIN, EVERYONE, night)
    assert (asleep.message, asleep.again_ns, asleep.alert.held) == (None, morning, "quiet hours")
    assert telling(asleep.alert, by, PLAIN, EVERYONE, morning - S).message is None
    awake = telling(asleep.alert, by, PLAIN, EVERYONE, morning)
    assert awake.message is not None
    assert awake.message == Message("firing", ("cleo",), quiet=False, why="quiet hours are over")
    over = asleep.alert.model_copy(update={"state": "resolved"})
    assert telling(over, by, PLAIN, EVERYONE, morning).message is None
