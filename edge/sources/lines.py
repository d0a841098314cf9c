"""Instruments that speak in lines of text."""

import re
from collections.abc import Iterator

from edge.sources.parser import SHOWN_BYTES, FrameParser, Order, Reading, Reason, Rejected
from stream.block import Channel

LONGEST_LINE = 512
"""A line of more bytes is garbage."""
_ENDS = re.compile(rb"[\r\n\0]")


class LineParser(FrameParser):
    """Cuts the bytes into lines; an instrument's own says in `_line` what a line means.

    joins_anywhere: the first line of a connection is dropped, because without its beginning it could look whole.
    """

    joins_anywhere = False

    def __init__(self, channels: tuple[Channel, ...], order: Order) -> None:
        super().__init__(channels, order)
        self._overlong = False
        self._first = True

    def _line(self, line: bytes, host_ns: int) -> Iterator[Reading | Rejected]:
        """What a line, not empty and without its end, says."""
        raise NotImplementedError

    def _begin_again(self) -> None:
        self._overlong, self._first = False, True

    def _frames(self, host_ns: int) -> Iterator[Reading | Rejected]:
        *lines, rest = _ENDS.split(bytes(self._buffer))
        for raw in lines:
            line, dropped = raw.strip(), self._overlong
            joined = self._first and self.joins_anywhere
            self._overlong = self._first = False
            if line and joined:
                yield Rejected(Reason.CUT, line[:SHOWN_BYTES])
            elif line and not dropped:
                if len(line) > LONGEST_LINE:
                    yield Rejected(Reason.GARBAGE, line[:SHOWN_BYTES])
                else:
                    yield from self._line(line, host_ns)
        if len(rest) > LONGEST_LINE:
            # The rest of an endless line is part of the same garbage.
            if not self._overlong:
                yield Rejected(Reason.GARBAGE, rest[:SHOWN_BYTES])
            self._overlong, rest = True, b""
        self._buffer[:] = rest


def found_at_end(pattern: re.Pattern[bytes], line: bytes) -> tuple[re.Match[bytes] | None, list[Rejected]]:
    """A frame at the end of a line, and what stands before it: of a frame without an end, the next follows in its line.

    pattern: ends with `\\Z`.
    """
    match = pattern.search(line)
    if match is None:
        return None, [Rejected(Reason.MALFORMED, line[:SHOWN_BYTES])]
    before = line[: match.start()].strip()
    return match, [Rejected(Reason.CUT, before[:SHOWN_BYTES])] if before else []
