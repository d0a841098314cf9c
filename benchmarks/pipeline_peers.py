"""What others offer for a part of the pipeline's work, each on three axes. They are imported where they are called."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def half_space_trees(values: Values) -> None:
    """river: one score a vector, learnt as it comes; values brought to 0..1, as it asks for."""
    from river import anomaly, preprocessing  # noqa: PLC0415

    model = preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(seed=1)
    for x, y, z in values.tolist():
        vector = {"x": x, "y": y, "z": z}
        model.score_one(vector)
        model.learn_one(vector)


def gaussian_scorer(values: Values) -> None:
    """river: how far each axis is in the tail of its own past, learnt as it comes."""
    from river import anomaly  # noqa: PLC0415

    scorers = [anomaly.GaussianScorer() for _ in range(values.shape[1])]
    for vector in values.tolist():
        for scorer, value in zip(scorers, vector, strict=True):
            scorer.score_one(None, value)
            scorer.learn_one(None, value)


def sta_lta(values: Values) -> None:
    """obspy: the trigger of seismology on a whole trace at once; it keeps nothing from one trace to the next."""
    from obspy.signal.trigger import recursive_sta_lta  # noqa: PLC0415

    for axis in range(values.shape[1]):
        recursive_sta_lta(np.ascontiguousarray(values[:, axis]), 10, 600)


def rolling_script(values: Values) -> None:
    """pandas: the usual script over a whole file: a Hampel filter in two passes, rates, ranges of the hour."""
    import pandas  # noqa: PLC0415

    frame = pandas.DataFrame(values)
    median = frame.rolling(31, center=True).median()
    away = (frame - median).abs()
    clean = frame.mask(away > 7.0 * 1.4826 * away.rolling(31, center=True).median())
    clean.diff().abs().rolling(10).max()
    hour = clean.rolling(36_000, min_periods=1)
    (hour.max() - hour.min()).max()


PEERS = {
    "river HalfSpaceTrees": ("river", 2_000, half_space_trees),
    "river GaussianScorer": ("river", 10_000, gaussian_scorer),
    "obspy recursive STA/LTA": ("obspy", 200_000, sta_lta),
    "pandas rolling script": ("pandas", 100_000, rolling_script),
}
"""By name: the package, on how many vectors it is measured, and the work."""
