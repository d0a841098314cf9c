"""What was put in, written down so that what was found can be compared with it. JSON lines, a truth a line."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, TextIO, cast, get_args

SECOND_NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

TruthKind = Literal[
    "commencement", "disturbance", "step", "transient", "stuck", "saturated", "gap", "clock_step", "spike"
]


@dataclass(frozen=True, slots=True)
class Truth:
    """One thing that was put in, by the stamps of the sensor that it happened to.

    start_ns and end_ns are the first and the last sample concerned (of a gap, the first and last that are not there;
    of a clock step, both are the first sample with the new clock). Of a transient they are where its field is a
    twentieth of the largest. amplitude_nt: signed for spikes and steps, None where there is no such thing.
    """

    kind: TruthKind
    start_ns: int
    peak_ns: int
    end_ns: int
    amplitude_nt: float | None
    channels: tuple[str, ...]

    def to_json(self) -> str:
        """One line of JSON without its line end, times as ISO-8601 UTC with nine decimals."""
        return json.dumps(
            {
                "kind": self.kind,
                "start": iso_ns(self.start_ns),
                "peak": iso_ns(self.peak_ns),
                "end": iso_ns(self.end_ns),
                "amplitude_nt": self.amplitude_nt,
                "channels": self.channels,
            }
        )

    @classmethod
    def from_json(cls, line: str) -> "Truth":
        """The inverse of `to_json`. Raises ValueError or KeyError for a line that is none."""
        fields = json.loads(line)
        if fields["kind"] not in get_args(TruthKind):
            raise ValueError(f"{fields['kind']!r} is not a kind of truth")
        start, peak, end = (parse_iso_ns(fields[key]) for key in ("start", "peak", "end"))
        return cls(cast(TruthKind, fields["kind"]), start, peak, end, fields["amplitude_nt"], tuple(fields["channels"]))


def iso_ns(time_ns: int) -> str:
    """`2024-05-10T17:05:00.000000000Z`"""
    seconds, rest = divmod(int(time_ns), SECOND_NS)
    return f"{(_EPOCH + timedelta(seconds=seconds)).strftime('%Y-%m-%dT%H:%M:%S')}.{rest:09d}Z"


def parse_iso_ns(text: str) -> int:
    """The inverse of `iso_ns`. Raises ValueError for anything else."""
    stamp, dot, rest = text.removesuffix("Z").partition(".")
    if not (dot and text.endswith("Z") and len(rest) == 9 and rest.isdecimal()):
        raise ValueError(f"{text!r} is not a time such as 2024-05-10T17:05:00.000000000Z")
    since = datetime.fromisoformat(f"{stamp}+00:00") - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND_NS + int(rest)


def write(truths: Iterable[Truth], file: TextIO) -> None:
    """Append a line for each."""
    file.writelines(f"{truth.to_json()}\n" for truth in truths)


def read(path: Path) -> list[Truth]:
    """All truths of a file; a file that is not there has none."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        return [Truth.from_json(line) for line in file]
