"""Slow, obvious twins of what follows the level of a group of axes, and of what looks for small edges."""

import numpy as np
from numpy.typing import NDArray

from stream.kernels import edges

Values = NDArray[np.float64]


def newest(ring: Values, ticks: int, width: int) -> Values:
    """The newest `width` rows of a ring [MOST, axes] in which `ticks` rows have been written, newest last."""
    return np.array([ring[(ticks - width + i) % len(ring)] for i in range(width)])


def movement(ring: Values, ticks: int, width: int) -> float:
    """How far the newest rows lie apart on the axis where that is most."""
    return float(np.ptp(newest(ring, ticks, width), axis=0).max())


def peak_and_high(kept: Values, level: Values, sigma: Values, clearly: float, part: float) -> tuple[float, int, int]:
    """Largest distance from the level, its row, and how many rows are clearly away; kept: [n, axes], NaN is nothing."""
    away = np.nan_to_num(kept - level)
    distance, snr = np.linalg.norm(away, axis=1), (np.abs(away) / sigma).max(axis=1)
    high = (snr > clearly) & (distance >= part * distance.max())
    return float(distance.max()), int(distance.argmax()), int(high.sum())


def is_back(kept: Values, newest_mean: Values, origin: Values, sigma_mean: Values) -> bool:
    """Whether the newest mean lies at the origin, by its noise or by a part of the largest distance."""
    peak = np.linalg.norm(np.nan_to_num(kept - origin), axis=1).max(initial=0.0)
    away = np.linalg.norm(newest_mean - origin)
    return bool(away <= max(float(np.linalg.norm(5.0 * sigma_mean)), 0.15 * peak))


def fitted_step(window: Values) -> tuple[float, float]:
    """Least squares of level, slope and a step in the middle of one axis's window; the step, and the energy left."""
    n = len(window)
    design = np.column_stack([np.ones(n), np.arange(n), np.arange(n) >= n // 2]).astype(float)
    answer = np.linalg.lstsq(design, window, rcond=None)[0]
    return float(answer[2]), float(((window - design @ answer) ** 2).sum())


def edges_found(ticks: Values, interval_ns: int) -> list[tuple[int, Values]]:
    """Ticks after an edge, and the edge by axis, as `edges.follow_edges` finds them in an unbroken, even series."""
    found: list[tuple[int, Values]] = []
    axes, half = ticks.shape[1], edges.WINDOW // 2
    usual = np.zeros((3, axes))
    looked, blocked, needed, best = 0, 0, 0.0, (0.0, -1, np.zeros(axes))
    filled = ticks.copy()
    for t in range(1, len(filled)):
        filled[t] = np.where(np.isnan(filled[t]), filled[t - 1], filled[t])
    for t in range(len(filled)):
        needed *= 1.0 - interval_ns / edges.FORGETS_NS
        blocked = max(blocked - 1, 0)
        if blocked:
            best = (0.0, -1, best[2])
        if t + 1 < edges.WINDOW:
            continue
        window, edge = filled[t + 1 - edges.WINDOW : t + 1], t + 1 - half
        change = filled[edge] - filled[edge - 1]
        fits = np.array([fitted_step(window[:, axis]) for axis in range(axes)])
        if (t + 1) % 8 == 0:
            weight = edges.STEADY if looked >= 300 else 1.0 / (looked + 1)
            most = edges.MOST * usual if looked >= edges.KNOWN else np.full((3, axes), np.inf)
            usual = usual + weight * (np.minimum([change**2, fits[:, 0] ** 2, fits[:, 1]], most) - usual)
            looked += 1
        if looked < edges.KNOWN or blocked:
            continue
        floor = np.maximum(usual[0], 1e-12)
        energy = float((fits[:, 0] ** 2 / np.maximum(usual[1], 0.3 * floor)).sum())
        size, along = float((fits[:, 0] ** 2 / floor).sum()), float((fits[:, 0] * change / floor).sum())
        rest = float((fits[:, 1] / np.maximum(usual[2], floor)).sum())
        if (
            (change**2 > edges.STANDS_OUT * usual[0]).any()
            and energy >= edges.LEAST + needed
            and energy > best[0]
            and along >= edges.SHARP * size - 2.0 * np.sqrt(size)
            and rest <= edges.UNREST * axes + 0.1 * energy / 6.0
        ):
            best = (energy, edge, fits[:, 0])
        if best[1] >= 0 and edge - best[1] >= edges.WAIT:
            found.append((best[1], best[2]))
            needed = (edges.LEAST + needed) * edges.DEAFER - edges.LEAST
            best, blocked = (0.0, -1, best[2]), half
    return found
