"""The page and its files, from the web folder.

The page's own files are asked for under a version, `/static/{version}/...`, which changes with any byte of any of them:
they may be kept for ever, and code of two versions never meets in one page. Scripts and styles are there with all that
they import.
"""

import asyncio
import gzip
import hashlib
import json
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Response
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from gateway.api.bundle import bundled

_ASK_EACH_TIME = {"Cache-Control": "no-cache"}
_KEEP_FOR_EVER = "public, max-age=31536000, immutable"
_BUNDLES = {"app.js": "text/javascript", "page.css": "text/css", "login.js": "text/javascript", "login.css": "text/css"}
_KEPT_OFFLINE = ("app.js", "first-paint.js", "page.css", "*.png", "*.svg", "fonts/*.woff2")


def pages(web_dir: Path) -> APIRouter:
    """Routes for `/`, `/login`, and what installs the page; `PageFiles` is mounted after them."""
    router = APIRouter(include_in_schema=False)

    async def file(name: str, media_type: str) -> Response:
        try:
            text = await asyncio.to_thread((web_dir / name).read_text, "utf-8")
        except FileNotFoundError:
            raise HTTPException(404, "this gateway was installed without its page") from None
        version = await asyncio.to_thread(version_of, web_dir)
        return Response(text.replace("/static/own/", f"/static/{version}/"), 200, _ASK_EACH_TIME, media_type)

    @router.get("/")
    async def index() -> Response:
        return await file("index.html", "text/html")

    @router.get("/login")
    async def login() -> Response:
        return await file("login.html", "text/html")

    @router.get("/manifest.webmanifest")
    async def manifest() -> Response:
        return await file("manifest.webmanifest", "application/manifest+json")

    @router.get("/service-worker.js")
    async def service_worker() -> Response:
        """At the root, because it may only serve what lies below it."""
        return await file("service-worker.js", "text/javascript")

    @router.get("/shell.js")
    async def shell() -> Response:
        """What the service worker keeps for a bad link; a browser looks whether it has changed."""
        text = await asyncio.to_thread(_shell, web_dir)
        return Response(text, 200, _ASK_EACH_TIME, "text/javascript")

    return router


class PageFiles(StaticFiles):
    """The web folder: under its version for ever; under no version (icons) a browser asks each time."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """404 for a version that is not served any more: the page that asks for it is loaded anew."""
        version, _, name = path.partition("/")
        folder = Path(str(self.directory))
        if name and version == await asyncio.to_thread(version_of, folder):
            if name in _BUNDLES:
                response = await asyncio.to_thread(_bundle, folder, name, version, "gzip" in _accepted(scope))
            else:
                response = await super().get_response(name, scope)
            response.headers["Cache-Control"] = _KEEP_FOR_EVER
            return response
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = _ASK_EACH_TIME["Cache-Control"]
        return response


def version_of(web_dir: Path) -> str:
    """Sixteen hexadecimal digits of everything that is served from the folder."""
    return _version(web_dir, max((path.stat().st_mtime_ns for path in web_dir.rglob("*")), default=0))


@lru_cache(maxsize=4)
def _version(web_dir: Path, _changed_ns: int) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for path in _files(web_dir):
        digest.update(path.relative_to(web_dir).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def _files(web_dir: Path) -> list[Path]:
    return sorted(path for path in web_dir.rglob("*") if path.is_file())


def _accepted(scope: Scope) -> str:
    return Headers(scope=scope).get("accept-encoding", "")


def _bundle(web_dir: Path, name: str, version: str, packed: bool) -> Response:
    try:
        plain, small = _bundled(web_dir, name, version)
    except FileNotFoundError as missing:
        raise HTTPException(404, f"{Path(missing.filename).name} is not there") from None
    how = {"Vary": "Accept-Encoding"} | ({"Content-Encoding": "gzip"} if packed else {})
    return Response(small if packed else plain, headers=how, media_type=_BUNDLES[name])


@lru_cache(maxsize=8)
def _bundled(web_dir: Path, name: str, _version: str) -> tuple[bytes, bytes]:
    """As it is, and compressed once."""
    plain = bundled(web_dir, name).encode()
    return plain, gzip.compress(plain, 9, mtime=0)


def _shell(web_dir: Path) -> str:
    version = version_of(web_dir)
    names = sorted(path.relative_to(web_dir).as_posix() for kept in _KEPT_OFFLINE for path in web_dir.glob(kept))
    kept = ["/", *(f"/static/{version}/{name}" for name in names)]
    return f"self.SHELL = {json.dumps({'version': version, 'files': kept})};\n"
