"""The page and its files: from the web folder, and the charting library straight from the installed bokeh package."""

import asyncio
import gzip
import hashlib
import importlib.metadata
import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Literal

from fastapi import APIRouter, Header, Response
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from stream.errors import MagwatchError

ChartFile = Literal["bokeh.min.js", "bokeh-api.min.js", "bokeh-gl.min.js"]


def pages(web_dir: Path) -> APIRouter:
    """Routes for `/`, `/login` and the chart library, files that anybody may have; `/static` is mounted after them."""
    router = APIRouter(include_in_schema=False)

    async def page(name: str) -> FileResponse:
        if not await asyncio.to_thread((web_dir / name).is_file):
            raise HTTPException(404, "this gateway was installed without its page")
        return FileResponse(web_dir / name, headers={"Cache-Control": "no-cache"})

    @router.get("/")
    async def index() -> FileResponse:
        return await page("index.html")

    @router.get("/login")
    async def login() -> FileResponse:
        return await page("login.html")

    @router.get("/static/bokeh/{name}")
    async def chart_library(
        name: ChartFile, accept_encoding: str = Header(""), if_none_match: str = Header("")
    ) -> Response:
        tag, plain, packed = await asyncio.to_thread(_chart_file, name)
        headers = {"ETag": tag, "Cache-Control": "public, max-age=86400", "Vary": "Accept-Encoding"}
        if tag in if_none_match:
            return Response(status_code=304, headers=headers)
        if "gzip" in accept_encoding:
            return Response(packed, headers=headers | {"Content-Encoding": "gzip"}, media_type="text/javascript")
        return Response(plain, headers=headers, media_type="text/javascript")

    return router


class PageFiles(StaticFiles):
    """The web folder. Its files have no version in their names, so a browser asks each time whether they changed."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        """With revalidation; the ETag makes that cheap."""
        response: Response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "no-cache"
        return response


@lru_cache(maxsize=8)
def _chart_file(name: ChartFile) -> tuple[str, bytes, bytes]:
    """ETag, the file, and the file compressed once: it is over a megabyte."""
    plain = (_chart_folder() / name).read_bytes()
    version = importlib.metadata.version("bokeh")
    tag = hashlib.blake2b(version.encode() + plain, digest_size=8).hexdigest()
    return f'"{tag}"', plain, gzip.compress(plain, 9, mtime=0)


def _chart_folder() -> Path:
    spec = importlib.util.find_spec("bokeh")  # importing bokeh itself would take a second
    if spec is None or spec.origin is None:
        raise MagwatchError("the charting library is missing: pip install 'magwatch[gateway]'")
    return Path(spec.origin).parent / "server" / "static" / "js"
