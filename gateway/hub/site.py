"""Serves the hub's one address: the API, its manual, and what monitoring reads."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address, ip_network

import structlog
from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from gateway.hub.api.dispatch import ApiDispatcher
from gateway.hub.api.rate_limit import ApiRateLimits
from gateway.hub.api.sse import SseStreams
from gateway.hub.config import HubFile
from gateway.hub.http.connection_limits import HubConnectionLimiter, max_connections
from gateway.hub.http.operation import ApiOperation, AskHome, RequestContext
from gateway.hub.http.request_record import (
    REQUEST_ID_HEADER,
    UNKNOWN_OPERATION,
    RequestRecord,
    current_request,
    log_request,
    record_request,
)
from gateway.hub.http.tls import ServerCertificate
from gateway.hub.manual.pages import Manual
from gateway.hub.worker import WorkerContext
from gateway.system.http_limits import limit_requests
from gateway.system.http_log import http_logger

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 262_144
HANDSHAKE_TIMEOUT_S = 10.0
MAX_METHOD_CHARS = 16  # of a method in the log
_RECORD = web.RequestKey("record", RequestRecord)


class HubSite:
    """Serves operations and `extra` routes. `ready` returns the state of each thing that the hub needs."""

    def __init__(  # noqa: PLR0913 - the parts of the site, one argument each
        self,
        file: HubFile,
        operations: Sequence[ApiOperation],
        context: WorkerContext,
        *,
        ready: Callable[[], dict[str, bool]],
        streams: SseStreams,
        ask_home: AskHome,
        extra: Sequence[web.AbstractRouteDef],
    ) -> None:
        self._file, self._context, self._readiness = file, context, ready
        metrics = context.metrics
        rate_limits = ApiRateLimits(
            file.limits, wall=lambda: context.now().timestamp(),
            on_refusal=lambda limit: metrics.limited.labels(limit).inc(),
        )  # fmt: skip
        self.dispatcher = ApiDispatcher(
            operations, context, rate_limits=rate_limits, behind_proxy=file.listen.behind_proxy,
            request_context=lambda tx, now, requester, operation: RequestContext(
                tx=tx, now=now, requester=requester, request_id=current_request().id, url=file.url,
                signer=context.signer, follow_events=streams.follow, ask_home=ask_home,
                take_items=lambda items: rate_limits.take_items(requester, operation, items),
                destination_policy=file.webhooks.allowed,
            ),
        )  # fmt: skip
        each = None if file.listen.behind_proxy else file.limits.connections
        self.connection_limiter = HubConnectionLimiter(
            max_per_address=each,
            max_connections=max_connections(),
            per_second=file.limits.new_connections,
            on_refusal=metrics.connections_refused.inc,
        )
        metrics.connections.set_function(lambda: len(self.connection_limiter.connections))
        app = web.Application(
            middlewares=[self._record, self.connection_limiter.middleware, self.dispatcher.answer_problems],
            client_max_size=MAX_BODY_BYTES,
        )
        app.add_routes(self.dispatcher.routes())
        app.add_routes(Manual(lambda: self.dispatcher.document, url=file.url).routes())
        app.add_routes(extra)
        app.add_routes([web.get("/healthz", self._serve_liveness), web.get("/readyz", self._serve_readiness)])
        app.add_routes([web.get("/metrics", self._serve_metrics)])
        app.on_response_prepare.append(_complete_answer)
        app.on_shutdown.append(streams.end)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0, logger=http_logger())
        self._server: asyncio.Server | None = None
        self.certificate: ServerCertificate | None = None
        self.port = file.listen.port

    @web.middleware
    async def _record(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Give the request its record, and with it its id, before anything else is done for it."""
        method, monotonic = request.method[:MAX_METHOD_CHARS], self._context.monotonic
        with record_request(method, self._end_request, monotonic=monotonic) as record:
            request[_RECORD], record.operation = record, _operation_of(request)
            try:
                answer = await handler(request)
            except web.HTTPException as redirection:
                record.answer_begins(redirection.status)
                raise
            record.answer_begins(answer.status)
            return answer

    def _end_request(self, record: RequestRecord) -> None:
        self._context.metrics.count_request(record)
        log_request(record, every=self._file.request_log)

    async def open(self) -> None:
        """Begin to serve; then `port` is the real one. ConfigError or OSError says what cannot be used."""
        listen, tls = self._file.listen, None
        if listen.certificate is not None and listen.key is not None:
            self.certificate = ServerCertificate(listen.certificate, listen.key, now=self._context.now)
            tls = self.certificate.context
        await self._runner.setup()
        served = self._runner.server
        assert served is not None  # noqa: S101 - it was just set up
        limit_requests(served)
        self._server = await asyncio.get_running_loop().create_server(
            self.connection_limiter.protocol_factory(served), listen.host, listen.port, ssl=tls, backlog=1024,
            ssl_handshake_timeout=None if tls is None else HANDSHAKE_TIMEOUT_S,
        )  # fmt: skip
        self.port = self._server.sockets[0].getsockname()[1]
        log.info("hub_serves", url=self._file.url, host=listen.host, port=self.port)

    async def close(self) -> None:
        """Stop serving; requests in progress are answered."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()

    def _is_operator(self, request: web.Request) -> bool:
        """Return whether it comes directly from a network of `listen.metrics`; behind a proxy it never does."""
        if any(name in request.headers for name in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP")):
            return False
        try:
            address = ip_address((request.remote or "").partition("%")[0])
        except ValueError:
            return False
        return any(address in ip_network(network) for network in self._file.listen.metrics)

    async def _serve_liveness(self, _request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def _serve_readiness(self, _request: web.Request) -> web.Response:
        states = {"store": await self._context.store.is_healthy(), **self._readiness()}
        return web.json_response(states, status=200 if all(states.values()) else 503)

    async def _serve_metrics(self, request: web.Request) -> web.Response:
        """Serve the metrics to the operator only: others could see in them which box is away."""
        if not self._is_operator(request):
            raise web.HTTPNotFound
        self._context.metrics.store_up.set(await self._context.store.is_healthy())
        return web.Response(
            body=generate_latest(self._context.metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )


def _operation_of(request: web.Request) -> str:
    """Return the operation's name, or the pattern of a page's address."""
    route = request.match_info.route
    return route.name or (UNKNOWN_OPERATION if route.resource is None else route.resource.canonical)


async def _complete_answer(request: web.Request, answer: web.StreamResponse) -> None:
    """Put on each answer what all have: the request's id; nobody needs to know which server answers."""
    record = request.get(_RECORD)
    if record is not None:  # aiohttp itself refuses what is no HTTP
        record.answer_begins(answer.status)  # a stream's
        answer.headers[REQUEST_ID_HEADER] = record.id
    answer.headers.popall("Server", None)
