"""What goes wrong on the wire: frames cut, repeated, with a word spoilt, rubbish between them; and the truth.

A stage between encoder and plug, seeded: the same frames are spoilt in every run.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["cut", "repeated", "corrupted", "garbage"]
PerThousand = Annotated[float, Field(ge=0.0, le=200.0)]

CLEAR_FRAMES = 4
"""Faults keep so many good frames between them, so that each can be told apart."""
_LEAST_CUT = 3
"""Bytes that are lost, and that are left: fewer could be nothing but the end of the line."""
_WORD = 3
_MOST_GARBAGE = 40
_LINE_ENDS = b"\r\n\0"


class WireSettings(BaseModel):
    """How many frames of a thousand are spoilt, on average."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    cut_per_thousand: PerThousand = 0.0
    repeated_per_thousand: PerThousand = 0.0
    corrupted_per_thousand: PerThousand = 0.0
    garbage_per_thousand: PerThousand = 0.0


@dataclass(frozen=True, slots=True)
class Spoilt:
    """Frame number `frame`, from 0, came out as `sent`; garbage stands before it, a repeated one is good twice."""

    frame: int
    kind: Kind
    sent: bytes


class WireFaults:
    """Frames in, bytes out; `spoilt` is the truth so far."""

    def __init__(self, settings: WireSettings, seed: int) -> None:
        self._random = np.random.default_rng((seed, 0x31AE))
        self._parts: tuple[tuple[Kind, float], ...] = (
            ("cut", settings.cut_per_thousand / 1000.0),
            ("repeated", settings.repeated_per_thousand / 1000.0),
            ("corrupted", settings.corrupted_per_thousand / 1000.0),
            ("garbage", settings.garbage_per_thousand / 1000.0),
        )
        self._frames = 0
        self._clear_from = 0
        self.spoilt: list[Spoilt] = []

    def pass_on(self, frame: bytes) -> bytes:
        """What comes out of the plug for one frame."""
        kind = self._drawn()
        number = self._frames
        self._frames += 1
        if kind is None or number < self._clear_from or len(frame) < 2 * _LEAST_CUT:
            return frame
        self._clear_from = number + 1 + CLEAR_FRAMES
        sent = self._spoil(kind, frame)
        self.spoilt.append(Spoilt(number, kind, sent))
        return sent

    def _drawn(self) -> Kind | None:
        luck = float(self._random.random())
        for kind, part in self._parts:
            if luck < part:
                return kind
            luck -= part
        return None

    def _spoil(self, kind: Kind, frame: bytes) -> bytes:
        random = self._random
        match kind:
            case "cut":
                lost = int(random.integers(_LEAST_CUT, len(frame) - _LEAST_CUT + 1))
                return frame[: len(frame) - lost] if random.random() < 0.5 else frame[lost:]
            case "repeated":
                return frame + frame
            case "corrupted":
                inside = len(frame.rstrip(_LINE_ENDS))
                at = int(random.integers(0, inside - _WORD + 1))
                word = bytes(self._other(byte) for byte in frame[at : at + _WORD])
                return frame[:at] + word + frame[at + _WORD :]
            case "garbage":
                return bytes(self._other(0) for _ in range(int(random.integers(1, _MOST_GARBAGE)))) + frame

    def _other(self, byte: int) -> int:
        """A byte that is not this one, and ends no line."""
        while True:
            drawn = int(self._random.integers(0, 256))
            if drawn != byte and drawn not in _LINE_ENDS:
                return drawn
