"""Sharp rises that last: sudden commencements and impulses, weighed against what the field did in the hours before."""

import math

import numpy as np
from numpy.typing import NDArray

from stream.kernels import kernel

MINUTE_NS = 60_000_000_000
RING = 128
"""Buckets kept: at least seven minutes of them."""
MINUTES = 512
"""Minutes kept: at least eight hours and the rise after them."""
SLACK_NS = 4_900_000_000
"""Clocks of slow instruments are uneven by as much; buckets of ten seconds are still told apart."""
FEWEST_NS, FEWEST = 20_000_000_000, 2
"""An onset has at least so much of a past, and so many buckets."""
AGE_MIN, EARLY_AGE_MIN = 4, 3
"""A rise is judged so many minutes after its onset; one beyond doubt already after the fewer."""
APART_MIN = 2
"""An onset is the sharpest within so many minutes before it, and within one after."""
FIRST_SHARE = 0.5
"""How sharp: the rise within three minutes, and this times the rise within the first of them."""
GATE_NT = 5.0
"""Smaller rises within three minutes are not looked at; most of the field's unrest ends here."""
LASTS = 0.5
"""Of the rise so much must be left when it is judged."""
BEGINS = 0.2
"""It begins where it has come less than so much of its way, and rises still when a minute brought more than that."""
AT_ONCE = 0.9
"""Where buckets are minutes, a rise of which so much comes from one to the next is taken for a step."""
TORN = 1.3
"""Where the buckets of a figure lie farther apart than so many times what they should, there was a gap."""
LONGEST_MIN, LONG_MIN, MIDDLE_MIN, SHORT_MIN = 480, 180, 60, 30
"""How far back the features look."""
FADES = 1.0 - 1.0 / 180.0
"""What the field did a minute earlier counts so much less: a memory of three hours."""
YOUNG_MIN = 30
"""With less of a past than this, it counts as no calmer than the floors of youth."""
FLOOR_NT, YOUNG_CHANGE_NT, YOUNG_SPREAD_NT, YOUNG_FALL_NT = 0.5, 2.0, 2.0, 3.0
"""Whatever is smaller counts as so large: half the resolution of the index that the weights were fitted on."""
FALL_FLOOR_NT = 1.0
MEAN_SIZE, LARGEST_OF_60, LARGEST_OF_180 = 0.8, 2.4, 2.75
"""Sizes of normal noise, in sigma."""
ABOVE_NOISE = 10.0
"""A rise is at least so many sigma of the noise of a minute's mean high."""

KNOWN, FIRST_NS, KNOWN_MINUTES, LAST_MINUTE_NS, TOLD_NS, WARNED_NS, FIRST_TIME = range(7)
FIRST_MINUTE = FIRST_TIME + RING
INTS = FIRST_MINUTE + MINUTES
"""Integers: buckets so far and the time of the first, minutes so far and the time of the last, the onsets last told at
all and with a warning; then the times of the buckets and of the minutes."""
VALUE_ROW, SMOOTH_ROW, MINUTE_ROW = 0, RING, 2 * RING
FIGURE_ROWS = 2 * RING + MINUTES
"""Rings of the figures [FIGURE_ROWS, axes]: buckets; means of the minute that each ends; one such mean a minute."""
RISES = 2
"""Per bucket [RING, RISES]: the rise within three minutes after it, and its sharpness."""
STEEPEST, HEIGHT, SPREAD, USUAL, FALL_1_H, FALL_3_H = range(6)
FEATURES = 6
"""What is weighed, as natural logarithms of nT: the steepest minute and the height of the rise; of what was before it,
along its direction, the standard deviation of half an hour; the usual change in three minutes, with a memory of three
hours; the largest fall in three minutes within an hour and within three. The minutes' noise is taken off these."""
NEVER_NS = -(2**62)
WHENS, PEAK, HELD, PROBABILITY, RISE_S, FIRST_FEATURE = 4, 0, 1, 2, 3, 4
RESULTS = FIRST_FEATURE + FEATURES
"""A finding's integers: onset_ns, peak_ns, end_ns, row; its figures: rise at its peak, what is left of it, probability,
seconds from onset to peak, the features; then for each axis its change."""


@kernel
def bucket_before(ints: NDArray[np.int64], then_ns: int) -> int:
    """The number of the newest bucket not later than that, or hardly; -1 where none is kept."""
    number = ints[KNOWN] - 1
    while number >= 0 and number > ints[KNOWN] - RING:
        if ints[FIRST_TIME + number % RING] <= then_ns + SLACK_NS:
            return int(number)
        number -= 1
    return -1


@kernel
def change(figures: NDArray[np.float64], older: int, newer: int, axis: int) -> float:
    """Between two rows of the figures; none where one is not known."""
    moved = figures[newer, axis] - figures[older, axis]
    return 0.0 if math.isnan(moved) else float(moved)


@kernel
def size(figures: NDArray[np.float64], use: NDArray[np.bool_], signed: bool, older: int, newer: int) -> float:
    """How far the field moved between two rows, on the axes that are used; signed: of one axis, falls are below 0."""
    total = 0.0
    for axis in range(len(use)):
        if use[axis]:
            moved = change(figures, older, newer, axis)
            if signed:
                return moved
            total += moved * moved
    return math.sqrt(total)


@kernel
def along(figures: NDArray[np.float64], direction: NDArray[np.float64], older: int, newer: int) -> float:
    """How far the field moved between two rows, along a direction."""
    total = 0.0
    for axis in range(len(direction)):
        if direction[axis] != 0.0:
            total += direction[axis] * change(figures, older, newer, axis)
    return total


@kernel
def push(ints: NDArray[np.int64], figures: NDArray[np.float64], now: int, values: NDArray[np.float64]) -> None:
    """Keep a bucket, the mean of the minute that it ends, and of these one a minute."""
    known = ints[KNOWN]
    slot = known % RING
    ints[FIRST_TIME + slot] = now
    ints[KNOWN] = known + 1
    for axis in range(len(values)):
        value = values[axis]
        if math.isnan(value) and known:
            value = figures[VALUE_ROW + (known - 1) % RING, axis]
        figures[VALUE_ROW + slot, axis] = value
        total, n, number = 0.0, 0, known
        while number >= 0 and number > known - RING and now - ints[FIRST_TIME + number % RING] < MINUTE_NS - SLACK_NS:
            value = figures[VALUE_ROW + number % RING, axis]
            if not math.isnan(value):
                total += value
                n += 1
            number -= 1
        figures[SMOOTH_ROW + slot, axis] = total / n if n else math.nan
    if ints[KNOWN_MINUTES] == 0 or now - ints[LAST_MINUTE_NS] >= MINUTE_NS - SLACK_NS:
        minute = ints[KNOWN_MINUTES] % MINUTES
        ints[FIRST_MINUTE + minute] = now
        figures[MINUTE_ROW + minute] = figures[SMOOTH_ROW + slot]
        ints[KNOWN_MINUTES] += 1
        ints[LAST_MINUTE_NS] = now


@kernel
def measure_rise(
    ints: NDArray[np.int64],
    figures: NDArray[np.float64],
    rises: NDArray[np.float64],
    use: NDArray[np.bool_],
    signed: bool,
    number: int,
) -> None:
    """The rise within three minutes after a bucket, and its sharpness; none where there is a gap within it."""
    slot = number % RING
    rises[slot, 0] = rises[slot, 1] = 0.0
    then = ints[FIRST_TIME + slot]
    first, third = bucket_before(ints, then + MINUTE_NS), bucket_before(ints, then + 3 * MINUTE_NS)
    if first <= number:
        first = number + 1
    if first >= ints[KNOWN] or ints[FIRST_TIME + first % RING] - then > 2 * MINUTE_NS:
        return
    rises[slot, 0] = size(figures, use, signed, SMOOTH_ROW + slot, SMOOTH_ROW + third % RING)
    rises[slot, 1] = rises[slot, 0] + FIRST_SHARE * size(
        figures, use, signed, SMOOTH_ROW + slot, SMOOTH_ROW + first % RING
    )


@kernel
def is_onset(ints: NDArray[np.int64], rises: NDArray[np.float64], number: int, newest: int) -> bool:
    """Whether a bucket's rise is large, and the sharpest of those near it up to bucket `newest`."""
    sharpness, then = rises[number % RING, 1], ints[FIRST_TIME + number % RING]
    if rises[number % RING, 0] < GATE_NT or number < FEWEST or then - ints[FIRST_NS] < FEWEST_NS:
        return False
    near_ns = APART_MIN * MINUTE_NS + SLACK_NS
    other = number - 1
    while other >= 0 and other > ints[KNOWN] - RING and then - ints[FIRST_TIME + other % RING] < near_ns:
        if rises[other % RING, 1] >= sharpness:
            return False
        other -= 1
    sharpest = True
    for later in range(number + 1, newest + 1):
        sharpest = sharpest and rises[later % RING, 1] <= sharpness
    return sharpest


@kernel
def look_back(
    ints: NDArray[np.int64],
    figures: NDArray[np.float64],
    direction: NDArray[np.float64],
    then: int,
    features: NDArray[np.float64],
) -> float:
    """Sets the features of the hours before `then`, in nT and without the noise of a minute, which it returns."""
    total, squares, n, usual, in_one, weights, weight = 0.0, 0.0, 0, 0.0, 0.0, 0.0, 1.0
    features[FALL_1_H] = features[FALL_3_H] = FALL_FLOOR_NT
    first, oldest = -1, then
    for number in range(ints[KNOWN_MINUTES] - 1, max(ints[KNOWN_MINUTES] - MINUTES, 0) - 1, -1):
        slot = number % MINUTES
        age = then - ints[FIRST_MINUTE + slot]
        if age < 0:
            continue
        if age > LONGEST_MIN * MINUTE_NS:
            break
        oldest = ints[FIRST_MINUTE + slot]
        if first < 0:
            first = MINUTE_ROW + slot
        if age < SHORT_MIN * MINUTE_NS:
            away = along(figures, direction, first, MINUTE_ROW + slot)
            total += away
            squares += away * away
            n += 1
        older = number - 3
        if older < max(ints[KNOWN_MINUTES] - MINUTES, 0):
            continue
        if ints[FIRST_MINUTE + slot] - ints[FIRST_MINUTE + older % MINUTES] > int(3 * TORN * MINUTE_NS):
            continue
        moved = along(figures, direction, MINUTE_ROW + older % MINUTES, MINUTE_ROW + slot)
        usual += weight * abs(moved)
        before = MINUTE_ROW + (number - 1) % MINUTES
        in_one += weight * abs(along(figures, direction, before, MINUTE_ROW + slot))
        weights += weight
        weight *= FADES
        if age < LONG_MIN * MINUTE_NS:
            features[FALL_3_H] = max(features[FALL_3_H], -moved)
        if age < MIDDLE_MIN * MINUTE_NS:
            features[FALL_1_H] = max(features[FALL_1_H], -moved)
    weights = max(weights, 1e-9)
    three, one = (usual / weights) ** 2, (in_one / weights) ** 2
    variance = squares / n - (total / n) ** 2 if n else 0.0
    # Of changes in one and in three minutes, noise has the same part; a field that wanders has thrice as much in three.
    noise = min(max(3.0 * one - three, 0.0) / (4.0 * MEAN_SIZE**2), variance)
    features[USUAL] = math.sqrt(max(1.5 * (three - one), 0.0))
    features[SPREAD] = math.sqrt(max(variance - noise, 0.0))
    for i, sigma in ((FALL_1_H, LARGEST_OF_60), (FALL_3_H, LARGEST_OF_180)):
        features[i] = max(math.sqrt(max(features[i] ** 2 - 2.0 * sigma**2 * noise, 0.0)), FALL_FLOOR_NT)
    if then - oldest < YOUNG_MIN * MINUTE_NS:
        features[USUAL] = max(features[USUAL], YOUNG_CHANGE_NT)
        features[SPREAD] = max(features[SPREAD], YOUNG_SPREAD_NT)
        features[FALL_1_H] = max(features[FALL_1_H], YOUNG_FALL_NT)
        features[FALL_3_H] = max(features[FALL_3_H], YOUNG_FALL_NT)
    return math.sqrt(max(noise, 0.0))


@kernel
def weigh(
    ints: NDArray[np.int64],
    figures: NDArray[np.float64],
    use: NDArray[np.bool_],
    signed: bool,
    weights: NDArray[np.float64],
    number: int,
    row: int,
    whens: NDArray[np.int64],
    results: NDArray[np.float64],
) -> float:
    """Judges the rise after a bucket by what followed so far; returns its probability, and sets a finding's figures."""
    axes = len(use)
    onset, newest = SMOOTH_ROW + number % RING, ints[KNOWN] - 1
    then, now = ints[FIRST_TIME + number % RING], ints[FIRST_TIME + newest % RING]
    after = SMOOTH_ROW + bucket_before(ints, then + 3 * MINUTE_NS) % RING
    direction, length = np.zeros(axes), 0.0
    for axis in range(axes):
        if use[axis]:
            direction[axis] = change(figures, onset, after, axis)
            length += direction[axis] ** 2
    direction /= math.sqrt(length)
    features = results[FIRST_FEATURE:RESULTS]
    peak, peak_ns, steepest = 0.0, then, 0.0
    for later in range(number + 1, newest + 1):
        rise = size(figures, use, signed, onset, SMOOTH_ROW + later % RING)
        if rise > peak:
            peak, peak_ns = rise, ints[FIRST_TIME + later % RING]
    begins, rising = then, number + 1
    while size(figures, use, signed, onset, SMOOTH_ROW + rising % RING) < BEGINS * peak:
        begins = ints[FIRST_TIME + rising % RING]
        rising += 1
    before, gained = onset, 0.0
    for minute in range(1, AGE_MIN + 1):
        if then + minute * MINUTE_NS > now + SLACK_NS:
            break
        later = SMOOTH_ROW + bucket_before(ints, then + minute * MINUTE_NS) % RING
        gained = size(figures, use, signed, before, later)
        steepest = max(steepest, gained)
        before = later
    held = size(figures, use, signed, onset, SMOOTH_ROW + newest % RING)
    noise = look_back(ints, figures, direction, then, features)
    features[STEEPEST], features[HEIGHT] = steepest, peak
    logit = weights[FEATURES]
    for i in range(FEATURES):
        logit += weights[i] * math.log(max(features[i], FLOOR_NT))
    probability = 1.0 / (1.0 + math.exp(-min(max(logit, -50.0), 50.0)))
    by_minutes = ints[FIRST_TIME + (number + 1) % RING] - then >= MINUTE_NS - SLACK_NS
    rises_still = now - then < AGE_MIN * MINUTE_NS - SLACK_NS and gained > BEGINS * peak
    if rises_still or held < LASTS * peak or peak < ABOVE_NOISE * noise or (by_minutes and steepest >= AT_ONCE * peak):
        probability = 0.0
    whens[0], whens[1], whens[2], whens[3] = begins, peak_ns, now, row
    results[PEAK], results[HELD] = peak, held
    results[PROBABILITY], results[RISE_S] = probability, (peak_ns - begins) / 1e9
    for axis in range(axes):
        results[RESULTS + axis] = change(figures, onset, SMOOTH_ROW + newest % RING, axis)
    return probability


@kernel
def due(ints: NDArray[np.int64], age_min: int) -> int:
    """The number of the bucket that is now so many minutes old; -1 where there is none, or a gap since."""
    newest = ints[FIRST_TIME + (ints[KNOWN] - 1) % RING]
    number = bucket_before(ints, newest - age_min * MINUTE_NS)
    if number < 0 or newest - ints[FIRST_TIME + number % RING] > int(age_min * TORN * MINUTE_NS):
        return -1
    return number


@kernel
def follow_onsets(
    bucket_whens: NDArray[np.int64],
    bucket_values: NDArray[np.float64],
    use: NDArray[np.bool_],
    signed: bool,
    weights: NDArray[np.float64],
    limits: NDArray[np.float64],
    rest_ns: int,
    ints: NDArray[np.int64],
    figures: NDArray[np.float64],
    rises: NDArray[np.float64],
    whens: NDArray[np.int64],
    results: NDArray[np.float64],
) -> int:
    """Watch the buckets for sharp rises that last; returns the findings, at most one a bucket.

    bucket_whens [n, 2]: time and row; use [axes]: those that a rise is measured on; signed: it is one, and only its
    rises count; weights [FEATURES + 1]: of the features, and the constant; limits: the probabilities from which a rise
    is told, is told with a warning, and is told early; rest_ns: after one told with a warning, and of those without
    one, the next is not told so soon. whens [n, WHENS] and results [n, RESULTS + axes] are set.
    """
    found = 0
    for row in range(len(bucket_whens)):
        now = bucket_whens[row, 0]
        if ints[KNOWN] == 0 or now <= ints[FIRST_TIME + (ints[KNOWN] - 1) % RING]:
            ints[KNOWN] = ints[KNOWN_MINUTES] = 0
            ints[FIRST_NS] = now
            ints[TOLD_NS] = ints[WARNED_NS] = NEVER_NS
            rises[:] = 0.0
        push(ints, figures, now, bucket_values[row])
        rises[(ints[KNOWN] - 1) % RING] = 0.0
        early, late = due(ints, EARLY_AGE_MIN), due(ints, AGE_MIN)
        if early >= 0:
            measure_rise(ints, figures, rises, use, signed, early)
        for number, newest, least in ((early, early, limits[2]), (late, early, limits[0])):
            if number < 0 or not is_onset(ints, rises, number, newest):
                continue
            then = ints[FIRST_TIME + number % RING]
            if then - ints[WARNED_NS] < rest_ns:
                continue
            probability = weigh(
                ints, figures, use, signed, weights, number, bucket_whens[row, 1], whens[found], results[found]
            )
            warns = probability >= limits[1]
            if not probability >= least or (not warns and then - ints[TOLD_NS] < rest_ns):
                continue
            ints[TOLD_NS] = then
            if warns:
                ints[WARNED_NS] = then
            found += 1
            break
    return found
