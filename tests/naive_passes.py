"""The slow, obvious twin of `stream.kernels.passes`: every window is cut out of the whole series, and fitted anew."""

import math
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
U = (np.arange(16) - 7.5) / 2.0
PLAIN = np.stack([np.ones(16), np.arange(16.0)])
DIPOLE = np.stack([PLAIN[0], PLAIN[1], *(u / (1.0 + U**2) ** 2.5 for u in (U**0, U, U**2))])


def fitted(window: Values, functions: Values) -> Values:
    """The least-squares fit of a window [16, axes] by functions [n, 16]."""
    return functions.T @ np.linalg.lstsq(functions.T, window, rcond=None)[0]


def energies_by_function(window: Values) -> Values:
    """What each dipole function adds to those before it, by axis: [axes, 3]."""
    fits = [fitted(window, DIPOLE[:n]) for n in (2, 3, 4, 5)]
    return np.array([((after - before) ** 2).sum(axis=0) for before, after in pairwise(fits)]).T


def step_energy(window: Values) -> float:
    """What the best step adds to level and slope."""
    before = fitted(window, PLAIN)
    best = 0.0
    for place in range(3, 14):
        step = (np.arange(16) >= place).astype(float)
        best = max(best, float(((fitted(window, np.stack([*PLAIN, step])) - before) ** 2).sum()))
    return best


@dataclass
class Length:
    """What is known of windows of one length of cell."""

    usual: Values
    cells: list[Values] = field(default_factory=list)
    windows: int = 0
    limit: float = 30.0
    stretch: list[float] = field(default_factory=list)


def passes(times_ns: list[int], ticks: Values, tick_ns: int, fresh: set[int], moved: set[int]) -> list[tuple]:
    """(start_ns, peak_ns, end_ns, tick) of each pass among ticks [n, axes] of one length; fresh, moved: ticks."""
    axes = ticks.shape[1]
    in_cell = max(1, math.ceil(350_000_000 / tick_ns))
    lengths = [Length(np.zeros((axes, 3))) for k in range(5) if in_cell * tick_ns * 2**k <= 8_100_000_000]
    newest, open_cell = np.zeros(axes), []
    best: dict | None = None
    blocked, found = -(2**63), []
    for t, now in enumerate(times_ns):
        if t in fresh:
            open_cell, best = [], None
            for length in lengths:
                length.cells = []
        newest = np.where(np.isnan(ticks[t]), newest, ticks[t])
        open_cell.append(newest)
        if len(open_cell) < in_cell:
            continue
        cell, open_cell = np.mean(open_cell, axis=0), []
        if best and now >= best["tell"] and not (t in moved and now < best["tell"] + 60_000_000_000):
            blocked = best["end"]
            if best["step"] < 0.88 and best["share"] >= 0.5 and best["rise"] <= 2.0 * best["height"]:
                found.append((best["start"], best["peak"], best["end"], t))
            best = None
        for k, length in enumerate(lengths):
            length.cells.append(cell)
            if len(length.cells) >= 16:
                seen = look(np.array(length.cells[-16:]), length, now, in_cell * tick_ns * 2**k)
                if seen and seen["start"] >= blocked and (best is None or seen["energy"] > best["energy"]):
                    best = seen
            if len(length.cells) % 2:
                break
            cell = (length.cells[-2] + length.cells[-1]) / 2.0
    return found


def look(window: Values, length: Length, now: int, cell_ns: int) -> dict | None:
    """The window as a candidate, where its energy is beyond what is usual."""
    power = energies_by_function(window - window[0])
    energy = float((power / np.maximum(length.usual, 1e-12)).sum()) if length.windows else 0.0
    learnt = np.minimum(power, 6.0 * length.usual) if length.windows >= 60 else power
    weight = 1 / 300 if length.windows >= 300 else 1 / (length.windows + 1)
    length.usual = length.usual + weight * (learnt - length.usual)
    length.windows += 1
    if length.windows <= 60:
        return None
    limit = max(60.0, 2.5 * length.limit)
    length.stretch.append(energy)
    if len(length.stretch) == 16:
        if max(length.stretch) <= length.limit:
            length.limit *= math.exp(-0.25 * 0.02)
        elif max(length.stretch) <= 4.0 * length.limit:
            length.limit *= math.exp(0.25 * 0.98)
        length.stretch = []
    if energy <= limit:
        return None
    before, after = window[:3].mean(axis=0), window[-3:].mean(axis=0)
    line = before + np.outer((np.arange(16) - 1) / 13, after - before)
    heights = np.linalg.norm(window - line, axis=1)[3:13]
    at = 3 + int(np.argmax(heights))
    rest = window - fitted(window, PLAIN)
    return {
        "energy": energy,
        "share": power.sum() / (rest**2).sum(),
        "step": step_energy(window - window[0]) / power.sum(),
        "rise": float(np.linalg.norm(after - before)),
        "height": float(heights.max()),
        "start": now - 13 * cell_ns,
        "end": now - 3 * cell_ns,
        "peak": now - (15 - at) * cell_ns,
        "tell": now + 6 * cell_ns,
    }
