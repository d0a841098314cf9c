"""What all channels over HTTP have in common: a client, and whether an answer leaves hope."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx

from gateway.alerts.notifiers import NotifierError

TIMEOUT_S = 10.0
_TRANSIENT = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_LONGEST_WAIT_S = 3600.0
_LONGEST_ANSWER = 65_536


async def posted(
    client: httpx.AsyncClient, method: str, url: httpx.URL | str, content: bytes, headers: dict[str, str]
) -> tuple[httpx.Response, bytes]:
    """The answer and the beginning of its body. Redirects are not followed. Raises NotifierError when none came."""
    body = b""
    try:
        async with client.stream(method, url, content=content, headers=headers) as answer:
            # A server may send what it likes: no more is read than could be of use.
            async for part in answer.aiter_bytes():
                body += part
                if len(body) >= _LONGEST_ANSWER:
                    break
    except httpx.RequestError as wrong:
        raise NotifierError(f"no answer: {type(wrong).__name__} {wrong}".strip(), retryable=True) from wrong
    return answer, body[:_LONGEST_ANSWER]


def refusal(answer: httpx.Response, said: str = "") -> NotifierError:
    """Any answer but a 2xx: 408, 425, 429 and 5xx may be over later, the others are not."""
    reason = f"answered {answer.status_code} {answer.reason_phrase}".rstrip()
    return NotifierError(
        f"{reason}: {said}" if said else reason,
        retryable=answer.is_server_error or answer.status_code in _TRANSIENT,
        retry_after_s=wait_s(answer.headers.get("Retry-After", ""), datetime.now(UTC)),
    )


def wait_s(retry_after: str, now: datetime) -> float:
    """Retry-After as seconds (RFC 9110, 10.2.3: a number or a date), at most an hour; 0 when it says nothing."""
    if retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after[:9]), _LONGEST_WAIT_S)
    try:
        date = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return min(max((date - now).total_seconds(), 0.0), _LONGEST_WAIT_S)
