"""How likely a residual is, in integers: the tables that both ends of the wire must have alike.

A value is predicted to an eighth of a bucket. How far values were off of late picks one of SCALES distributions; each
is nineteen parts of a normal distribution and one part of one two and a half times as wide, which is what instruments
and the field together leave (measured on observatories, RM3100 and simulated sensors). Beyond the last scale, values
are coded in buckets of 2, 4, 8... and the rest of their bits as they are.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SCALES = 36
"""Four to an octave of the mean distance (MIX in channel_coder), from LOWEST_OCTAVE on."""
PHASES = 8
LOWEST_OCTAVE = 5
"""Distances are in 1/2048 of a count: the first scale begins at 1/64 of a count, the last ends at 8 counts."""
TOTAL = 65536
ESCAPE = 48
"""Of TOTAL, for what is outside the table."""
STEPS = 32
"""Points of the table of the normal distribution in a standard deviation."""

# fmt: off
INVERSE = np.array([
    54613, 51200, 49648, 48188, 45511, 43116, 39961, 37236, 34860, 32768, 31267, 30118,
    29257, 27769, 26006, 24824, 23207, 21278, 18409, 14895, 11703, 9526, 8317, 7062,
    5851, 4655, 3977, 3516, 2905, 2409, 2023, 1743, 1476, 1214, 1024, 890,
], np.int64)
"""8192 over the standard deviation of each scale, in counts; beyond the last, in buckets."""
CENTRAL = np.array([
    0, 436331, 872178, 1307059, 1740495, 2172013, 2601144, 3027429, 3450419, 3869673, 4284764, 4695281, 5100824,
    5501010, 5895475, 6283871, 6665870, 7041164, 7409464, 7770504, 8124038, 8469841, 8807714, 9137477, 9458973,
    9772067, 10076647, 10372624, 10659927, 10938511, 11208349, 11469433, 11721776, 11965412, 12200389, 12426774,
    12644652, 12854120, 13055293, 13248297, 13433272, 13610370, 13779751, 13941587, 14096058, 14243352, 14383661,
    14517187, 14644132, 14764706, 14879118, 14987582, 15090312, 15187523, 15279428, 15366242, 15448175, 15525437,
    15598235, 15666772, 15731248, 15791858, 15848794, 15902241, 15952381, 15999389, 16043436, 16084685, 16123294,
    16159418, 16193202, 16224786, 16254305, 16281887, 16307656, 16331727, 16354211, 16375213, 16394833, 16413164,
    16430296, 16446313, 16461293, 16475309, 16488432, 16500727, 16512253, 16523069, 16533227, 16542776, 16551762,
    16560228, 16568213, 16575754, 16582885, 16589636, 16596037, 16602114, 16607892, 16613393, 16618637, 16623645,
    16628432, 16633015, 16637409, 16641627, 16645680, 16649580, 16653337, 16656961, 16660459, 16663839, 16667108,
    16670273, 16673339, 16676312, 16679195, 16681995, 16684714, 16687356, 16689925, 16692423, 16694854, 16697220,
    16699523, 16701765, 16703949, 16706076, 16708149, 16710168, 16712135, 16714052, 16715920, 16717740, 16719513,
    16721241, 16722925, 16724565, 16726163, 16727720, 16729236, 16730712, 16732150, 16733550, 16734913, 16736240,
    16737532, 16738788, 16740011, 16741201, 16742358, 16743483, 16744577, 16745641, 16746675, 16747680, 16748656,
    16749605, 16750527, 16751422, 16752291, 16753135, 16753954, 16754749, 16755520, 16756268, 16756994, 16757698,
    16758380, 16759042, 16759683, 16760305, 16760907, 16761491, 16762056, 16762603, 16763133, 16763645, 16764142,
    16764622, 16765087, 16765536, 16765971, 16766391, 16766798, 16767191, 16767570, 16767937, 16768292, 16768634,
    16768964, 16769284, 16769592, 16769889, 16770176, 16770453, 16770720, 16770978, 16771226, 16771466, 16771696,
    16771919, 16772133, 16772340, 16772539, 16772730, 16772915, 16773092, 16773263, 16773428, 16773586, 16773738,
    16773885, 16774025, 16774161, 16774291, 16774416, 16774536, 16774652, 16774763, 16774869, 16774971, 16775070,
    16775164, 16775254, 16775341, 16775424, 16775504, 16775581, 16775654, 16775724, 16775792, 16775857, 16775918,
    16775978, 16776035, 16776089, 16776141, 16776191, 16776239, 16776284, 16776328, 16776370, 16776410, 16776448,
    16776484, 16776519, 16776553, 16776584, 16776615, 16776644, 16776672, 16776698, 16776723, 16776748, 16776771,
    16776793,
], np.int64)
# fmt: on
"""2**24 times the share of the distribution within 0, 1/32, 2/32... 8 of its standard deviations."""


class Tables(NamedTuple):
    """What both kernels look up.

    cumulative: uint32 [SCALES x PHASES, columns]: of TOTAL, what lies below each bucket, then below the escape, then
    TOTAL. reach: int64 [SCALES], buckets on each side of the prediction. guess: uint8 [SCALES x PHASES, 64]: the
    symbol in which each 64th of TOTAL begins.
    """

    cumulative: NDArray[np.uint32]
    reach: NDArray[np.int64]
    guess: NDArray[np.uint8]


def _share_below(sixteenths: NDArray[np.int64], inverse: int) -> NDArray[np.int64]:
    """2**24 times the distribution function, `sixteenths` of a bucket above the prediction."""
    place = np.abs(sixteenths) * inverse
    index = np.minimum(place >> 12, len(CENTRAL) - 1)
    after = CENTRAL[np.minimum(index + 1, len(CENTRAL) - 1)]
    within = CENTRAL[index] + ((after - CENTRAL[index]) * (place & 4095) >> 12)
    return np.asarray((1 << 23) + np.where(sixteenths < 0, -within, within) // 2, np.int64)


def _tables() -> Tables:
    reach = 2 + 7 * 8192 // INVERSE
    columns = 2 * int(reach.max()) + 2
    cumulative = np.full((SCALES * PHASES, columns), TOTAL, np.uint32)
    guess = np.zeros((SCALES * PHASES, 64), np.uint8)
    for scale in range(SCALES):
        buckets = np.arange(-reach[scale], reach[scale] + 1)
        share_of = TOTAL - ESCAPE - (len(buckets) - 1)
        for phase in range(PHASES):
            below = _share_below(16 * buckets - 2 * phase - 1, int(INVERSE[scale]))
            below[0], below[-1] = 0, 1 << 24
            row = scale * PHASES + phase
            cumulative[row, : len(buckets)] = np.arange(len(buckets)) + (below * share_of >> 24)
            guess[row] = np.searchsorted(cumulative[row, : len(buckets)], np.arange(64) * 1024, "right") - 1
    return Tables(cumulative, reach, guess)


TABLES = _tables()
