"""The owner's phones, one for each language: they receive the box's messages as Apprise's JSON."""

from collections.abc import Callable
from typing import Self

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

MAX_MESSAGE_BYTES = 4 << 20  # bytes of a message with its picture
JPEG_MAGIC = b"\xff\xd8\xff"


class _Attachment(BaseModel):
    model_config = ConfigDict(val_json_bytes="base64")

    base64: bytes


class PhoneMessage(BaseModel):
    """One message on the phone, as Apprise's `json://` sends it."""

    title: str
    message: str
    type: str
    attachments: tuple[_Attachment, ...] = ()

    @property
    def picture(self) -> bytes | None:
        """Its picture; None: it has none, or one that is no JPEG."""
        picture = self.attachments[0].base64 if self.attachments else b""
        return picture if picture.startswith(JPEG_MAGIC) else None


class DemoPhone:
    """Listens on 127.0.0.1 at `port`; calls `on_message` with each message of Apprise and its path, the language."""

    def __init__(self, on_message: Callable[[PhoneMessage, str], None]) -> None:
        self.port = 0
        self._on_message = on_message
        app = web.Application(client_max_size=MAX_MESSAGE_BYTES)
        app.router.add_post("/{language}", self._receive)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        try:
            message = PhoneMessage.model_validate_json(await request.read())
        except ValidationError as error:
            raise web.HTTPBadRequest from error
        self._on_message(message, request.match_info["language"])
        return web.Response(text="")
