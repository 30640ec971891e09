"""A webhook listener for trials: accepts what the hub signed and refuses everything else.

The hub repeats a message under the same `webhook-id` until it is
confirmed, so a repeated id is confirmed and not reported again.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from aiohttp import web

from gateway.cli.event_line import MAX_JSON_DEPTH
from gateway.hub.sdk import WebhookRejectedError, WebhookVerifier
from gateway.protocol.strict_json import loads

MAX_MESSAGE_BYTES = 262_144
MAX_REMEMBERED_IDS = 10_000
CHALLENGE_TYPE = "webhook_endpoint.challenge"


class WebhookListener:
    """Calls `on_message(id, body)` for each new message and `on_refused(why)` for each invalid one.

    `secret` is the endpoint's, `whsec_...`; another text raises ValueError.
    """

    def __init__(
        self, secret: str, *, on_message: Callable[[str, dict[str, Any]], None], on_refused: Callable[[str], None]
    ) -> None:
        self._verifier = WebhookVerifier(secret)
        self._on_message, self._on_refused = on_message, on_refused
        self._seen_ids: OrderedDict[str, None] = OrderedDict()
        app = web.Application(client_max_size=MAX_MESSAGE_BYTES)
        app.router.add_post("/{tail:.*}", self._receive)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)

    async def open(self, host: str, port: int) -> int:
        """Listen, and return the port; an address that cannot be used raises OSError."""
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            self._verifier.verify(body, request.headers)
            message = loads(body, deepest=MAX_JSON_DEPTH)
        except (WebhookRejectedError, ValueError) as error:
            self._on_refused(str(error))
            return web.Response(status=401, text="not verified\n")
        # The answer to a challenge proves to the hub that this receiver wants its messages.
        if isinstance(message, dict) and message.get("type") == CHALLENGE_TYPE:
            return web.json_response({"challenge": message["data"]["challenge"]})
        id_ = request.headers["webhook-id"]
        if id_ not in self._seen_ids and isinstance(message, dict):
            self._seen_ids[id_] = None
            if len(self._seen_ids) > MAX_REMEMBERED_IDS:
                self._seen_ids.popitem(last=False)
            self._on_message(id_, message)
        return web.Response(status=204)
