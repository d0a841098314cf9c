"""What a calibration makes of raw counts, and which calibrations cannot be."""

import numpy as np
import pytest
from pydantic import ValidationError

from edge.calibration import Calibration, calibrated
from stream.block import MISSING, Channel, Samples

CHANNELS = (*(Channel(name, "nT", 0.1) for name in "xyz"), Channel("temperature", "degC", 0.01))


def samples(*rows: tuple[int, int, int, int]) -> Samples:
    return Samples.raw(CHANNELS, np.arange(len(rows)), np.array(rows, np.int32))


def test_without_any_numbers_it_is_the_field_as_it_was_read() -> None:
    field = calibrated(samples((200_000, -10_000, 440_000, 2000)), Calibration(version="1"))
    assert field.tolist() == [[20_000.0, -1000.0, 44_000.0]]


def test_offset_scale_temperature_orthogonality_and_orientation_are_taken_in_this_order() -> None:
    turn = ((0.0, 1.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    matrix = ((1.0, 0.01, 0.0), (0.0, 1.0, 0.02), (0.0, 0.0, 1.0))
    calibration = Calibration(
        version="1",
        scale=(1.1, 0.9, 1.0),
        offset_nt=(10.0, -20.0, 5.0),
        orthogonality=matrix,
        orientation=turn,
        temperature_nt_per_c=(2.0, 0.0, -1.0),
        reference_c=15.0,
    )
    field = calibrated(samples((200_000, -10_000, 440_000, 2500)), calibration)
    warm = np.array([20_000.0, -1000.0, 44_000.0]) - 10.0 * np.array([2.0, 0.0, -1.0])
    expected = np.array(turn) @ np.array(matrix) @ ((warm - [10.0, -20.0, 5.0]) * [1.1, 0.9, 1.0])
    assert field[0] == pytest.approx(expected)


def test_a_row_without_a_value_has_no_field_and_counts_stay_raw() -> None:
    raw = samples((200_000, MISSING, 440_000, 2000), (1, 2, 3, MISSING))
    before = raw.counts.copy()
    assert np.isnan(
        calibrated(raw, Calibration(version="1", orthogonality=((1, 0.1, 0), (0, 1, 0.1), (0.1, 0, 1))))[0]
    ).all()
    assert np.isnan(calibrated(raw, Calibration(version="1", temperature_nt_per_c=(1, 1, 1)))[1]).all()
    assert np.array_equal(raw.counts, before)


def test_a_scalar_and_other_units_are_calibrated_too() -> None:
    raw = Samples.raw((Channel("f", "uT", 0.001),), np.arange(1), np.array([[48_464]], np.int32))
    calibration = Calibration(version="1", channels=("f",), offset_nt=(4.0, 0.0, 0.0))
    assert calibrated(raw, calibration).tolist() == [[48_460.0]]
    with pytest.raises(KeyError, match="no channel 'x'"):
        calibrated(raw, Calibration(version="1"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": ""},
        {"version": "1", "scale": (1.0, 1.0)},
        {"version": "1", "scale": (float("nan"), 1.0, 1.0)},
        {"version": "1", "orthogonality": ((1, 0, 0), (1, 0, 0), (0, 0, 1))},
        {"version": "1", "orientation": ((2, 0, 0), (0, 1, 0), (0, 0, 1))},
        {"version": "1", "channels": ("x", "y")},
        {"version": "1", "gain": 2},
    ],
)
def test_a_calibration_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Calibration.model_validate(wrong)


def test_another_number_is_another_digest() -> None:
    one, other = Calibration(version="a"), Calibration(version="a", reference_c=21.0)
    assert one.digest == Calibration(version="a").digest != other.digest
    assert one.digest.startswith("a-")
