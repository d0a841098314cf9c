"""HTTP: the versioned API, the live stream, the page's files, and the server that carries them."""

from gateway.api.app import create_app
from gateway.api.server import ApiServer, listening_socket

__all__ = ["ApiServer", "create_app", "listening_socket"]
