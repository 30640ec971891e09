"""The network between a client and a peer, and what may go wrong on it, on demand of a test.

What a test sets for one path counts once the request is known to come from somebody, so that the first, unsigned
request of a Digest exchange does not use it up.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from yarl import URL

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Trouble:
    """What goes wrong with the next requests for one path; all is right until a test sets something.

    Attributes:
        questions_lost: so many requests are lost: the connection ends, the peer does nothing.
        answers_lost: so many answers are lost: the peer has obeyed, then the connection ends.
        statuses: with these statuses the peer answers the next requests, one each, and does nothing.
        obeyed_late_s: the peer obeys only after so many seconds, also when its client has left meanwhile.
        answered_late_s: the peer obeys at once and answers after so many seconds.
    """

    questions_lost: int = 0
    answers_lost: int = 0
    statuses: tuple[int, ...] = ()
    obeyed_late_s: float = 0.0
    answered_late_s: float = 0.0


def hang_up(request: web.Request) -> web.Response:
    """End the request's connection without an answer; what is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def has_left(request: web.Request) -> bool:
    """Whether nobody can be answered on the request's connection any more."""
    return request.transport is None or request.transport.is_closing()


@asynccontextmanager
async def serve(app: web.Application, port: int = 0) -> AsyncIterator[URL]:
    """Let a peer listen on 127.0.0.1, on a free port unless one is given; its address.

    As a device does, it goes on with a request whose client has left; aiohttp's TestServer would cancel it.
    """
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield URL.build(scheme="http", host="127.0.0.1", port=runner.addresses[0][1], path="/")
    finally:
        await runner.cleanup()


class Line:
    """Every connection of a peer."""

    def __init__(self) -> None:
        self.is_up = True
        self._troubles: dict[str, Trouble] = {}
        self._late: set[asyncio.Task[web.StreamResponse]] = set()
        self._requests: dict[int, web.Request] = {}  # by identity: a request has no hash

    def on(self, path: str) -> Trouble:
        """What goes wrong with requests for this path; a test sets its fields."""
        return self._troubles.setdefault(path, Trouble())

    def cut(self) -> None:
        """End every connection that waits for an answer or reads a stream."""
        for request in tuple(self._requests.values()):
            hang_up(request)

    def forget(self) -> None:
        """The peer has lost its power: what it was to obey late, it never obeys."""
        for task in self._late:
            task.cancel()

    async def outside(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Around all: a line that is down answers nobody."""
        if not self.is_up:
            return hang_up(request)
        self._requests[id(request)] = request
        try:
            return await handler(request)
        finally:
            del self._requests[id(request)]

    async def inside(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Around a request whose sender is known: what a test has set for its path."""
        trouble = self.on(request.path)
        if trouble.questions_lost > 0:
            trouble.questions_lost -= 1
            return hang_up(request)
        if trouble.statuses:
            status, *rest = trouble.statuses
            trouble.statuses = tuple(rest)
            return web.Response(status=status)
        if trouble.obeyed_late_s:
            response = await self._obey_late(request, handler, trouble.obeyed_late_s)
        else:
            response = await handler(request)
        if trouble.answered_late_s:
            await asyncio.sleep(trouble.answered_late_s)
        if trouble.answers_lost > 0:
            trouble.answers_lost -= 1
            return hang_up(request)
        return response

    async def _obey_late(self, request: web.Request, handler: Handler, seconds: float) -> web.StreamResponse:
        async def obey() -> web.StreamResponse:
            await asyncio.sleep(seconds)
            return await handler(request)

        task = asyncio.create_task(obey())
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        return await asyncio.shield(task)  # who asked may leave
