"""A simulated magnetometer: nature and faults apart, everything seeded, what was put in written down as truth.

It shares no code with what it tests: it knows neither `stream` nor the edge nor the gateway, and hands over plain
numpy arrays. Where to start: `settings.SimSettings` says what a sensor is, `sensor.SimulatedSensor` measures,
`pace.live` lets it run at the speed of the clock, `device` puts it behind a serial line or a TCP port, and
`demo.demo_stations` is a region of stations with a story.
"""
