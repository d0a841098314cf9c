"""The instruments that can be simulated: axes, resolution, range, noise, temperature coupling.

Figures are those of data sheets and published tests; each preset says which.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """What an instrument of one make does to the field.

    lsb_nt: what one count is. quantum_nt: the step in which it really measures, where that is coarser than the
    printed resolution. white_nt: standard deviation of a sample at 1 Hz; it grows with the rate to the power of
    white_exponent. flicker_nt: standard deviation of the 1/f noise in one octave of frequency. range_nt: the largest
    value of an axis. temperature_nt_per_c: how far a reading moves when the sensor warms by a degree.
    """

    axes: tuple[str, ...]
    lsb_nt: float
    quantum_nt: float
    white_nt: float
    white_exponent: float
    flicker_nt: float
    range_nt: float
    temperature_nt_per_c: float

    def white_at(self, rate_hz: float) -> float:
        """Standard deviation of the white noise of a sample, nT, at a rate in Hz."""
        return float(self.white_nt * rate_hz**self.white_exponent)


XYZ = ("x", "y", "z")

PRESETS: dict[str, Preset] = {
    # An observatory variometer: 10 pT/sqrt(Hz) of 1/f noise at 1 Hz, 0.05 nT of electronics, < 0.2 nT/C (LEMI-417M).
    "fluxgate": Preset(XYZ, 0.01, 0.01, 0.05, 0.0, 0.01, 100_000.0, 0.1),
    # PNI RM3100 at cycle count 400: 150 counts/uT; 2.7 nT at 1 Hz and 8.7 nT at 40 Hz (doi:10.5194/gi-7-129-2018).
    "rm3100": Preset(XYZ, 1000.0 / 150.0, 1000.0 / 150.0, 2.7, 0.317, 0.5, 800_000.0, 1.0),
    # The same sensor behind mag-usb/runMag, which averages and prints hundredths of a nanotesla in steps of 2/3 nT.
    "magusb": Preset(XYZ, 0.01, 2.0 / 3.0, 2.7, 0.317, 0.5, 800_000.0, 1.0),
    # GEM GSM-19/GSM-90: scalar, 0.015 nT/sqrt(Hz) (brochure), no temperature coupling worth the name.
    "overhauser": Preset(("f",), 0.01, 0.01, 0.015, 0.5, 0.003, 120_000.0, 0.0),
}
