"""Stands in for routes of the alert desk in front of a real gateway: what they are asked, and realistic answers.

It keeps its state, so that what a person does on the page is there when the page asks again.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.sync_api import BrowserContext, Route

Json = dict[str, Any]

PATHS = (
    *("/alerts/{id}", "/alerts/{id}/acknowledge", "/alerts/{id}/resolve", "/alerts/{id}/verdict"),
    *("/silences", "/silences/{id}", "/precision", "/push/key", "/push/subscriptions"),
)
ACCOUNTS = ("/session",)
STEP, STORM = "5" * 32, "c" * 32
CSRF = "a-token-of-this-session"


def iso(time: datetime) -> str:
    """As the gateway writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Desk:
    """The desk's state. `asked`: every change that came, as (method, path, body, CSRF token)."""

    def __init__(self, *, accounts: bool = False) -> None:
        self.accounts = accounts
        self.person: Json | None = None
        self.asked: list[tuple[str, str, Json, str | None]] = []
        self.silences: list[Json] = []
        now = datetime.now(UTC)
        self.alerts = {
            STEP: _alert(STEP, "Vienna", "step", "critical", now - timedelta(seconds=40), 42.6),
            STORM: _alert(STORM, "Graz", "commencement", "warning", now - timedelta(seconds=70), 56.1),
        }
        self.steps = {
            key: [_step(alert, "firing", "gateway", "at the first evidence")] for key, alert in self.alerts.items()
        }

    def install(self, context: BrowserContext) -> None:
        """In front of the gateway, for all pages of a context."""
        context.route(re.compile(r"/api/v1/(?!live|series)"), self._answer)

    def _answer(self, route: Route) -> None:
        request = route.request
        path = request.url.split("/api/v1/", 1)[1].partition("?")[0]
        body = json.loads(request.post_data) if request.post_data else {}
        if request.method != "GET":
            self.asked.append((request.method, path, body, request.headers.get("x-csrf-token")))
        if self.accounts and self.person is None and path not in ("session", "openapi.json"):
            return _problem(route, 401, "log in first")
        if path == "openapi.json":
            return self._described(route)
        found = self._found(request.method, path, body)
        if found is None:
            return route.continue_()
        status, content = found
        if status >= 400:
            return _problem(route, status, content["detail"])
        return route.fulfill(status=status, body=json.dumps(content), content_type="application/json")

    def _described(self, route: Route) -> None:
        described = route.fetch().json()
        for path in PATHS + (ACCOUNTS if self.accounts else ()):
            described["paths"]["/api/v1" + path] = {}
        route.fulfill(body=json.dumps(described), content_type="application/json")

    def _found(self, method: str, path: str, body: Json) -> tuple[int, Json] | None:
        if path == "session":
            return self._session(method, body)
        if path == "alerts":
            return 200, {"alerts": list(self.alerts.values()), "next": None}
        if path.startswith("alerts/"):
            return self._of_alert(*path.split("/")[1:], body=body)
        if path.startswith("silences"):
            return self._silenced(method, path, body)
        if path == "precision":
            return 200, {"precision": [{"rule": "step", "station": "Vienna", "useful": 7, "false": 1}]}
        return None

    def _session(self, method: str, body: Json) -> tuple[int, Json]:
        if method == "POST":
            if body != {"name": "ada", "password": "correct horse"}:
                return 401, {"detail": "no such name and password"}
            self.person = {"name": "ada", "role": "operator", "csrf": CSRF}
        if method == "DELETE":
            self.person = None
            return 200, {}
        return (200, self.person) if self.person else (401, {"detail": "nobody is logged in"})

    def _of_alert(self, key: str, step: str = "", *, body: Json) -> tuple[int, Json]:
        alert = self.alerts.get(key)
        if alert is None:
            return 404, {"detail": "no such alert"}
        if step == "verdict":
            alert["verdict"] = body["verdict"]
            self.steps[key].append(_step(alert, alert["state"], "ada", body["verdict"]))
        elif step:
            alert["state"] = "acknowledged" if step == "acknowledge" else "resolved"
            self.steps[key].append(_step(alert, alert["state"], "ada", body["why"]))
        return 200, alert | {
            "history": self.steps[key],
            "events": [_event(alert)],
            "agreeing": ["Conrad"],
            "not_agreeing": ["Graz"] if alert["station"] != "Graz" else [],
        }

    def _silenced(self, method: str, path: str, body: Json) -> tuple[int, Json]:
        if method == "POST":
            self.silences.append({"id": str(len(self.silences) + 1), "who": "ada"} | body)
        if method == "DELETE":
            self.silences = [one for one in self.silences if one["id"] != path.split("/")[1]]
        return 200, {"silences": self.silences}


def _problem(route: Route, status: int, detail: str) -> None:
    content = {"type": "about:blank", "title": "", "status": status, "detail": detail}
    route.fulfill(status=status, body=json.dumps(content), content_type="application/problem+json")


def _alert(key: str, station: str, kind: str, severity: str, start: datetime, amplitude_nt: float) -> Json:
    return {
        **{"id": key, "station": station, "sensor": "mag", "kind": kind, "severity": severity, "state": "firing"},
        **{"opened_at": iso(start + timedelta(seconds=2)), "updated_at": iso(start + timedelta(seconds=2))},
        **{"resolved_at": None, "start": iso(start), "amplitude_nt": amplitude_nt, "snr": 118.0, "score": 0.97},
        **{"title": f"{kind} at {station}", "reason": "at the first evidence", "event_ids": [key], "verdict": None},
    }


def _event(alert: Json) -> Json:
    start = datetime.fromisoformat(alert["start"])
    return {
        **{
            name: alert[name]
            for name in ("id", "station", "sensor", "kind", "severity", "start", "amplitude_nt", "snr")
        },
        **{"revision": 1, "peak": alert["start"], "end": iso(start + timedelta(seconds=1)), "score": 0.97},
        **{"detected_at": iso(start + timedelta(seconds=1.9)), "channels": ["x", "z"]},
        "evidence": {
            "change_x_nT": 30.1,
            "change_z_nT": -30.2,
            "edge_s": 0.4,
            "threshold_sigma": 9.0,
            "settled_for_s": 1.5,
        },
    }


def _step(alert: Json, state: str, who: str, why: str) -> Json:
    return {"at": iso(datetime.now(UTC)), "state": state, "who": who, "why": why}
