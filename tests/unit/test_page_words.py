"""The page's own words are the phone's."""

import re
from pathlib import Path

import pytest

from gateway.alerts.wording import Facts, worded
from stream.events import Kind, Severity

WORDS = (Path(__file__).parents[2] / "gateway" / "web" / "words.js").read_text()
TABLE = WORDS.partition("const KINDS = {")[2].partition("};")[0]
KINDS = dict(re.findall(r'^  (\w+): "([^"]+)",$', TABLE, re.MULTILINE))


@pytest.mark.parametrize("kind", Kind)
def test_an_event_is_called_on_the_page_what_a_message_calls_it(kind: Kind) -> None:
    facts = Facts(what="firing", kind=kind, severity=Severity.INFO, stations=("graz",), start=0)
    assert worded(facts).title == f"{KINDS[kind]} at graz"


def test_the_page_knows_no_other_kinds() -> None:
    assert set(KINDS) == set(Kind)
