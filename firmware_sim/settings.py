"""What a simulated sensor is, as a person writes it down: in TOML, every figure with its unit in its name."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from firmware_sim.presets import PRESETS
from firmware_sim.wire_faults import WireSettings

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
Seconds = Annotated[float, Field(ge=0.0, le=1e9)]
Duration = Annotated[float, Field(gt=0.0, le=1e9)]
PerHour = Annotated[float, Field(ge=0.0, le=360.0)]
PerDay = Annotated[float, Field(ge=0.0, le=1000.0)]
Axes = Annotated[tuple[str, ...], Field(max_length=4)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Storm(_Settings):
    """A sudden commencement and the storm behind it, the same for every station of the region.

    Real ones rise within 2-6 minutes by 15-60 nT at middle latitudes (Araki, 1994); the main phase follows.
    """

    at_s: Seconds
    """When the rise begins at the centre of the region, after the start of the simulation."""
    commencement_nt: Annotated[float, Field(gt=0, le=500)] = 35.0
    rise_s: Annotated[float, Field(ge=10, le=1200)] = 180.0
    main_phase_after_s: Seconds = 2400.0
    main_phase_nt: Annotated[float, Field(ge=0, le=2000)] = 150.0
    """How deep the horizontal component sinks below its quiet level."""
    substorm_nt: Annotated[float, Field(ge=0, le=1000)] = 25.0
    """Standard deviation of the irregular variation at the height of the storm."""


class _Fault(_Settings):
    at_s: Seconds
    """After the start of the simulation."""
    channels: Axes = ()
    """The axes it concerns; none named: all."""


class Spike(_Fault):
    """One to five samples off by about the amplitude, on the wire, not in the field."""

    kind: Literal["spike"] = "spike"
    samples: Annotated[int, Field(ge=1, le=5)] = 1
    amplitude_nt: Annotated[float, Field(ge=-1e5, le=1e5)] = 50.0


class Step(_Fault):
    """The level changes from one sample to the next: somebody moved the sensor, or iron beside it."""

    kind: Literal["step"] = "step"
    amplitude_nt: Annotated[float, Field(ge=-1e5, le=1e5)] = 40.0
    duration_s: Duration | None = None
    """After which it is undone by a second step; not given: never."""


class Stuck(_Fault):
    """An axis repeats one value."""

    kind: Literal["stuck"] = "stuck"
    duration_s: Duration = 60.0


class Saturated(_Fault):
    """An axis is driven to the end of its range."""

    kind: Literal["saturated"] = "saturated"
    duration_s: Duration = 10.0


class Gap(_Fault):
    """No samples come; with channels named, samples come without a value for these."""

    kind: Literal["gap"] = "gap"
    duration_s: Duration = 30.0


class ClockStep(_Fault):
    """The stamps jump, forwards or back, and stay so."""

    kind: Literal["clock_step"] = "clock_step"
    step_s: Annotated[float, Field(ge=-86_400, le=86_400)] = 1.0


class GpsLoss(_Fault):
    """The clock runs free and drifts; when the lock is back it steps to the right time."""

    kind: Literal["gps_loss"] = "gps_loss"
    duration_s: Duration = 600.0
    drift_ppm: Annotated[float, Field(ge=-1000, le=1000)] = 50.0


class Vehicle(_Fault):
    """A magnetic dipole passes in a straight line; `at_s` is the moment when it is nearest.

    A car is some 100-500 A m^2. At 10 m, 300 A m^2 are 30-60 nT.
    """

    kind: Literal["vehicle"] = "vehicle"
    nearest_m: Annotated[float, Field(ge=0.5, le=500)] = 12.0
    speed_m_per_s: Annotated[float, Field(ge=0.1, le=100)] = 8.0
    moment_a_m2: Annotated[float, Field(gt=0, le=1e7)] = 400.0
    heading_deg: Annotated[float, Field(ge=0, lt=360)] = 70.0
    """Where it goes, clockwise from north; the sensor is on its left."""


Fault = Annotated[
    Spike | Step | Stuck | Saturated | Gap | ClockStep | GpsLoss | Vehicle,
    Field(discriminator="kind"),
]


class RandomFaults(_Settings):
    """Faults at seeded random times, as many as named on average; they keep clear of each other."""

    spikes_per_hour: PerHour = 0.0
    vehicles_per_hour: PerHour = 0.0
    steps_per_day: PerDay = 0.0
    gaps_per_day: PerDay = 0.0
    stuck_per_day: PerDay = 0.0


class SimSettings(_Settings):
    """One simulated sensor at one place.

    Stations with the same `region_seed`, region centre, `activity`, `storm` and start have the same sky; `seed` is
    this sensor's own noise and luck.
    """

    station: Name = "SIM1"
    sensor: Name = "mag"
    latitude_deg: Annotated[float, Field(ge=-89.9, le=89.9)] = 48.25
    longitude_deg: Annotated[float, Field(ge=-180, le=360)] = 16.36
    elevation_m: Annotated[float, Field(ge=-500, le=9000)] = 200.0

    instrument: Literal["fluxgate", "rm3100", "magusb", "overhauser"] = "fluxgate"
    rate_hz: Annotated[float, Field(ge=0.1, le=100.0)] = 10.0
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    rotation_deg: Annotated[float, Field(ge=-360, le=360)] = 0.0
    """How far the sensor's x axis points east of geographic north."""
    tilt_deg: Annotated[float, Field(ge=-180, le=180)] = 0.0
    """How far its x axis points below the horizon."""
    scale: Annotated[float, Field(gt=0, le=100)] = 1.0
    """A scale error: 1 is right; a wrong cycle count makes it 2 or 0.5."""

    temperature_c: Annotated[float, Field(ge=-60, le=80)] = 12.0
    temperature_swing_c: Annotated[float, Field(ge=0, le=40)] = 2.0
    """Half of the daily range at the sensor."""
    temperature_nt_per_c: Annotated[float, Field(ge=-100, le=100)] | None = None
    """Not given: what is usual for the instrument."""
    temperature_channel: bool = False

    clock_offset_ms: Annotated[float, Field(ge=-1e6, le=1e6)] = 0.0
    clock_drift_ppm: Annotated[float, Field(ge=-1000, le=1000)] = 0.0

    region_seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    region_latitude_deg: Annotated[float, Field(ge=-89.9, le=89.9)] = 48.0
    region_longitude_deg: Annotated[float, Field(ge=-180, le=360)] = 15.0
    activity: Annotated[float, Field(ge=0, le=50)] = 1.0
    """Pulsations and irregular variation, in units of a quiet day at middle latitudes."""
    storm: Storm | None = None

    faults: Annotated[tuple[Fault, ...], Field(max_length=10_000)] = ()
    random_faults: RandomFaults = RandomFaults()
    wire: WireSettings = WireSettings()
    """What goes wrong behind the instrument, on the wire of `magwatch sim`."""

    @property
    def axes(self) -> tuple[str, ...]:
        """The magnetic axes of the instrument."""
        return PRESETS[self.instrument].axes

    @model_validator(mode="after")
    def _faults_name_axes_that_exist(self) -> Self:
        for number, fault in enumerate(self.faults):
            unknown = sorted(set(fault.channels) - set(self.axes))
            if unknown:
                there_are = ", ".join(self.axes)
                raise ValueError(
                    f"faults[{number}] ({fault.kind}) names channel {unknown[0]!r}; a {self.instrument} has {there_are}"
                )
        return self
