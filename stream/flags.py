"""One bit each per sample. Raw counts are never overwritten: cleaning is raw data plus flags."""

import enum


class Flag(enum.IntFlag):
    """What is known of one sample, over all its channels (uint16 on the wire and in the stores)."""

    MISSING = 1
    """No channel has a value: the instrument or the file says that there is a sample, but not which."""
    SPIKE = 2
    """One to five samples that left the field's course and came back: an artefact of the instrument."""
    STUCK = 4
    """At least one axis repeats itself for longer than its noise allows."""
    SATURATED = 8
    """At least one axis is at the end of the instrument's range."""
    OUT_OF_RANGE = 16
    """At least one axis has a value that the Earth's field cannot have."""
    CLOCK_UNSYNCED = 32
    """The time stamp comes from a clock that was not synchronised; the value itself is good."""
    DISTURBED = 64
    """Artificial: something was moved near the sensor (a vehicle, a hand, a tool)."""


CLEAN_WITHOUT = Flag.MISSING | Flag.SPIKE | Flag.STUCK | Flag.SATURATED | Flag.OUT_OF_RANGE | Flag.DISTURBED
"""A sample with any of these has no cleaned value; an unsynchronised clock alone does not spoil the value."""
