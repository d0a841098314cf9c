"""One request of lines to its end: stored, held up, split because it is too large, or searched for what is refused.

What an answer means is in the facts of InfluxDB: only a 204 is a success; a 400 or 422 says that a line is bad, but
neither which nor how many, and what was written of the others must not be relied on.
"""

from collections.abc import Callable, Iterator

from gateway.stores.influx_http import Answer, problem
from gateway.stores.influx_lines import Lines

Send = Callable[[bytes], Answer]
Refused = tuple[int, str]
"""A line's number and what the database said of it."""
_BAD = (400, 422)
_TOO_LARGE = 413


class Writing:
    """Sends the lines of one request by `send`; `requests` counts how often, `most_lines` is what is known to be taken.

    Raises StoreError where the same lines may be taken later: whoever repeats the whole request doubles nothing.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self.requests = 0
        self.most_lines: int | None = None

    def store(self, lines: Lines) -> list[Refused]:
        """All lines but those that are returned are stored."""
        return list(self._stored(lines, [(0, len(lines))]))

    def _stored(self, lines: Lines, parts: list[tuple[int, int]]) -> Iterator[Refused]:
        """Send some stretches of lines in one request, and see to it that all but the bad ones are stored."""
        answer = self._sent(lines, parts)
        if answer.status == _TOO_LARGE:
            yield from self._split(lines, parts, answer)
        elif answer.status in _BAD:
            # The first bad line is searched by halves; all that is not known to be good by then goes in one request.
            # With more bad lines than one, what is left is halved at once.
            late: list[tuple[int, int]] = []
            yield from self._bad(lines, parts, answer, late)
            if late:
                again = self._sent(lines, late)
                if again.status in _BAD:
                    yield from self._bad(lines, late, again, None)
                elif again.status == _TOO_LARGE:
                    yield from self._split(lines, late, again)

    def _bad(
        self, lines: Lines, parts: list[tuple[int, int]], answer: Answer, late: list[tuple[int, int]] | None
    ) -> Iterator[Refused]:
        """What is bad among parts that are known to have something bad; `late` takes parts that nothing is known of."""
        if _count(parts) == 1:
            yield parts[0][0], answer.text
            return
        first, second = _halves(parts)
        said = self._sent(lines, first, smaller=True)
        if said.status in _BAD:
            yield from self._bad(lines, first, said, late)
            if late is not None:
                late.extend(second)
                return
            said = self._sent(lines, second, smaller=True)
            if said.status not in _BAD:
                return
        elif _count(second) == 1:
            said = self._sent(lines, second, smaller=True)
            if said.status not in _BAD:
                return
        else:
            said = answer
        yield from self._bad(lines, second, said, late)

    def _split(self, lines: Lines, parts: list[tuple[int, int]], answer: Answer) -> Iterator[Refused]:
        count = _count(parts)
        if count == 1:
            yield parts[0][0], answer.text or "HTTP 413: too large"
            return
        self.most_lines = max(1, count // 2)
        for half in _halves(parts):
            yield from self._stored(lines, half)

    def _sent(self, lines: Lines, parts: list[tuple[int, int]], *, smaller: bool = False) -> Answer:
        """The answer: 204, that something is bad, or that it is too large, unless it is `smaller` than what was not."""
        self.requests += 1
        answer = self._send(b"".join(lines.part(start, stop) for start, stop in parts))
        if answer.status not in (204, *_BAD) and (smaller or answer.status != _TOO_LARGE):
            raise problem(answer, "writing")
        return answer


def _count(parts: list[tuple[int, int]]) -> int:
    return sum(stop - start for start, stop in parts)


def _halves(parts: list[tuple[int, int]]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    room = _count(parts) // 2
    first, second = [], []
    for start, stop in parts:
        cut = min(stop, start + room)
        if start < cut:
            first.append((start, cut))
        if cut < stop:
            second.append((cut, stop))
        room -= cut - start
    return first, second
