"""Serves the hub's one address: the API, its manual, and what monitoring reads."""

from collections.abc import Callable, Sequence
from ipaddress import ip_address, ip_network

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from gateway.hub.api.dispatch import ApiDispatcher, RequestGate, preflight, raise_problem
from gateway.hub.api.openapi import HOMES, ApiDocument
from gateway.hub.api.rate_limit import ApiRateLimits
from gateway.hub.api.sse import SseStreams
from gateway.hub.config import HubFile
from gateway.hub.http.connection_limits import HubConnectionLimiter, max_connections
from gateway.hub.http.operation import ApiAccess, AskHome, OperationRoute, PageRoute, RequestContext
from gateway.hub.http.problem import ApiProblem, Code
from gateway.hub.http.request_record import RequestRecord, current_request, log_request
from gateway.hub.http.server import HubServer
from gateway.hub.http.tls import ServerCertificate
from gateway.hub.manual.pages import Manual
from gateway.hub.worker import WorkerContext

log = structlog.get_logger(__name__)


class HubSite:
    """Serves operations and `extra` routes. `ready` returns the state of each thing that the hub needs."""

    def __init__(  # noqa: PLR0913 - the parts of the site, one argument each
        self,
        file: HubFile,
        operations: Sequence[OperationRoute],
        context: WorkerContext,
        *,
        ready: Callable[[], dict[str, bool]],
        streams: SseStreams,
        ask_home: AskHome,
        extra: Sequence[PageRoute],
    ) -> None:
        self._file, self._context, self._readiness = file, context, ready
        metrics = context.metrics
        rate_limits = ApiRateLimits(
            file.limits, wall=lambda: context.now().timestamp(),
            on_refusal=lambda limit: metrics.limited.labels(limit).inc(),
        )  # fmt: skip
        self.dispatcher = ApiDispatcher(
            context, rate_limits=rate_limits, behind_proxy=file.listen.behind_proxy,
            request_context=lambda tx, now, requester, operation, looks_first: RequestContext(
                tx=tx, now=now, requester=requester, request_id=current_request().id, url=file.url,
                looks_first=looks_first,
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
        cross_origin = sorted({each.path for each in operations if each.operation.right is ApiAccess.BROWSER})
        app = FastAPI(
            routes=[*operations, *(PageRoute(path, preflight, methods=["OPTIONS"]) for path in cross_origin)],
            exception_handlers={HTTPException: raise_problem}, openapi_url=None, redirect_slashes=False,
            telemetry={"tracing": False, "metrics": False, "logs": False},  # OpenTelemetry's; the hub has its own
        )  # fmt: skip
        app.add_middleware(
            RequestGate, dispatcher=self.dispatcher, on_end=self._end_request,
            operations=[route.operation for route in operations],
        )  # fmt: skip
        app.state.dispatcher = self.dispatcher
        document = ApiDocument(app, url=file.url)
        app.routes.extend(
            [
                *document.routes(), *ApiDocument(app, url=file.url, audience=HOMES).routes(),
                *Manual(document, url=file.url).routes(), *extra,
                PageRoute("/healthz", self._serve_liveness), PageRoute("/readyz", self._serve_readiness),
                PageRoute("/metrics", self._serve_metrics),
            ]
        )  # fmt: skip
        self._streams, self._server = streams, HubServer(app, self.connection_limiter)
        self.certificate: ServerCertificate | None = None
        self.port = file.listen.port

    def _end_request(self, record: RequestRecord) -> None:
        self._context.metrics.count_request(record)
        log_request(record, every=self._file.request_log)

    async def open(self) -> None:
        """Begin to serve; then `port` is the real one. ConfigError or OSError says what cannot be used."""
        listen, tls = self._file.listen, None
        if listen.certificate is not None and listen.key is not None:
            self.certificate = ServerCertificate(listen.certificate, listen.key, now=self._context.now)
            tls = self.certificate.context
        await self._server.open(listen.host, listen.port, tls)
        self.port = self._server.port
        log.info("hub_serves", url=self._file.url, host=listen.host, port=self.port)

    async def close(self) -> None:
        """Stop serving; requests in progress are answered."""
        await self._server.close(self._streams.end)

    def _is_operator(self, request: Request) -> bool:
        """Return whether it comes directly from a network of `listen.metrics`; behind a proxy it never does."""
        if any(name in request.headers for name in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP")):
            return False
        try:
            address = ip_address(("" if request.client is None else request.client.host).partition("%")[0])
        except ValueError:
            return False
        return any(address in ip_network(network) for network in self._file.listen.metrics)

    async def _serve_liveness(self, _request: Request) -> Response:
        return JSONResponse({"alive": True})

    async def _serve_readiness(self, _request: Request) -> Response:
        states = {"store": await self._context.store.is_healthy(), **self._readiness()}
        return JSONResponse(states, status_code=200 if all(states.values()) else 503)

    async def _serve_metrics(self, request: Request) -> Response:
        """Serve the metrics to the operator only: others could see in them which box is away."""
        if not self._is_operator(request):
            raise ApiProblem(Code.NOT_FOUND)
        self._context.metrics.store_up.set(await self._context.store.is_healthy())
        return Response(generate_latest(self._context.metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
