"""The HTTP server: uvicorn, stopped by the service rather than by signals of its own, and stopped quickly."""

import contextlib
import errno
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from gateway.live import Hub
from gateway.settings import ListenSettings
from stream.errors import MagwatchError

STOP_WITHIN_S = 1


class ApiServer(uvicorn.Server):
    """`await server.serve(sockets=[listening_socket(host, port)])`; ends after `server.should_exit = True`.

    Raises MagwatchError when there is no certificate where there should be one.
    """

    def __init__(self, app: FastAPI, hub: Hub, listen: ListenSettings | None = None) -> None:
        listen = listen or ListenSettings()
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=listen.behind_proxy,
            forwarded_allow_ips="127.0.0.1,::1",
            ssl_certfile=listen.certificate_file,
            ssl_keyfile=listen.key_file,
            ws="none",
            limit_concurrency=500,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=STOP_WITHIN_S,
        )
        try:
            config.load()
        except OSError as wrong:
            files = f"{listen.certificate_file} and {listen.key_file}"
            raise MagwatchError(f"listen: {files} are no certificate and its key: {wrong}") from wrong
        super().__init__(config)
        self._hub = hub

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the service's."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the live streams first: uvicorn waits for every answer that is under way, and these never end."""
        self._hub.close()
        await super().shutdown(sockets)


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket to serve on; port 0 takes any that is free. Raises MagwatchError, in one line, when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except OSError as wrong:
        listening.close()
        if wrong.errno == errno.EADDRINUSE:
            raise MagwatchError(f"port {port} of {host} is taken by another program: choose another one") from wrong
        raise MagwatchError(f"cannot listen on {host} port {port}: {wrong.strerror or wrong}") from wrong
    listening.setblocking(False)
    return listening
