"""Simulated series in the manner of the Numenta Anomaly Benchmark's families, with labelled windows, seeded.

Five minutes apart unless said otherwise. As there, a file's windows are together a tenth of its length.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

SECOND_NS = 10**9
Values = NDArray[np.float64]
Made = tuple[NDArray[np.int64], Values, list[int], int]
"""Times, values, the rows at which something happens, and how many decimals are printed."""


def _times(n: int = 4032, seconds: int = 300) -> tuple[NDArray[np.int64], Values]:
    """Times from a midnight on, and the hour of the day of each."""
    since = np.arange(n) * seconds
    return (1_396_310_400 + since) * SECOND_NS, since % 86_400 / 3600.0


def _walk(random: np.random.Generator, n: int, keeps: float, sigma: float) -> Values:
    """An autoregressive series."""
    out = random.normal(0.0, sigma, n)
    for i in range(1, n):
        out[i] += keeps * out[i - 1]
    return out


def _rows(random: np.random.Generator, n: int, *ranges: tuple[float, float]) -> list[int]:
    return [int(random.uniform(low, high) * n) for low, high in ranges]


TWICE = ((0.3, 0.6), (0.7, 0.9))


def _working_day(random: np.random.Generator, sort: str) -> Made:
    """80 by day and 20 by night; one day is different."""
    times, hour = _times()
    n = len(times)
    working = (hour >= 9) & (hour < 18)
    values = np.where(working, 80.0, 20.0) + random.uniform(-3, 3, n) + np.where(working, random.uniform(-4, 8, n), 0)
    odd = np.arange(n) // 288 == random.integers(7, 12)
    if sort == "up":
        values[odd & working] += 60.0
    elif sort == "down":
        values[odd & working] -= 45.0
    elif sort == "flat":
        values[odd] = random.uniform(19, 21, odd.sum())
    else:
        values[odd & working] = random.uniform(17, 23, (odd & working).sum())
    return times, values, [int((odd & working).argmax())], 3


def _load_balancer(random: np.random.Generator) -> Made:
    times, _ = _times()
    values = random.exponential(0.05, len(times))
    values += np.where(random.random(len(times)) < 0.05, random.uniform(0.2, 1.2, len(times)), 0.0)
    (at,) = _rows(random, len(times), (0.35, 0.9))
    values[at : at + 30 : 2] = 2.0 + random.uniform(0, 1, len(values[at : at + 30 : 2]))
    return times, values, [at], 3


def _spike_density(random: np.random.Generator) -> Made:
    times, _ = _times()
    (at,) = _rows(random, len(times), (0.4, 0.7))
    often = np.full(len(times), 0.01)
    often[at : at + 250] = 0.12
    return times, np.where(random.random(len(times)) < often, 20.0, 0.0), [at], 3


def _idle_processor(random: np.random.Generator) -> Made:
    """Three values over and over, rare bursts; then a value never seen, then a shift smaller than the bursts."""
    times, _ = _times()
    n = len(times)
    values = random.choice([0.132, 0.134, 0.066], n, p=[0.425, 0.425, 0.15])
    values = np.where(random.random(n) < 0.004, random.uniform(1, 2.3, n), values)
    at = _rows(random, n, *TWICE)
    values[at[0]] = random.uniform(3, 10)
    values[at[1] :] += 0.05
    return times, values, at, 3


def _busy_processor(random: np.random.Generator, *, shifts: bool) -> Made:
    times, _ = _times()
    n = len(times)
    if shifts:
        values = 40 + random.normal(0, 3, n) + _walk(random, n, 0.95, 1)
        at = _rows(random, n, *TWICE)
        values[at[0] :] += random.choice([-1, 1]) * random.uniform(8, 25)
        values[at[1]] = random.choice([90.0, 5.0])
        return times, values, at, 3
    values = np.abs(_walk(random, n, 0.8, 3)) + 5
    values += np.where(random.random(n) < 0.01, random.uniform(10, 40, n), 0)
    at = _rows(random, n, (0.3, 0.9))
    values[at[0] : at[0] + int(random.integers(10, 60))] += 45
    return times, values, at, 3


def _network(random: np.random.Generator) -> Made:
    """Bytes with a job that comes again and again."""
    times, _ = _times()
    n = len(times)
    values = np.exp(13 + 0.3 * _walk(random, n, 0.3, 0.5))
    values[:: int(random.integers(30, 200))] *= 6
    at = _rows(random, n, *TWICE)
    values[at[0] : at[0] + 3] *= 25
    values[at[1] : at[1] + 100] *= 3
    return times, values, at, 0


def _requests(random: np.random.Generator) -> Made:
    times, hour = _times()
    n = len(times)
    usual = 60 * (1.2 - np.cos(2 * np.pi * (hour - 4) / 24)) * np.exp(random.normal(0, 0.3, n))
    values = random.poisson(usual).astype(np.float64)
    at = _rows(random, n, *TWICE)
    values[at[0] : at[0] + 8] += 500
    values[at[1]] += 620
    return times, values, at, 0


def _mentions(random: np.random.Generator) -> Made:
    """Counts in bursts, the larger the rarer; two that are larger still."""
    times, hour = _times(12_000)
    n = len(times)
    usual = 30 * (1.1 - 0.8 * np.cos(2 * np.pi * (hour - 4) / 24)) * np.exp(0.4 * _walk(random, n, 0.9, 0.3))
    values = random.poisson(usual).astype(np.float64)
    for start in random.integers(0, n - 30, 60):
        values[start : start + 20] += random.pareto(1.7) * 40 * np.exp(-np.arange(20) / 4)
    at = _rows(random, n, (0.3, 0.5), (0.7, 0.9))
    for start in at:
        values[start : start + 100] += random.uniform(800, 3000) * np.exp(-np.arange(100) / 15.0)
    return times, values, at, 0


def _machine(random: np.random.Generator) -> Made:
    """A temperature that wanders, and falls when the machine stops."""
    times, _ = _times(12_000)
    n = len(times)
    values = 85 + np.cumsum(random.normal(0, 0.03, n)) + _walk(random, n, 0.99, 0.5)
    at = _rows(random, n, (0.3, 0.5), (0.75, 0.92))
    values[at[0] : at[0] + 120] -= 40 * np.minimum(np.arange(120) / 60, 1)
    values[at[1] : at[1] + 300] -= 60 * np.minimum(np.arange(300) / 100, 1)
    return times, values, [start + 20 for start in at], 6


def _room(random: np.random.Generator) -> Made:
    """The temperature of a room, hourly."""
    times, hour = _times(7000, 3600)
    n = len(times)
    values = 70 + 2 * np.sin(2 * np.pi * (hour - 9) / 24) + _walk(random, n, 0.98, 0.5) + random.normal(0, 0.3, n)
    at = _rows(random, n, (0.4, 0.6), (0.75, 0.92))
    values[at[0] : at[0] + 60] -= 9 * np.sin(np.pi * np.arange(60) / 60)
    values[at[1] : at[1] + 100] += random.choice([-1, 1]) * 8 * np.sin(np.pi * np.arange(100) / 100)
    return times, values, [at[0] + 10, at[1] + 15], 6


def _passengers(random: np.random.Generator) -> Made:
    """Half-hourly, with a week; four days are holidays or storms."""
    times, hour = _times(10_320, 1800)
    n = len(times)
    weekend = times // SECOND_NS // 86_400 % 7 > 4
    usual = 1.1 - 0.8 * np.cos(2 * np.pi * (hour - 4) / 24)
    usual -= 0.3 * np.cos(4 * np.pi * (hour - 2) / 24) * (1 + 0.3 * weekend)
    values = 12_000 * usual * (1 - 0.12 * weekend) * (1 + 0.04 * _walk(random, n, 0.8, 0.6)) + random.normal(0, 300, n)
    days = sorted(int(day) * 48 for day in random.choice(np.arange(70, 200), 4, replace=False))
    for day in days:
        values[day : day + 48] *= random.choice([0.45, 0.6, 1.4])
    return times, np.maximum(values, 0), [day + 12 for day in days], 0


def _latency(random: np.random.Generator) -> Made:
    times, _ = _times()
    n = len(times)
    values = 45 + random.normal(0, 1.5, n) + _walk(random, n, 0.9, 0.6)
    values += np.where(random.random(n) < 0.002, random.uniform(5, 20, n), 0)
    at = _rows(random, n, (0.3, 0.6), (0.7, 0.95))
    values[at[0] : at[0] + 2] += random.uniform(15, 40)
    values[at[1] : at[1] + 40] -= 20
    return times, values, at, 3


def _exchange(random: np.random.Generator) -> Made:
    """The price of a click, hourly."""
    times, hour = _times(1640, 3600)
    n = len(times)
    values = 0.1 * np.exp(random.normal(0, 0.15, n) + 0.1 * np.sin(2 * np.pi * hour / 24))
    at = _rows(random, n, *TWICE)
    for row in at:
        values[row] *= random.uniform(3, 8)
    return times, values, at, 6


def _traffic(random: np.random.Generator) -> Made:
    """Speed on a road, at uneven times."""
    times, hour = _times(2500)
    n = len(times)
    times = times + random.integers(0, 5, n) * 60 * SECOND_NS
    values = 65 + random.normal(0, 4, n) - 8 * (np.abs(hour - 17) < 1)
    for start in random.integers(0, n, 6):
        values[start : start + 2] -= random.uniform(8, 15)
    at = _rows(random, n, (0.35, 0.6), (0.7, 0.9))
    values[at[0] : at[0] + 15] = random.uniform(15, 30)
    values[at[1] : at[1] + 10] = random.uniform(15, 35)
    return times, values, at, 0


def _scaling_group(random: np.random.Generator) -> Made:
    times, _ = _times(9000)
    n = len(times)
    turns = np.sign(np.sin(np.arange(n) * 2 * np.pi / random.integers(150, 300)))
    values = 40 + 15 * turns * random.uniform(0.5, 1, n) + random.normal(0, 4, n)
    (at,) = _rows(random, n, (0.6, 0.9))
    values[at : at + 700] = 90 + random.normal(0, 6, len(values[at : at + 700]))
    return times, values, [at], 3


def _drift(random: np.random.Generator) -> Made:
    times, _ = _times()
    n = len(times)
    values = 20 + np.cumsum(random.normal(0, 0.02, n)) + random.normal(0, 0.3, n)
    (at,) = _rows(random, n, (0.4, 0.85))
    values[at : at + 80] += 2.2
    return times, values, [at], 3


def _rogue(random: np.random.Generator) -> Made:
    """Idle, now and then busy; twice somebody else works on it."""
    times, _ = _times()
    n = len(times)
    values = np.where(random.random(n) < 0.02, random.uniform(0, 1, n), 0.0) + random.exponential(0.02, n)
    at = _rows(random, n, *TWICE)
    values[at[0] : at[0] + 80] += random.exponential(0.6, 80)
    values[at[1] : at[1] + 60] += random.exponential(0.8, 60)
    return times, values, at, 3


def _without(random: np.random.Generator, sort: str) -> Made:
    """Nothing happens."""
    times, hour = _times()
    values = {
        "noise": 50 + random.normal(0, 5, len(times)),
        "daily": 50 - 30 * np.cos(2 * np.pi * hour / 24) + random.normal(0, 1, len(times)),
        "square": np.where((hour >= 9) & (hour < 18), 80.0, 20.0),
        "flat": np.full(len(times), 45.0),
    }[sort]
    return times, values, [], 3


FAMILIES: dict[str, Callable[[np.random.Generator], Made]] = {
    "jumps up": lambda random: _working_day(random, "up"),
    "flat middle": lambda random: _working_day(random, "flat"),
    "load balancer": _load_balancer,
    "idle processor": _idle_processor,
    "busy processor": lambda random: _busy_processor(random, shifts=False),
    "requests": _requests,
    "mentions": _mentions,
    "room temperature": _room,
    "latency": _latency,
    "traffic speed": _traffic,
    "scaling group": _scaling_group,
    "noise": lambda random: _without(random, "noise"),
    "daily": lambda random: _without(random, "daily"),
    "jumps down": lambda random: _working_day(random, "down"),
    "no jump": lambda random: _working_day(random, "none"),
    "spike density": _spike_density,
    "shifting processor": lambda random: _busy_processor(random, shifts=True),
    "network": _network,
    "machine temperature": _machine,
    "passengers": _passengers,
    "exchange": _exchange,
    "drift": _drift,
    "rogue": _rogue,
    "square": lambda random: _without(random, "square"),
    "flat": lambda random: _without(random, "flat"),
}
TUNED_ON = tuple(FAMILIES)[:13]
"""Parameters were set on these; the others are for the report."""
HELD_BACK = tuple(FAMILIES)[13:]


def series(family: str, seed: int) -> tuple[NDArray[np.int64], Values, int, list[tuple[int, int]]]:
    """Times [n], values [n], decimals, and windows as first and last row."""
    times, values, happens, decimals = FAMILIES[family](np.random.default_rng([seed, tuple(FAMILIES).index(family)]))
    half = len(values) // (20 * max(len(happens), 1))
    windows: list[tuple[int, int]] = []
    for at in happens:
        first, last = max(at - half, 0), min(at + half, len(values) - 1)
        if windows and first <= windows[-1][1]:
            windows[-1] = (windows[-1][0], last)
        else:
            windows.append((first, last))
    return times, np.round(values, decimals), decimals, windows
