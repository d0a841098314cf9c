"""What the verdicts suggest: the line below the smallest useful alert, where false ones lie below it."""

import asyncio
import tomllib
from pathlib import Path

import pytest

from gateway.alerts import life
from gateway.alerts.desk import AlertDesk
from gateway.alerts.life import Alert
from gateway.alerts.rules import AlertSettings, Facts
from gateway.alerts.tuning import suggestions
from gateway.live import Hub
from gateway.records import open_records
from magwatch import main
from stream.events import Event, Kind, Severity, event_id

S = 1_000_000_000
NOW = 1_715_360_700 * S


def event(number: int, score: float, amplitude_nt: float | None = None) -> Event:
    start = NOW + number * 7200 * S
    return Event(
        id=event_id("conrad", "fge", Kind.TRANSIENT, start),
        station="conrad",
        sensor="fge",
        kind=Kind.TRANSIENT,
        severity=Severity.WARNING,
        start=start,
        peak=start,
        detected_at=start,
        amplitude_nt=amplitude_nt,
        score=score,
    )


def judged(*rows: tuple[float, float | None, str | None]) -> list[Alert]:
    """score, amplitude, verdict."""
    return [
        life.opened(event(k, score, size), NOW).model_copy(update={"verdict": verdict, "told": Severity.WARNING})
        for k, (score, size, verdict) in enumerate(rows)
    ]


@pytest.mark.parametrize(
    ("rows", "by", "threshold", "false_after", "after"),
    [
        ([(0.5, 10, "false")] * 4 + [(0.8, 50, "useful"), (0.55, 12, None)], "score_below", 0.8, 0, 1),
        ([(0.9, 10, "false")] * 4 + [(0.8, 57, "useful"), (0.55, 80, None)], "amplitude_below_nt", 57, 0, 2),
        ([(0.5, 10, "false"), (0.9, 99, "false")] * 2 + [(0.8, 50, "useful")], "score_below", 0.8, 2, 3),
        ([(0.5, None, "false")] * 4 + [(0.837, None, "useful")], "score_below", 0.83, 0, 1),
        ([(0.9, 10, "false")] * 5, None, None, 0, 0),
    ],
)
def test_the_smallest_useful_alert_draws_the_line(
    rows: list, by: str | None, threshold: float | None, false_after: int, after: int
) -> None:
    (found,) = suggestions(judged(*rows))
    assert (found.by, found.threshold, found.false_after, found.after) == (by, threshold, false_after, after)
    assert found.before == len(rows)
    settings = AlertSettings.model_validate(tomllib.loads(found.toml())["alerts"])
    facts = [Facts(Kind.TRANSIENT, Severity.WARNING, ("conrad",), "", size, 0.0, score) for score, size, _ in rows]
    rang = [settings.rule(one).page for one in facts]
    assert sum(rang) == after, "the rule that is suggested does what is said of it"


@pytest.mark.parametrize(
    "rows",
    [
        [(0.5, 10, "false")] * 3 + [(0.8, 50, "useful")],
        [(0.8, 50, "useful")] * 9,
        [(0.9, 60, "false")] * 4 + [(0.8, 50, "useful")],
        [],
    ],
)
def test_where_the_verdicts_draw_no_line_nothing_is_suggested(rows: list) -> None:
    assert suggestions(judged(*rows)) == []


async def _night(folder: Path) -> None:
    records = await open_records(folder / "gateway.db")
    now_ns = NOW
    desk = AlertDesk(records, AlertSettings(), [], Hub(), lambda: now_ns)
    for number, score in enumerate((0.5, 0.6, 0.55, 0.9, 0.95, 0.52)):
        one = event(number, score)
        now_ns = one.start
        await desk.take([one], now_ns)
        (alert,) = await desk.alerts()
        if number < 5:
            await desk.verdict(alert.id, "useful" if score > 0.8 else "false", "anna")
        await desk.resolve(alert.id, "anna")
    await records.close()


def test_the_command_says_what_would_have_rung(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(_night(tmp_path))
    config = tmp_path / "gateway.toml"
    config.write_text(f'data_dir = "{tmp_path}"\n')
    before = (tmp_path / "gateway.db").read_bytes()
    assert main(["tune", "--config", str(config)]) == 0
    said = capsys.readouterr().out
    assert "transient at conrad: 2 useful, 3 false; score_below = 0.9: 0 false" in said
    assert "rang 6 times, would have rung 2 times" in said
    assert "score_below = 0.9\npage = false" in said
    assert (tmp_path / "gateway.db").read_bytes() == before
    config.write_text(f'data_dir = "{tmp_path / "nowhere"}"\n')
    assert main(["tune", "--config", str(config)]) == 1
