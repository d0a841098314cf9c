"""A region of stations with a story: quiet at first, then one thing after the other, then a storm over all of them."""

import numpy as np

from firmware_sim.settings import Fault, Gap, RandomFaults, SimSettings, Spike, Step, Storm, Stuck, Vehicle

_PLACES = (
    ("Vienna", 48.25, 16.36, 200.0),
    ("Conrad", 47.93, 15.87, 1046.0),
    ("Graz", 47.08, 15.45, 365.0),
    ("Salzburg", 47.80, 13.06, 430.0),
    ("Innsbruck", 47.26, 11.38, 580.0),
    ("Budapest", 47.50, 19.04, 130.0),
    ("Prague", 50.08, 14.42, 250.0),
    ("Brno", 49.20, 16.61, 240.0),
    ("Bratislava", 48.17, 17.11, 140.0),
    ("Munich", 48.15, 11.57, 520.0),
    ("Ljubljana", 46.05, 14.51, 300.0),
    ("Zagreb", 45.81, 15.98, 130.0),
    ("Krakow", 50.06, 19.94, 220.0),
    ("Wroclaw", 51.11, 17.03, 120.0),
    ("Dresden", 51.05, 13.74, 115.0),
    ("Nuremberg", 49.45, 11.08, 310.0),
)
COMMENCEMENT_AT_S = 40.0


def demo_stations(n: int, seed: int) -> list[SimSettings]:
    """`n` stations, n >= 1, of one region of Central Europe; the same for the same seed.

    For every three stations: a vehicle passes the first after about 14 s, the level of the second steps after about
    20 s, the third loses its link after 26 s. Later an axis sticks and luck takes over. Spikes are sprinkled over
    all. After 40 s a commencement of some 60 nT comes over the whole region. Beyond sixteen, stations are in the
    surroundings of the towns.
    """
    random = np.random.default_rng(seed)
    return [_station(index, seed, random) for index in range(n)]


def _station(index: int, seed: int, random: np.random.Generator) -> SimSettings:
    town, latitude, longitude, elevation_m = _PLACES[index % len(_PLACES)]
    round_trip = index // len(_PLACES)
    if round_trip:
        town = f"{town}-{round_trip + 1}"
        latitude = round(latitude + random.uniform(-0.4, 0.4), 3)
        longitude = round(longitude + random.uniform(-0.6, 0.6), 3)
    return SimSettings(
        station=town,
        latitude_deg=latitude,
        longitude_deg=longitude,
        elevation_m=elevation_m,
        seed=seed * 1000 + index,
        region_seed=seed,
        activity=0.7,
        storm=Storm(
            at_s=COMMENCEMENT_AT_S, commencement_nt=60.0, rise_s=60.0, main_phase_after_s=600.0, substorm_nt=20.0
        ),
        faults=(*_spikes(random), *_story(index, random)),
        random_faults=RandomFaults(spikes_per_hour=20.0, vehicles_per_hour=2.0, steps_per_day=4.0, stuck_per_day=1.0),
    )


def _spikes(random: np.random.Generator) -> list[Fault]:
    """One to a slot, clear of the story's own times and of the onset of the storm."""
    slots = ((7.0, 9.0), (31.0, 34.0), (65.0, 68.0))
    return [
        Spike(
            at_s=round(random.uniform(*slot), 1),
            samples=int(random.choice([1, 1, 1, 2, 3])),
            amplitude_nt=round(float(random.choice([-1.0, 1.0]) * random.uniform(20.0, 200.0)), 1),
            channels=() if random.random() < 0.5 else (str(random.choice(["x", "y", "z"])),),
        )
        for slot in slots
    ]


def _story(index: int, random: np.random.Generator) -> list[Fault]:
    match index % 3:
        case 0:
            return [
                Vehicle(
                    at_s=round(random.uniform(13.0, 15.0), 1),
                    nearest_m=round(random.uniform(7.0, 9.0), 1),
                    speed_m_per_s=round(random.uniform(7.0, 10.0), 1),
                    moment_a_m2=round(random.uniform(300.0, 500.0)),
                    heading_deg=round(random.uniform(0.0, 359.0)),
                ),
                Stuck(at_s=round(random.uniform(75.0, 80.0), 1), duration_s=40.0, channels=("y",)),
            ]
        case 1:
            level_nt = round(float(random.choice([-1.0, 1.0]) * random.uniform(30.0, 50.0)), 1)
            return [Step(at_s=round(random.uniform(18.0, 21.0), 1), amplitude_nt=level_nt, channels=("z",))]
        case _:
            return [
                Gap(at_s=round(random.uniform(24.0, 26.0), 1), duration_s=4.0),
                Step(at_s=round(random.uniform(80.0, 85.0), 1), amplitude_nt=45.0, duration_s=30.0, channels=("x",)),
            ]
