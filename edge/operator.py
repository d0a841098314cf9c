"""Whom the agent listens to: the gateway's commits, and what an operator asks from afar."""

import asyncio
import logging

import aiosqlite

from edge.publisher import Publisher
from edge.remote import Command, RefusedError, command, merged
from edge.ring import want_span
from edge.settings import AgentSettings, SensorSettings
from edge.spool import Spool
from stream.messages import Reply
from stream.topics import StationTopic
from stream.transport.link import Link, Message

log = logging.getLogger(__name__)


class Operator:
    """The settings in force: the agent's own, with those from afar over them. Kept on disk: no broker is needed."""

    def __init__(self, own: AgentSettings, link: Link, spool: Spool, publisher: Publisher) -> None:
        self._own, self._link, self._spool, self._publisher = own, link, spool, publisher
        self.settings = own
        self.version = ""
        """Of the settings from afar; empty where there are none."""
        self.asked = asyncio.Event()
        """Somebody wants to know how the station is."""

    def sensor(self, name: str) -> SensorSettings:
        """A sensor's settings as they are now; the same object while nothing changes."""
        return next(sensor for sensor in self.settings.sensors if sensor.name == name)

    def came_up(self) -> None:
        """There is a new connection."""
        self._publisher.wake()
        self.asked.set()

    async def recall(self) -> None:
        """Settings from afar that an earlier agent took, where they still fit the station."""
        for (payload,) in await self._spool.rows("SELECT payload FROM remote"):
            try:
                self.settings, self.version = merged(self._own, payload)
            except RefusedError as wrong:
                log.error("settings from afar do not fit this station any more and are left out: %s", wrong)

    async def listen(self) -> None:
        """Takes what comes until cancelled."""
        while True:
            messages = await self._link.receive(100)
            await self._publisher.take([one for one in messages if one.topic.endswith("/commit")])
            for message in messages:
                match message.topic.rpartition("/")[2]:
                    case "config":
                        await self._take_config(message)
                    case "command":
                        await self._take_command(message)
            self._link.acknowledge(messages)

    async def _take_config(self, message: Message) -> None:
        try:
            settings, version = merged(self._own, message.payload)
        except RefusedError as wrong:
            log.error("settings from afar are refused, the old ones stay: %s", wrong)
            self._answer(wrong.reply("config"))
            return

        async def write(file: aiosqlite.Connection) -> None:
            await file.execute("INSERT OR REPLACE INTO remote VALUES (1, ?)", (message.payload,))

        await self._spool.write(write)
        changed = version != self.version
        known = {sensor.name: sensor for sensor in self.settings.sensors}
        # A sensor whose settings are the same goes on with the same object, and so undisturbed.
        sensors = tuple(known[one.name] if known[one.name] == one else one for one in settings.sensors)
        self.settings, self.version = settings.model_copy(update={"sensors": sensors}), version
        if changed:
            log.info("settings from afar are in force: %s", version or "taken back, the agent's own")
        self._answer(Reply(to="config", about=version, accepted=True))
        self.asked.set()

    async def _take_command(self, message: Message) -> None:
        try:
            request = command(message.payload)
            done = await self._done(request)
        except RefusedError as wrong:
            log.warning("a command is refused: %s", wrong)
            self._answer(wrong.reply("command"))
            return
        self._answer(Reply(to="command", about=request.id, accepted=True, reasons=(done,)))

    async def _done(self, request: Command) -> str:
        if request.what == "status":
            self.asked.set()
            return "the status follows"
        sensor, first_ns, last_ns = request.span()
        rings = [one.name for one in self.settings.sensors if one.publish.rate != "full"]
        if sensor not in rings:
            known = ", ".join(rings) or "none of this station's sensors"
            raise RefusedError(request.id, [f"sensor: the full rate is kept back of {known}, not of {sensor}"])
        await self._spool.write(lambda file: want_span(file, sensor, f"command/{request.id}", first_ns, last_ns))
        return "what the ring has of it follows with the sensor's next block"

    def _answer(self, reply: Reply) -> None:
        self._link.publish(str(StationTopic(self._own.station, "reply")), reply.model_dump_json().encode())
