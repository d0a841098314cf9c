"""Whether a person is told of an alert now, on which channels, and when to ask again. A pure function, with its reason.

What rings is new, worse, escalated or unanswered for long; everything else only brings what the phone shows up to date.
"""

from dataclasses import dataclass
from typing import Literal

from gateway.alerts.life import Alert
from gateway.alerts.people import Directory
from gateway.alerts.ranks import rank
from gateway.alerts.rules import Rule
from stream.events import Severity
from stream.instant import SECOND_NS

What = Literal["firing", "raised", "reminder", "updated", "acknowledged", "resolved"]

LOOK_AGAIN_NS = 60 * SECOND_NS
"""How soon an alert that another one explains is looked at again."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What stands around the alert. `rang_ns`: when its kind last rang in its region."""

    muted_until_ns: int = 0
    """0: not muted."""
    muted_why: str = ""
    explained_by: str | None = None
    rang_ns: int = 0
    group_s: float = 0.0
    update_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Message:
    """To be handed over. `quiet`: it replaces what is shown, without a sound."""

    what: What
    to: tuple[str, ...]
    """Names of channels; EVERYBODY among them: all."""
    quiet: bool
    why: str = ""
    """Where what happened to the alert does not say it."""


@dataclass(frozen=True, slots=True)
class Telling:
    """The alert as it is after the message, the message if there is one, when to look again if there is no news."""

    alert: Alert
    message: Message | None = None
    again_ns: int | None = None


def telling(alert: Alert, rule: Rule, situation: Situation, directory: Directory, now_ns: int) -> Telling:
    """What a person should be told of the alert as it is now."""
    if alert.state == "resolved":
        return _over(alert)
    if alert.state == "pending" or not rule.page:
        return Telling(alert)
    if alert.told is None or rank(alert.severity) > rank(alert.told):
        return _first(alert, rule, situation, directory, now_ns)
    if alert.state == "acknowledged":
        return _shown(alert, situation, now_ns)
    if situation.muted_until_ns > now_ns:
        return Telling(alert.model_copy(update={"held": situation.muted_why}), None, situation.muted_until_ns)
    return _unanswered(alert, rule, situation, directory, now_ns)


def _first(alert: Alert, rule: Rule, situation: Situation, directory: Directory, now_ns: int) -> Telling:
    """The first word of it, or of its being worse."""
    if alert.state == "acknowledged":
        # Acknowledged on the page before anybody was called: there is nobody to call any more.
        return Telling(alert.model_copy(update={"held": f"{alert.acknowledged_by} knows"}))
    until_ns, why = _held(alert, rule, situation, now_ns)
    if until_ns > now_ns:
        return Telling(alert.model_copy(update={"held": why}), None, until_ns)
    what: What = "firing" if alert.told is None else "raised"
    anew = alert.model_copy(update={"called": (), "rung": 0, "rung_ns": now_ns})
    return _rung(anew, rule, what, "", directory, now_ns)


def _over(alert: Alert) -> Telling:
    """Whoever was told is told, once, without a sound; what others were told together with it says nothing."""
    if alert.told is None or alert.thread != alert.id or not alert.called:
        return Telling(alert)
    over = Message("resolved", alert.called, quiet=True)
    return Telling(alert.model_copy(update={"called": ()}), over)


def _held(alert: Alert, rule: Rule, situation: Situation, now_ns: int) -> tuple[int, str]:
    """Until when a first or worse word has to wait, and why."""
    if situation.muted_until_ns > now_ns:
        return situation.muted_until_ns, situation.muted_why
    if situation.explained_by is not None:
        return now_ns + LOOK_AGAIN_NS, situation.explained_by
    if alert.told is None:
        waits_ns = alert.opened_ns + round(rule.wait_s * SECOND_NS)
        if waits_ns > now_ns:
            return waits_ns, f"waiting {rule.wait_s:g} s for others that belong to it"
        free_ns = situation.rang_ns + round(situation.group_s * SECOND_NS)
        if free_ns > now_ns and alert.severity is not Severity.CRITICAL:
            return free_ns, f"its kind has just rung in {alert.region}"
    return 0, ""


def _unanswered(alert: Alert, rule: Rule, situation: Situation, directory: Directory, now_ns: int) -> Telling:
    """Told and not acknowledged: the next of the ladder, those whose quiet hours are over, or all of them again."""
    escalates_ns = alert.rung_ns + round(rule.escalate_s * SECOND_NS)
    can_escalate = bool(rule.tell) and alert.rung < directory.last_rung(rule.tell)
    if can_escalate and now_ns >= escalates_ns:
        why = f"nobody acknowledged within {rule.escalate_s:g} s"
        higher = alert.model_copy(update={"rung": alert.rung + 1, "rung_ns": now_ns})
        return _rung(higher, rule, "reminder", why, directory, now_ns)
    repeats_ns = alert.told_ns + round(rule.repeat_s * SECOND_NS)
    if rule.repeat_s and now_ns >= repeats_ns:
        why = f"nobody acknowledged for {rule.repeat_s:g} s"
        return _rung(alert.model_copy(update={"called": ()}), rule, "reminder", why, directory, now_ns)
    wanted, wakes_ns = directory.called(rule.tell, alert.rung, alert.severity, now_ns)
    if set(wanted) - set(alert.called):
        return _rung(alert, rule, "firing", "quiet hours are over", directory, now_ns)
    shown = _shown(alert, situation, now_ns)
    times = [shown.again_ns, wakes_ns, escalates_ns if can_escalate else None, repeats_ns if rule.repeat_s else None]
    return Telling(shown.alert, shown.message, min((one for one in times if one is not None), default=None))


def _rung(alert: Alert, rule: Rule, what: What, why: str, directory: Directory, now_ns: int) -> Telling:
    """Call whoever is to be called and has not been."""
    wanted, wakes_ns = directory.called(rule.tell, alert.rung, alert.severity, now_ns)
    new = tuple(channel for channel in wanted if channel not in alert.called)
    can_escalate = bool(rule.tell) and alert.rung < directory.last_rung(rule.tell)
    times = [
        wakes_ns,
        alert.rung_ns + round(rule.escalate_s * SECOND_NS) if can_escalate else None,
        now_ns + round(rule.repeat_s * SECOND_NS) if rule.repeat_s else None,
    ]
    again_ns = min((one for one in times if one is not None), default=None)
    if not new:
        # `told` without a channel: everybody sleeps. It goes on from here when the first of them may be called.
        asleep = {"told": alert.severity, "told_ns": now_ns, "held": "quiet hours" if wakes_ns else ""}
        return Telling(alert.model_copy(update=asleep), None, again_ns)
    rung = {
        "told": alert.severity,
        "told_ns": now_ns,
        "shown_ns": now_ns,
        "rings": alert.rings + 1,
        "called": (*alert.called, *new),
        "stale": False,
        "thread": alert.id,
        "held": "",
    }
    return Telling(alert.model_copy(update=rung), Message(what, new, quiet=False, why=why), again_ns)


def _shown(alert: Alert, situation: Situation, now_ns: int) -> Telling:
    """What the phone shows, brought up to date no more often than the interval; an acknowledgement at once."""
    if not alert.stale or not alert.called or alert.thread != alert.id:
        return Telling(alert)
    free_ns = alert.shown_ns + round(situation.update_s * SECOND_NS)
    if free_ns > now_ns:
        return Telling(alert, None, free_ns)
    shown = alert.model_copy(update={"stale": False, "shown_ns": now_ns, "rings": alert.rings + 1})
    what: What = "acknowledged" if alert.state == "acknowledged" else "updated"
    return Telling(shown, Message(what, alert.called, quiet=True))
