"""The owner's phones, one for each language: they receive the box's messages as Apprise's JSON."""

from collections.abc import Callable
from dataclasses import replace
from typing import Self

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.domain.frozen import Frozen

MAX_MESSAGE_BYTES = 4 << 20  # bytes of a message with its picture
JPEG_MAGIC = b"\xff\xd8\xff"


class PhoneMessage(Frozen):
    """One message on the phone; `picture` is a JPEG."""

    title: str
    text: str
    urgent: bool
    picture: bytes | None
    language: str = ""  # of the phone that it reached


class _Attachment(BaseModel):
    model_config = ConfigDict(val_json_bytes="base64")

    base64: bytes


class _AppriseMessage(BaseModel):
    title: str
    message: str
    type: str
    attachments: tuple[_Attachment, ...] = ()


class DemoPhone:
    """Listens on 127.0.0.1 at `port`, each language by its path; calls `on_message` with each message as it arrives."""

    def __init__(self, on_message: Callable[[PhoneMessage], None]) -> None:
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
        message = parse_message(await request.read())
        if message is None:
            raise web.HTTPBadRequest
        self._on_message(replace(message, language=request.match_info["language"]))
        return web.Response(text="")


def parse_message(body: bytes) -> PhoneMessage | None:
    """Read what Apprise's `json://` sends; None where it is something else. A picture that is no JPEG is left out."""
    try:
        message = _AppriseMessage.model_validate_json(body)
    except ValidationError:
        return None
    picture = message.attachments[0].base64 if message.attachments else b""
    return PhoneMessage(
        title=message.title,
        text=message.message,
        urgent=message.type == "warning",
        picture=picture if picture.startswith(JPEG_MAGIC) else None,
    )
