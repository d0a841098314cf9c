"""What the stations are told: one commit a station, with what of it is durable now and what was refused."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from stream.block import Block
from stream.events import Event
from stream.messages import Commit, CommittedBlocks, Refused

Refusals = Mapping[str, Sequence[Refused]]
"""By station."""


def commits(blocks: Iterable[Block], events: Iterable[Event], refused: Refusals) -> dict[str, Commit]:
    """By station."""
    numbers: dict[str, dict[tuple[str, int], list[int]]] = defaultdict(lambda: defaultdict(list))
    for block in blocks:
        numbers[block.station][block.sensor, block.boot].append(block.seq)
    told: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for event in events:
        told[event.station].append((event.id, event.revision))
    return {
        station: Commit(
            blocks=tuple(
                CommittedBlocks(sensor=sensor, boot=boot, ranges=tuple(ranges(seqs)))
                for (sensor, boot), seqs in numbers[station].items()
            ),
            events=tuple(told[station]),
            refused=tuple(refused.get(station, ())),
        )
        for station in {*numbers, *told, *refused}
    }


def ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """[3, 1, 2, 7] as [(1, 3), (7, 7)]."""
    found: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
