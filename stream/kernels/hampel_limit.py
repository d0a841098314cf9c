"""The limit of the Hampel rule in whole numbers: how small the MAD must be for a count to be a spike."""

from fractions import Fraction

import numpy as np

from stream.kernels import kernel

SIGMA_PER_MAD = Fraction(14826, 10000)
LARGEST = 2**20


def limit_ratio(factor: Fraction) -> tuple[int, int]:
    """Numerator and denominator of factor x 1.4826: beyond that many MADs from the median a count is a spike.

    Raises ValueError where the factor is not above zero, or has so many digits that either exceeds 2**20.
    """
    ratio = factor * SIGMA_PER_MAD
    if ratio <= 0 or max(ratio.numerator, ratio.denominator) > LARGEST:
        raise ValueError(f"factor {factor}: above 0, at most 700, of at most two decimals")
    return ratio.numerator, ratio.denominator


@kernel
def deciding_distance(distance: int | np.int64, numerator: int, denominator: int) -> np.int64:
    """The largest MAD at which a count `distance` >= 0 from the median is still flagged; -1: none, it lies on it.

    Flagged is distance * denominator > numerator * MAD, so MAD <= (distance * denominator - 1) // numerator. The
    double quotient's integral part is exact: distance < 2**32 and denominator <= 2**20 make the dividend an exact
    double, and the quotient's error is below 1 / (2 numerator), less than what keeps it from the next integer.
    """
    return np.int64(np.floor((float(distance) * denominator - 1.0) / numerator))
