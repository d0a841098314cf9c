"""What is refused among the lines of a request is found, all others are stored, and few requests are needed."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.stores import StoreBusyError, StoreError, StoreHeldError
from gateway.stores.influx_http import Answer
from gateway.stores.influx_lines import Lines
from gateway.stores.influx_writing import Writing

STORED = Answer(204, "")
REFUSED = Answer(400, "partial write: field type conflict dropped=0")


def numbered(n: int) -> Lines:
    """Lines that are their numbers."""
    each = [f"{line}\n".encode() for line in range(n)]
    return Lines(b"".join(each), np.cumsum([len(line) for line in each]), np.zeros((n, 2), np.int64))


class Database:
    """Refuses some lines and stores the others of the same request (1.x), or none of them (2.x)."""

    def __init__(self, bad: set[int], *, stores_the_rest: bool = True, most: int = 10**9) -> None:
        self.bad, self.most, self.stores_the_rest = bad, most, stores_the_rest
        self.stored: set[int] = set()

    def __call__(self, body: bytes) -> Answer:
        lines = {int(line) for line in body.split()}
        if len(lines) > self.most:
            return Answer(413, "too large")
        if lines & self.bad:
            self.stored |= lines - self.bad if self.stores_the_rest else set()
            return REFUSED
        self.stored |= lines
        return STORED


@settings(deadline=None, max_examples=200)
@given(
    n=st.integers(1, 60),
    bad=st.sets(st.integers(0, 59), max_size=60),
    most=st.sampled_from([1, 7, 1000]),
    kind=st.booleans(),
)
def test_exactly_the_bad_lines_are_refused_and_all_others_stored(n: int, bad: set[int], most: int, kind: bool) -> None:
    database = Database({line for line in bad if line < n}, stores_the_rest=kind, most=most)
    refused = Writing(database).store(numbered(n))
    assert sorted(line for line, _ in refused) == sorted(database.bad)
    assert {reason for _, reason in refused} <= {REFUSED.text}
    assert database.stored == set(range(n)) - database.bad


@pytest.mark.parametrize("line", [0, 1, 2499, 2500, 3333, 4998, 4999])
def test_one_bad_line_in_5000_costs_at_most_20_requests(line: int) -> None:
    database = Database({line}, stores_the_rest=False)
    writing = Writing(database)
    assert [found for found, _ in writing.store(numbered(5000))] == [line]
    assert writing.requests <= 20
    assert len(database.stored) == 4999


def test_lines_that_are_all_bad_cost_two_requests_each_at_most() -> None:
    writing = Writing(Database(set(range(256))))
    assert len(writing.store(numbered(256))) == 256
    assert writing.requests <= 2 * 256 + 10


def test_what_is_too_large_is_split_and_the_size_is_learned() -> None:
    database = Database(set(), most=1300)
    writing = Writing(database)
    assert writing.store(numbered(5000)) == []
    assert len(database.stored) == 5000
    assert writing.most_lines == 1250


def test_a_line_that_is_too_large_alone_is_refused() -> None:
    assert Writing(lambda _: Answer(413, "")).store(numbered(1)) == [(0, "HTTP 413: too large")]


@pytest.mark.parametrize(
    ("answer", "error", "retry_after_s"),
    [
        (Answer(429, "slow down", 7.0), StoreBusyError, 7.0),
        (Answer(500, "engine is closed"), StoreBusyError, None),
        (Answer(503, "", 2.0), StoreBusyError, 2.0),
        (Answer(401, "unable to parse authentication credentials"), StoreHeldError, None),
        (Answer(403, "forbidden"), StoreHeldError, None),
        (Answer(404, "database not found"), StoreHeldError, None),
        (Answer(200, "<html>"), StoreHeldError, None),
        (Answer(302, ""), StoreHeldError, None),
    ],
)
@pytest.mark.parametrize("when", ["first", "in the search"])
def test_an_answer_that_says_nothing_of_lines_leaves_the_whole_request_for_later(
    answer: Answer, error: type[StoreError], retry_after_s: float | None, when: str
) -> None:
    answers = iter([REFUSED, STORED, answer] if when == "in the search" else [answer])
    send: Callable[[bytes], Answer] = lambda _: next(answers)  # noqa: E731
    with pytest.raises(error) as raised:
        Writing(send).store(numbered(64))
    assert raised.value.retryable
    assert raised.value.retry_after_s == retry_after_s
