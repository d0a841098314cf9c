"""`magwatch tune`: what the verdicts suggest, for a person to copy into the configuration."""

from collections.abc import Sequence

from gateway.alerts.tuning import ENOUGH, Suggestion, tuned
from gateway.records import open_records
from gateway.settings import GatewaySettings
from stream.errors import MagwatchError


async def run(settings: GatewaySettings) -> list[Suggestion]:
    """Reads the gateway's file, also while it runs. Raises MagwatchError when there is none."""
    file = settings.data_dir / "gateway.db"
    if not file.exists():
        raise MagwatchError(f"{file}: there is no such file: data_dir is where the gateway keeps its alerts")
    records = await open_records(file, read_only=True)
    try:
        return await tuned(records)
    finally:
        await records.close()


def listed(found: Sequence[Suggestion]) -> str:
    """For a person: what and why, then the lines to copy."""
    if not found:
        return (
            f"The verdicts suggest nothing: a kind at a station needs {ENOUGH} of them, "
            "and false ones below every useful one."
        )
    return "\n".join(one.line() for one in found) + "\n\n" + "\n\n".join(one.toml() for one in found)
