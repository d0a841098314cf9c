"""How the pipeline judges, as an operator writes it down."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator


class PipelineSettings(BaseModel):
    """In physical units; the defaults serve every instrument known so far."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    spike_sigma: Annotated[float, Field(ge=3.0, le=100.0)] = 6.0
    """How many robust sigma a spike stands out from the samples around it."""
    silent_after_s: Annotated[float, Field(gt=0.0, le=86_400.0)] = 120.0
    """No samples for so long, and for ten sampling intervals, is a silent sensor; less is a gap."""
    largest_field_nt: Annotated[float, Field(gt=0.0)] = 80_000.0
    """An axis beyond this is out of range: nowhere on the surface is the Earth's field above 68,000 nT."""
    activity_levels_nt: tuple[float, float, float, float] = (50.0, 100.0, 200.0, 500.0)
    """Ranges of an hour at which the field is called active, and a disturbance minor, major, severe."""
    usual_h_nt: Annotated[float, Field(gt=0.0)] = 20_000.0
    """The horizontal field with which a declination becomes nanotesla where the sensor measures no H."""

    @field_validator("activity_levels_nt")
    @classmethod
    def _levels_rise(cls, levels: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        if levels[0] <= 0.0 or list(levels) != sorted(set(levels)):
            raise ValueError("the levels must be above 0 and rise, such as [50, 100, 200, 500]")
        return levels
