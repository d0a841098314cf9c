"""Which channels are judged, and which of them together."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream.block import NT_PER_UNIT, Channel
from stream.detectors.base import Group

_COMPONENT = re.compile(r"(?:b|mag_?)?([xyzhdeuvw])(?:_?[npu]t)?\d*", re.IGNORECASE)
_ARCMIN_PER_UNIT = {"arcmin": 1.0, "min": 1.0, "deg": 60.0, "arcsec": 1.0 / 60.0}
NT_PER_ARCMIN_OF_1_NT = 3.14159265358979 / 10_800.0
"""A declination that turns by one minute of arc moves the field eastward by so much of H."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A judged channel: where it stands in the samples, and its factor from counts to the unit that is judged in.

    by_h: its counts are of an angle; the factor is to minutes of arc, and the nanotesla take an H.
    """

    name: str
    column: int
    factor: float
    by_h: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """The axes of a sensor, the groups in which they are judged, and the place of H among them (-1: none)."""

    axes: tuple[Axis, ...]
    groups: tuple[Group, ...]
    h: int

    @property
    def columns(self) -> NDArray[np.int64]:
        """Where the axes stand in the samples."""
        return np.array([axis.column for axis in self.axes], np.int64)

    @property
    def together(self) -> NDArray[np.int64]:
        """The number of each axis' group."""
        sizes = [group.columns.stop - group.columns.start for group in self.groups]
        return np.repeat(np.arange(len(sizes)), sizes)


def judged(channels: tuple[Channel, ...]) -> Judged:
    """The components of the field are one group, each scalar of the field is another; the rest is only carried.

    A sensor without any channel of the field has each of its channels judged in its own unit.
    """
    vector: list[Axis] = []
    scalars: list[Axis] = []
    for column, channel in enumerate(channels):
        match = _COMPONENT.fullmatch(channel.name)
        if channel.unit in NT_PER_UNIT:
            axis = Axis(channel.name, column, channel.lsb * NT_PER_UNIT[channel.unit])
            (vector if match else scalars).append(axis)
        elif channel.unit in _ARCMIN_PER_UNIT and match and match[1].lower() == "d":
            vector.append(Axis(channel.name, column, channel.lsb * _ARCMIN_PER_UNIT[channel.unit], by_h=True))
    if not vector and not scalars:
        axes = tuple(Axis(channel.name, column, channel.lsb) for column, channel in enumerate(channels))
        alone = (Group((one.name,), slice(i, i + 1), channels[i].unit, primary=False) for i, one in enumerate(axes))
        return Judged(axes, tuple(alone), -1)
    axes = (*vector, *scalars)
    groups = [Group(tuple(axis.name for axis in vector), slice(0, len(vector)), "nT", primary=True)] if vector else []
    for i, one in enumerate(scalars, len(vector)):
        groups.append(Group((one.name,), slice(i, i + 1), "nT", primary=not groups))
    h = next((i for i, one in enumerate(axes) if not one.by_h and one.name.lower().lstrip("b").startswith("h")), -1)
    return Judged(axes, tuple(groups), h)
