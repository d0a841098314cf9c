"""`magwatch quarantine`: on the gateway's own file, while the gateway runs or not."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypedDict

from paho.mqtt import MQTTException, publish
from paho.mqtt.enums import MQTTProtocolVersion

from gateway.quarantine import WHOLE_BYTES, Quarantine, Quarantined
from gateway.records import open_records
from gateway.settings import GatewaySettings
from stream.errors import MagwatchError
from stream.instant import iso
from stream.transport.broker import BrokerSettings

if TYPE_CHECKING:
    from paho.mqtt.publish import AuthParameter, MessageDict, MessageTuple

What = Literal["list", "show", "retry", "drop"]
_SHOWN_BYTES = 4096
_PAGE = 500


class Entry(TypedDict, total=False):
    """An entry as it is printed; `payload` in hexadecimal and `text` where it is text, when it is shown."""

    id: int
    topic: str
    reason: str
    bytes: int
    count: int
    first_seen: str
    last_seen: str
    digest: str
    payload: str
    text: str


class Report(TypedDict):
    """What was done to what."""

    done: str
    entries: list[Entry]


async def run(settings: GatewaySettings, what: What, ids: Sequence[int], everything: bool) -> Report:
    """Raises MagwatchError when an entry is not there, or the broker does not take what is sent again."""
    if what != "list" and bool(ids) == everything:
        raise MagwatchError(f"quarantine {what}: give the numbers of entries, or --all")
    records = await open_records(settings.data_dir / "gateway.db", read_only=what in ("list", "show"))
    try:
        quarantine = Quarantine(records)
        entries = await _every(quarantine) if everything or what == "list" else await _some(quarantine, ids)
        match what:
            case "show":
                return {"done": "shown", "entries": [await _shown(quarantine, entry) for entry in entries]}
            case "retry":
                await _sent(quarantine, settings.broker, entries)
                await quarantine.drop(entries)
            case "drop":
                await quarantine.drop(entries)
    finally:
        await records.close()
    done = {"list": "held", "retry": "sent again", "drop": "dropped"}[what]
    return {"done": done, "entries": [_told(entry) for entry in entries]}


def listed(report: Report) -> str:
    """For a person: a line an entry, and the payload of those that are shown."""
    lines = [f"{len(report['entries'])} {report['done']}"]
    for entry in report["entries"]:
        times = f"{entry['count']}x, {entry['first_seen']} to {entry['last_seen']}"
        lines.append(f"{entry['id']:6d}  {entry['topic']}  {entry['bytes']} bytes, {times}: {entry['reason']}")
        if "payload" in entry:
            lines.append(f"        {entry.get('text') or entry['payload']}")
    return "\n".join(lines)


async def _every(quarantine: Quarantine) -> list[Quarantined]:
    entries: list[Quarantined] = []
    before = None
    while page := await quarantine.entries(_PAGE, before):
        entries += page
        before = (page[-1].last_ns, page[-1].id)
    return entries


async def _some(quarantine: Quarantine, ids: Sequence[int]) -> list[Quarantined]:
    entries = []
    for number in ids:
        found = await quarantine.show(number)
        if found is None:
            raise MagwatchError(f"quarantine: there is no entry {number}")
        entries.append(found[0])
    return entries


async def _shown(quarantine: Quarantine, entry: Quarantined) -> Entry:
    payload = await _payload(quarantine, entry)
    told = _told(entry) | {"payload": payload[:_SHOWN_BYTES].hex()}
    try:
        text = payload[:_SHOWN_BYTES].decode()
    except UnicodeDecodeError:
        return told
    return told | {"text": text} if text.isprintable() else told


async def _sent(quarantine: Quarantine, broker: BrokerSettings, entries: Sequence[Quarantined]) -> None:
    """Each on its own topic: what is bad still comes back, with its reason."""
    cut = [entry.id for entry in entries if entry.bytes > WHOLE_BYTES]
    if cut:
        raise MagwatchError(f"quarantine: entry {cut[0]} was too large to be kept whole and cannot be sent again")
    messages: list[MessageDict | MessageTuple] = [
        (entry.topic, await _payload(quarantine, entry), 1, False) for entry in entries
    ]
    if not messages:
        return
    auth: AuthParameter | None = None
    if broker.username:
        auth = {"username": broker.username, "password": broker.password() or ""}
    try:
        await asyncio.to_thread(
            publish.multiple,
            messages,
            hostname=broker.host,
            port=broker.port,
            client_id="",
            keepalive=broker.keepalive_s,
            auth=auth,
            tls=broker.tls_context() if broker.tls else None,  # type: ignore[arg-type] # it takes a context as well
            protocol=MQTTProtocolVersion.MQTTv311,
        )
    except (OSError, ValueError, MQTTException) as wrong:
        raise MagwatchError(f"quarantine: the broker at {broker.url} does not take it: {wrong}") from wrong


async def _payload(quarantine: Quarantine, entry: Quarantined) -> bytes:
    found = await quarantine.show(entry.id)
    return found[1] if found else b""


def _told(entry: Quarantined) -> Entry:
    return {
        "id": entry.id,
        "topic": entry.topic,
        "reason": entry.reason,
        "bytes": entry.bytes,
        "count": entry.count,
        "first_seen": iso(entry.first_ns),
        "last_seen": iso(entry.last_ns),
        "digest": entry.digest,
    }
