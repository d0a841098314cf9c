"""What makes a calibrated field of raw counts: scale, offset, orthogonality, orientation, temperature coefficients.

Counts stay raw on their whole way; the calibration is part of the settings, has a version, and is told in the status.
B = R M diag(s) (raw - o - c (T - T0)), with o and c in nT and nT per degree as the sensor reads them, M the matrix that
makes its axes orthogonal, and R its orientation (Olsen et al., Earth Planets Space 55, 2003, section 2).
"""

import hashlib
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from stream.block import NT_PER_UNIT, Samples

Three = tuple[float, float, float]
Matrix = tuple[Three, Three, Three]
IDENTITY: Matrix = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
_ORTHONORMAL_WITHIN = 1e-3
_LEAST_DETERMINANT = 0.1


class Calibration(BaseModel):
    """The calibration of one sensor of three axes, or of one axis, of which the first number of each three counts."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$")]
    """A name for these numbers, such as the day on which they were measured."""
    channels: Annotated[tuple[str, ...], Field(min_length=1, max_length=3)] = ("x", "y", "z")
    scale: Three = (1.0, 1.0, 1.0)
    offset_nt: Three = (0.0, 0.0, 0.0)
    orthogonality: Matrix = IDENTITY
    orientation: Matrix = IDENTITY
    """Rows are north, east and down (or whatever is wanted) in the sensor's axes."""
    temperature_nt_per_c: Three = (0.0, 0.0, 0.0)
    reference_c: float = 20.0
    temperature_channel: str = "temperature"

    @field_validator("channels")
    @classmethod
    def _one_or_three(cls, channels: tuple[str, ...]) -> tuple[str, ...]:
        if len(channels) == 2 or len(set(channels)) != len(channels):
            raise ValueError("one channel or three different ones")
        return channels

    @field_validator("orthogonality")
    @classmethod
    def _can_be_inverted(cls, matrix: Matrix) -> Matrix:
        if abs(np.linalg.det(np.array(matrix))) < _LEAST_DETERMINANT:
            raise ValueError("its axes are nearly in one plane: the matrix cannot be inverted")
        return matrix

    @field_validator("orientation")
    @classmethod
    def _only_turns(cls, matrix: Matrix) -> Matrix:
        turned = np.array(matrix)
        if np.abs(turned @ turned.T - np.eye(3)).max() > _ORTHONORMAL_WITHIN:
            raise ValueError("its rows are not three unit vectors at right angles")
        return matrix

    @property
    def digest(self) -> str:
        """`VERSION-` and 64 bits of a digest: another number anywhere is another digest."""
        return f"{self.version}-{hashlib.blake2b(self.model_dump_json().encode(), digest_size=8).hexdigest()}"


def calibrated(samples: Samples, calibration: Calibration) -> NDArray[np.float64]:
    """The field in nT, float64 [n, channels], NaN in a row with a channel missing that it needs.

    Raises KeyError when the samples have no such channel.
    """
    raw_nt = np.column_stack([_nanotesla(samples, name) for name in calibration.channels])
    size = raw_nt.shape[1]
    coefficients = np.array(calibration.temperature_nt_per_c)[:size]
    if coefficients.any():
        warmer = _physical(samples, calibration.temperature_channel) - calibration.reference_c
        raw_nt -= warmer[:, np.newaxis] * coefficients
    scaled: NDArray[np.float64] = (raw_nt - np.array(calibration.offset_nt)[:size]) * np.array(calibration.scale)[:size]
    if size == 1:
        return scaled
    turn = np.array(calibration.orientation) @ np.array(calibration.orthogonality)
    field: NDArray[np.float64] = scaled @ turn.T
    return field


def _physical(samples: Samples, name: str) -> NDArray[np.float64]:
    for column, channel in enumerate(samples.channels):
        if channel.name == name:
            return channel.physical(samples.counts[:, column])
    raise KeyError(f"there is no channel {name!r}")


def _nanotesla(samples: Samples, name: str) -> NDArray[np.float64]:
    unit = next((channel.unit for channel in samples.channels if channel.name == name), "nT")
    return _physical(samples, name) * NT_PER_UNIT[unit]
