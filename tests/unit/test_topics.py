"""Topics say what they are, and refuse what they are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.topics import SensorTopic, StationTopic, parse


@pytest.mark.parametrize("topic", [SensorTopic("WIC", "fge-1", "block"), StationTopic("WIC", "commit")])
def test_a_topic_comes_back_as_it_was(topic: SensorTopic | StationTopic) -> None:
    assert parse(str(topic)) == topic


@pytest.mark.parametrize(
    "topic",
    ["", "mag", "mag/2/wic/status", "mag/1/wic/nonsense", "mag/1/wic/fge/status", "mag/1/+/status", "mag/1//status",
     "mag/1/wic/fge/block/more", "mag/1/w ic/status", "mag/1/.hidden/status", "mag/1/" + "x" * 64 + "/status"],
)  # fmt: skip
def test_what_is_no_topic_of_ours_is_a_value_error(topic: str) -> None:
    with pytest.raises(ValueError, match=r"form|name"):
        parse(topic)


@given(st.text(max_size=80))
def test_any_text_is_a_topic_or_a_value_error(text: str) -> None:
    try:
        assert str(parse(text)) == text
    except ValueError:
        return


def test_a_name_that_could_reach_other_topics_is_never_written() -> None:
    with pytest.raises(ValueError, match="station"):
        str(StationTopic("wic/#", "status"))
