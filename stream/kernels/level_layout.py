"""How the state of one group of axes is laid out that follows its level, and what may come of it."""

FEWEST, MOST = 8, 16
"""Ticks in a mean of the newest ones."""
PENDING = 2048
"""Ticks that can be kept back while it is not known what moves the field."""
EARLIEST_NS = -(2**63)

TICKS, MOVING, EDGE_NS, PEAK_NS, FLAT, FLAT_FROM_NS, TICK_NS, HIGH, KEPT, TAIL_UNTIL_NS, ORIGIN_NS, STEP_NS, WIDTH = (
    range(13)
)
INTS = 13
"""Integers: ticks since the stream was last broken, whether the field moves and since when, its
peak, for how many ticks it has been flat and since when, the length of a tick, ticks clearly away from the level,
ticks kept back, until when the last pass may still be felt, when the field left the origin, and when the last step had
settled, and of how many ticks the newest mean is."""
LEVEL, SIGMA_TICK, SIGMA_MEAN, OFFSET, NEWEST, MEAN, BEFORE, AT_PEAK, FIRST_FLAT, ORIGIN, FIRST_RING = range(11)
"""Rows of the figures [FIGURE_ROWS, axes]: level; spread of a tick and of
a mean about the level; steps so far; newest tick; mean of the newest ticks; deviation just before the edge and at the
peak; mean when it became flat; the level
before the first of several edges in a row; a ring of the newest ticks."""
FIGURE_ROWS = FIRST_RING + MOST
PEAK, HEIGHT, AWAY, STEP_SIZE = range(4)
"""Single figures: largest distance from the level so far, the SNR there, the distance of the newest mean, and the
size of the last step."""
SINGLES = 4

STEP, PASS, NATURE, UNKNOWN, RESTING, EDGE, TAIL = range(7)
"""What the field does: the first two are findings; UNKNOWN while it moves; EDGE when an edge comes on top of nature's
movement; TAIL while a pass may still be felt."""
WHENS = 5
"""A finding's integers: what, start_ns, peak_ns, end_ns, row."""
FIGURES = 4
"""A finding's figures: amplitude, SNR, seconds that the edge or the pass took, distance of the new level from the old
one; then for each axis its change of level (of a step) or its deviation at the peak (of a pass), then its sigma."""
