"""Channels of Apprise, through its plain JSON plugin against a real server."""

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator

import pytest

from gateway.alerts.actions import Links
from gateway.alerts.notifiers import Notification, NotifierError
from gateway.alerts.notifiers.apprise import AppriseNotifier
from stream.errors import SettingsError
from stream.events import Severity
from tests.receiver import FAILS, HANGS, OK, Receiver, receiving

NOTE = Notification(
    id="ab" * 16,
    what="firing",
    severity=Severity.CRITICAL,
    title="Step at conrad",
    text="Since 17:05.",
    station="conrad",
    alert_id="cd" * 16,
    created_at=1_715_360_700_000_000_000,
)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def test_apprise_gets_title_text_and_links(receiver: Receiver) -> None:
    links = Links(b"k" * 32, "https://magwatch.example.org")
    channel = AppriseNotifier("mail", [receiver.url.replace("http", "json", 1)], links=links)
    await channel.hand_over(NOTE)
    await channel.close()
    (request,) = receiver.got
    assert (request.json["title"], request.json["type"]) == (NOTE.title, "failure")
    text = request.json["message"]
    assert text.startswith("Since 17:05.")
    assert [button.url in text for button in links.buttons(NOTE, "mail")] == [True, True]


async def test_what_apprise_cannot_hand_over_is_tried_again(receiver: Receiver) -> None:
    receiver.answers = [FAILS, OK]
    channel = AppriseNotifier("mail", [receiver.url.replace("http", "json", 1)])
    with pytest.raises(NotifierError) as trouble:
        await channel.hand_over(NOTE)
    assert trouble.value.retryable
    await channel.hand_over(NOTE)
    await channel.close()


async def test_one_that_hangs_blocks_its_own_thread_only(receiver: Receiver) -> None:
    async with receiving() as dead:
        dead.answers = [HANGS]
        slow = AppriseNotifier("slow", [f"{dead.url.replace('http', 'json', 1)}?rto=1&cto=1"])
        quick = AppriseNotifier("quick", [receiver.url.replace("http", "json", 1)])
        hanging = asyncio.create_task(slow.hand_over(NOTE))
        async with asyncio.timeout(2.0):
            await quick.hand_over(NOTE)
        with pytest.raises(NotifierError):
            await hanging
        await slow.close()
        await quick.close()


async def test_a_title_of_several_lines_is_one_subject_and_no_header_of_an_email() -> None:
    """Through Apprise's e-mail plugin to a mail server that speaks as much SMTP as it takes."""
    mails: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                mails.append(await reader.readuntil(b"\r\n.\r\n"))
            writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    channel = AppriseNotifier("mail", [f"mailto://127.0.0.1:{port}?from=desk@example.org&to=anna@example.org"])
    title = "Step at conrad\r\nBcc: eve@example.org\r\n<script>alert(1)</script>"
    await channel.hand_over(NOTE.model_copy(update={"title": title}))
    await channel.close()
    server.close()
    await server.wait_closed()
    (mail,) = mails
    read = email.message_from_bytes(mail, policy=email.policy.default)
    assert read["Bcc"] is None
    assert read["To"].addresses[0].addr_spec == "anna@example.org"
    assert read["Subject"] == "Step at conrad Bcc: eve@example.org <script>alert(1)</script>"
    assert [part.get_content_type() for part in read.walk()] == ["text/plain"], "no mail program runs it"


def test_a_url_that_apprise_does_not_know_is_refused_without_being_shown() -> None:
    with pytest.raises(SettingsError) as wrong:
        AppriseNotifier("mail", ["nonsense://user:geheim@host"])
    assert "geheim" not in str(wrong.value)
    assert "notify.channels.mail: URL 1" in str(wrong.value)
