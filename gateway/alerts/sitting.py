"""One sitting of the desk: all that is heard in one transaction, decided at its end, so that what comes together is
told together."""

import hashlib
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from gateway.alerts import backlog as old_news
from gateway.alerts import life, words
from gateway.alerts.agreement import agreed, agreed_everywhere, homes, joins
from gateway.alerts.backlog import Backlog
from gateway.alerts.history import steps_between
from gateway.alerts.life import Alert
from gateway.alerts.notifiers import Notification
from gateway.alerts.people import EVERYBODY
from gateway.alerts.ranks import rank
from gateway.alerts.region import WITHIN_S, Regions
from gateway.alerts.register import Register
from gateway.alerts.rules import AlertSettings, Rule
from gateway.alerts.silences import EXPLAINED, Silence, StationSilence, explained, mute
from gateway.alerts.telling import Message, Situation, Telling, telling
from gateway.alerts.wording import together, worded
from stream.events import Event, Kind, Severity
from stream.instant import SECOND_NS


class Sitting:
    """hear or look again, any number of times > settle, once."""

    def __init__(self, register: Register, settings: AlertSettings, regions: Regions, now_ns: int) -> None:
        self._register = register
        self._settings = settings
        self._regions = regions
        self._now_ns = now_ns
        self._alerts: dict[str, Alert] = {}
        self._before: dict[str, Alert | None] = {}
        self._owed: list[Notification] = []
        self._places: dict[tuple[str, Kind], str] = {}
        self._open: dict[Kind, dict[str, Alert]] = {}
        self._silences: list[Silence] | None = None
        self._silent: list[StationSilence] | None = None

    async def hear(self, event: Event) -> None:
        """Record an event; what is known already, by id and revision, does nothing."""
        known = await self._register.known(event)
        if known is not None and known[0] >= event.revision:
            return
        if known is not None:
            alert = await self._alert(known[1]) if known[1] is not None else None
            if alert is None or alert.state == "resolved":
                # An event of the past, or one whose alert is over: what is new of it is recorded, nobody is told.
                await self._register.keep_event(event, known[1])
                return
        elif old_news.is_old(event, self._settings.old_after_s, self._now_ns):
            await self._register.keep_event(event, None)
            backlog = await self._register.backlog(event.station)
            await self._register.keep_backlog(old_news.received(backlog, event, self._now_ns))
            return
        else:
            alert = await self._home(event)
        alert = life.heard(alert, event, self._now_ns)
        self._alerts[alert.id] = alert
        await self._register.keep_event(event, alert.id)

    def look_again(self, alert: Alert) -> None:
        """At an alert on record, because time has passed."""
        self._before.setdefault(alert.id, alert)
        self._alerts.setdefault(alert.id, alert)

    def change(self, before: Alert, after: Alert) -> None:
        """What a person did to an alert on record."""
        self._before[before.id] = before
        self._alerts[after.id] = after

    def owe(self, notification: Notification) -> None:
        """A message that is about no alert."""
        self._owed.append(notification)

    async def settle(self) -> tuple[list[Alert], list[Notification]]:
        """Every alert that changed, and the messages that are owed; all of it recorded but for the messages."""
        for alert_id in list(self._alerts):
            if self._before[alert_id] is None:
                await self._agree(alert_id)
        # Silences first: they explain others.
        order = sorted(self._alerts.values(), key=lambda alert: alert.kind is not Kind.SILENT)
        tellings = [await self._decided(alert) for alert in order]
        notifications = self._messages(tellings)
        # Those that are over first: a place has one open alert of a kind at any moment.
        tellings.sort(key=lambda told: self._alerts[told[0].alert.id].state != "resolved")
        for told, rule in tellings:
            alert = self._alerts[told.alert.id]
            steps = steps_between(self._before[alert.id], alert, told.message)
            await self._register.keep_steps(alert.id, self._now_ns, steps)
            await self._register.keep_alert(alert, self._due_ns(alert, rule, told.again_ns))
            if self._settings.group_s and told.message is not None and not told.message.quiet:
                await self._register.keep_ring(alert.region, alert.kind, self._now_ns)
        changed = [alert for alert in self._alerts.values() if alert != self._before[alert.id]]
        return changed, notifications + self._owed

    async def _alert(self, alert_id: str) -> Alert | None:
        """As this sitting knows it."""
        if alert_id not in self._alerts and (found := await self._register.alert(alert_id)) is not None:
            self.look_again(found)
        return self._alerts.get(alert_id)

    async def _home(self, event: Event) -> Alert:
        """The open alert that an event belongs to, its station's or its region's, or a new one."""
        region = self._regions.of(event.station)
        for place in homes(event, region):
            if (place, event.kind) not in self._places:
                found = await self._register.open_alert(place, event.kind)
                if found is None:
                    continue
                self.look_again(found)
                self._places[place, event.kind] = found.id
            alert = self._alerts[self._places[place, event.kind]]
            if joins(event, alert):
                return alert
        flips = await self._register.flips(event.station, event.kind, self._now_ns)
        alert = life.opened(event, self._now_ns, region, flips)
        self._before[alert.id] = None
        self._places[alert.place, alert.kind] = alert.id
        return alert

    async def _agree(self, alert_id: str) -> None:
        """Whether a new alert and others of its kind are one, of the region; and of the whole network."""
        new = self._alerts[alert_id]
        if new.kind not in WITHIN_S:
            return
        if new.kind not in self._open:
            self._open[new.kind] = {one.id: one for one in await self._register.open_alerts(new.kind)}
        for everywhere in (False, True):
            known = self._open[new.kind] | {one.id: one for one in self._alerts.values() if one.kind is new.kind}
            candidates = [one for one in known.values() if one.state != "resolved"]
            found = (
                agreed_everywhere(new, candidates, self._regions)
                if everywhere
                else agreed(new, candidates, self._regions, self._settings.agreeing)
            )
            if found is not None:
                await self._widen(*found)

    async def _widen(self, main: Alert, joining: Sequence[Alert], region: str) -> None:
        wide = life.widened(main, joining, region, self._now_ns)
        for one in (main, *joining):
            self._before.setdefault(one.id, one)
        self._alerts[main.id] = wide
        for one in joining:
            self._alerts[one.id] = life.taken_over(one, wide, self._now_ns)
            await self._register.move_events(one.id, main.id)

    async def _decided(self, alert: Alert) -> tuple[Telling, Rule]:
        """The state that the rules give it, and what a person is to be told of it."""
        if not alert.regional:
            alert = alert.model_copy(update={"region": self._regions.of(alert.station)})
        alert = alert.model_copy(update={"others": self._regions.others(alert.region, alert.stations)})
        rule = self._settings.rule(alert.facts(self._now_ns))
        alert = life.judged(alert, rule, self._now_ns)
        told = telling(alert, rule, await self._situation(alert), self._settings.directory, self._now_ns)
        self._alerts[alert.id] = told.alert
        return told, rule

    async def _situation(self, alert: Alert) -> Situation:
        if self._silences is None:
            planned = [planned.silence() for planned in self._settings.maintenance]
            self._silences = planned + await self._register.silences(self._now_ns)
        muted = mute(alert.stations, alert.region, alert.kind, alert.severity, self._silences, self._now_ns)
        why = None
        if alert.kind in EXPLAINED:
            if self._silent is None:
                known = {one.id: one for one in await self._register.silent(self._now_ns)}
                known |= {one.id: one for one in self._alerts.values() if one.kind is Kind.SILENT}
                self._silent = [
                    StationSilence(frozenset(one.stations), one.start_ns, one.resolved_ns) for one in known.values()
                ]
            why = explained(alert.station, alert.kind, alert.start_ns, self._silent)
        return Situation(
            muted_until_ns=muted.until_ns if muted else 0,
            muted_why=muted.why if muted else "",
            explained_by=why,
            rang_ns=await self._register.rang_ns(alert.region, alert.kind) if self._settings.group_s else 0,
            group_s=self._settings.group_s,
            update_s=self._settings.update_s,
        )

    def _due_ns(self, alert: Alert, rule: Rule, again_ns: int | None) -> int | None:
        """When time alone may change something."""
        if alert.state == "resolved":
            return None
        longer_s = self._settings.next_duration_s(alert.facts(self._now_ns)) if alert.lasting else None
        longer_ns = None if longer_s is None else alert.start_ns + round(longer_s * SECOND_NS)
        return min(one for one in (life.due_ns(alert, rule), again_ns, longer_ns, 2**62) if one is not None)

    def _messages(self, tellings: Sequence[tuple[Telling, Rule]]) -> list[Notification]:
        """One for each alert; those that grouping lets ring together have one."""
        groups: dict[tuple[object, ...], list[tuple[Alert, Message]]] = {}
        for told, _ in tellings:
            if told.message is not None:
                alert, message = told.alert, told.message
                first = self._settings.group_s > 0 and message.what == "firing" and not alert.regional
                key = (alert.kind, alert.region, message.to) if first else (alert.id,)
                groups.setdefault(key, []).append((alert, message))
        notifications = []
        for group in groups.values():
            group.sort(key=lambda one: (-rank(one[0].severity), one[0].opened_ns, one[0].id))
            head, message = group[0]
            for alert, _ in group[1:]:
                self._alerts[alert.id] = alert.model_copy(update={"thread": head.id})
            notifications.append(self._notification([alert for alert, _ in group], message))
        return notifications

    def _notification(self, alerts: Sequence[Alert], message: Message) -> Notification:
        head = alerts[0]
        facts = words.facts(head, message.what)
        if len(alerts) > 1:
            facts = facts.model_copy(update={"not_seen_at": ()})  # the others of the group may be among them
        title, text = worded(facts, self._settings.zone)
        return Notification(
            id=digest(f"{head.id}/{message.what}/{head.severity}/{head.rings}"),
            what=message.what,
            severity=head.severity,
            title=title if len(alerts) == 1 else together(head.kind, [alert.station for alert in alerts]),
            text=text,
            facts=facts,
            station=head.station,
            sensor=head.sensor,
            kind=head.kind,
            alert_id=head.id,
            thread=head.id,
            to=() if EVERYBODY in message.to else message.to,
            quiet=message.quiet,
            created_at=self._now_ns,
            detected_at=head.detected_ns if message.what in ("firing", "raised") else None,
        )


def summary(backlog: Backlog, zone: ZoneInfo, now_ns: int) -> Notification:
    """The one message about a station's old news; `zone`: where people read it."""
    return Notification(
        id=digest(f"backlog/{backlog.station}/{backlog.opened_ns}"),
        what="backlog",
        severity=Severity.INFO,
        title=backlog.title,
        text=backlog.text(zone),
        station=backlog.station,
        created_at=now_ns,
    )


def digest(name: str) -> str:
    """An id that the same name always has."""
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
