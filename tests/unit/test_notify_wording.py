"""What a person is told, word for word; each kind, local and regional, in UTC and where the person lives."""

from zoneinfo import ZoneInfo

import pytest

from gateway.alerts.wording import Facts, clock, lasted, worded
from stream.events import Kind, Severity
from stream.instant import SECOND_NS, parse_iso

BERLIN = ZoneInfo("Europe/Berlin")
START = parse_iso("2024-05-10T17:05:20Z")


def facts(kind: Kind, **changes: object) -> Facts:
    usual = {
        "what": "firing",
        "kind": kind,
        "severity": Severity.WARNING,
        "stations": ("conrad",),
        "sensor": "fge",
        "start": START,
        "score": 0.9,
    }
    return Facts.model_validate(usual | changes)


GOLDEN = [
    (
        facts(
            Kind.COMMENCEMENT,
            severity=Severity.CRITICAL,
            stations=("conrad", "ebre", "niemegk"),
            not_seen_at=("brorfelde",),
            region="europe",
            sensor=None,
            amplitude_nt=38.2,
            times_usual=12.4,
            evidence={"rise_s": 150.0},
        ),
        "Sudden commencement in europe, 3 stations, 38.2 nT",
        "Since 10 May 17:05:20 UTC (19:05:20 CEST). Up to 38.2 nT, some 12 times the usual unrest. "
        "It rose within 2 min. So many at once are nature: a shock front from the Sun has arrived; a storm may follow. "
        "Seen at conrad, ebre and niemegk; not at brorfelde. Critical, 90% sure.",
    ),
    (
        facts(Kind.COMMENCEMENT, amplitude_nt=38.2, not_seen_at=("ebre", "niemegk")),
        "Sudden commencement at conrad (fge), 38.2 nT",
        "Since 10 May 17:05:20 UTC (19:05:20 CEST). It measures 38.2 nT. It has the shape of a sudden commencement, "
        "but no other station has told of one yet. Not seen at ebre and niemegk, so it may be local. "
        "Warning, 90% sure.",
    ),
    (
        facts(Kind.DISTURBANCE, evidence={"level": "major", "range_in_an_hour_nT": 231.0}),
        "Major magnetic storm at conrad (fge)",
        "Since 10 May 17:05:20 UTC (19:05:20 CEST). The range within an hour is 231 nT. "
        "The field swings more than it usually does. Warning, 90% sure.",
    ),
    (
        facts(Kind.STEP, amplitude_nt=12.5, times_usual=1.4, not_seen_at=("ebre",)),
        "The field jumped and stayed at conrad (fge), 12.5 nT",
        "Since 10 May 17:05:20 UTC (19:05:20 CEST). It measures 12.5 nT. It looks like something magnetic that was "
        "moved and left near the sensor, or like the sensor touched. Not seen at ebre, so it is local. "
        "Warning, 90% sure.",
    ),
    (
        facts(Kind.TRANSIENT, what="raised", amplitude_nt=-140.0, end=START + 40 * SECOND_NS),
        "Now warning: Something magnetic passed at conrad (fge), 140 nT",
        "From 10 May 17:05:20 UTC (19:05:20 CEST), for 40 s. It measures 140 nT. "
        "It looks like a vehicle or a person with iron passing the sensor. Warning, 90% sure.",
    ),
    (
        facts(Kind.UNUSUAL, times_usual=5.0, amplitude_nt=0.3),
        "Unusual signal at conrad (fge), 0.30 nT",
        "Since 10 May 17:05:20 UTC (19:05:20 CEST). It measures 0.30 nT, some 5 times the usual unrest. "
        "It is none of the shapes that have a name; a look at the trace is worth while. Warning, 90% sure.",
    ),
    (
        facts(Kind.STUCK, what="reminder", evidence={"equal_samples_count": 600}, flips=4),
        "Still there: Sensor stuck at conrad (fge)",
        "Since 10 May 17:05:20 UTC (19:05:20 CEST). 600 samples in a row are equal. It has come and gone 5 times. "
        "The sensor repeats one value: its cable, its power or its logger. Warning, 90% sure.",
    ),
    (
        facts(Kind.SATURATED),
        "Sensor at the end of its range at conrad (fge)",
        "Since 10 May 17:05:20 UTC (19:05:20 CEST). The values stand at the end of what the sensor can measure. "
        "Warning, 90% sure.",
    ),
    (
        facts(Kind.NOISY, times_usual=8.0),
        "Sensor noisy at conrad (fge)",
        "Since 10 May 17:05:20 UTC (19:05:20 CEST). It is some 8 times the usual unrest. "
        "From one sample to the next the values scatter more than they used to. Warning, 90% sure.",
    ),
    (
        facts(Kind.GAP, evidence={"missing_s": 7500.0}),
        "Data missing at conrad (fge)",
        "Since 10 May 17:05:20 UTC (19:05:20 CEST). 2 h 5 min are missing. "
        "The sensor sent no values for a while, though its station is there. Warning, 90% sure.",
    ),
    (
        facts(Kind.CLOCK_STEP, end=START, evidence={"clock_went_back_s": 3.25}),
        "The clock jumped at conrad (fge)",
        "At 10 May 17:05:20 UTC (19:05:20 CEST). It went back by 3.25 s. The times of the samples do not follow one "
        "another; the station has corrected its clock. Warning, 90% sure.",
    ),
    (
        facts(Kind.SILENT, score=None, evidence={"reason": "its will came\nInjected: yes"}),
        "Station silent at conrad",
        "Since 10 May 17:05:20 UTC (19:05:20 CEST). Its will came Injected: yes. "
        "Nothing arrives any more: its power, its link or its program. Warning.",
    ),
    (
        facts(Kind.OUTAGE, severity=Severity.CRITICAL, stations=("magwatch-gateway",), score=None),
        "Gateway out of order at magwatch-gateway",
        "Since 10 May 17:05:20 UTC (19:05:20 CEST). It cannot hear its stations or store what they send; "
        "they keep their samples until it can. Critical.",
    ),
    (
        facts(Kind.EVICTED, what="resolved", end=START + 50 * 3600 * SECOND_NS, evidence={"samples": 86_400}),
        "Over: Samples given up at conrad",
        "From 10 May 17:05:20 UTC (19:05:20 CEST), for 2 days 2 h. 86400 samples are lost.",
    ),
]


@pytest.mark.parametrize(("told", "title", "text"), GOLDEN, ids=lambda value: getattr(value, "kind", None))
def test_an_alert_reads_as_a_person_would_say_it(told: Facts, title: str, text: str) -> None:
    assert worded(told, BERLIN) == (title, text)


def test_every_kind_has_its_golden_words() -> None:
    assert {told.kind for told, *_ in GOLDEN} == set(Kind)


def test_figures_that_are_none_are_left_out_whatever_was_sent() -> None:
    told = facts(Kind.COMMENCEMENT, evidence={"rise_s": "soon"})
    assert "rose" not in worded(told).text


@pytest.mark.parametrize(
    ("moment", "zone", "said"),
    [
        ("2024-05-10T23:30:05Z", "Europe/Berlin", "10 May 23:30:05 UTC (11 May 01:30:05 CEST)"),
        ("2024-01-10T17:05:00Z", "Europe/Berlin", "10 Jan 17:05:00 UTC (18:05:00 CET)"),
        ("2024-03-31T01:30:00Z", "Europe/Berlin", "31 Mar 01:30:00 UTC (03:30:00 CEST)"),
        ("2024-05-10T02:00:00Z", "America/St_Johns", "10 May 02:00:00 UTC (9 May 23:30:00 NDT)"),
        ("1969-07-20T20:17:40Z", "UTC", "20 Jul 20:17:40 UTC"),
    ],
)
def test_a_time_is_told_in_utc_and_where_the_person_lives(moment: str, zone: str, said: str) -> None:
    assert clock(parse_iso(moment), ZoneInfo(zone)) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "1 s"), (119, "119 s"), (121, "2 min"), (3599, "1 h"), (3660, "1 h 1 min"), (172_800, "2 days")],
)
def test_a_span_has_two_units_at_most(seconds: float, said: str) -> None:
    assert lasted(round(seconds * SECOND_NS)) == said
