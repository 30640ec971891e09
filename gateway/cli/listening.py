"""`perron retailer listen`: receives webhooks at an existing or a temporary endpoint and prints them."""

import asyncio
import contextlib
import itertools
import json
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import typer

from gateway.cli.event_line import format_event
from gateway.cli.failure import failure_on
from gateway.cli.webhook_listener import WebhookListener
from gateway.domain.frozen import Frozen
from gateway.hub.sdk import AsyncClient
from gateway.hub.sdk.models import NewWebhookEndpoint


class ListenOptions(Frozen):
    """Where to listen (port 0: a free one), for how many messages, and whether to print each as JSON."""

    host: str
    port: int
    count: int | None
    as_json: bool


async def listen_at_new_endpoint(hub: AsyncClient, options: ListenOptions, url: str | None) -> None:
    """Register a new webhook endpoint, print its messages, and delete it at the end, also at SIGTERM.

    Raises:
        RefusedError: the hub does not accept the endpoint.
        HubUnreachableError: the hub does not answer.
    """
    here = replace(options, port=_free_port(options))
    address = url or f"http://{f'[{here.host}]' if ':' in here.host else here.host}:{here.port}/"
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine that runs is a task's
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        async with _temporary_endpoint(hub, address) as secret:
            await listen_for_webhooks(secret, here)


@contextlib.asynccontextmanager
async def _temporary_endpoint(hub: AsyncClient, url: str) -> AsyncIterator[str]:
    """Create an endpoint and give its secret; delete the endpoint at the end of the block."""
    for known in (await hub.list_webhook_endpoints()).data:
        if known.url == url:  # left by an earlier listener that was killed
            await hub.delete_webhook_endpoint(known.id)
    endpoint = await hub.create_webhook_endpoint(NewWebhookEndpoint(url=url))
    typer.echo(f"Made the endpoint {endpoint.id} for {url}", err=True)
    try:
        yield endpoint.secret
    finally:
        await hub.delete_webhook_endpoint(endpoint.id)
        typer.echo(f"Deleted the endpoint {endpoint.id}", err=True)


def _free_port(options: ListenOptions) -> int:
    """Return a free port. It is known before the endpoint is created, so that no other endpoint is replaced."""
    with socket.socket(socket.AF_INET6 if ":" in options.host else socket.AF_INET) as probe, _address_failure(options):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((options.host, options.port))
        return int(probe.getsockname()[1])


def _address_failure(options: ListenOptions) -> contextlib.AbstractContextManager[None]:
    at = f"{options.host}:{options.port}"
    return failure_on(OSError, f"{at} cannot be listened at ({{why}}).", "Name another --port.")


async def listen_for_webhooks(secret: str, options: ListenOptions) -> None:
    """Listen, and print each webhook."""
    arrivals = asyncio.Semaphore(0)

    def on_message(id_: str, message: dict[str, Any]) -> None:
        text = json.dumps({"id": id_, **message})
        typer.echo(text if options.as_json else format_event(text))
        arrivals.release()

    def on_refused(reason: str) -> None:
        typer.echo(f"refused: {reason}", err=True)

    todo = "Rotate the endpoint's secret to be told a new one."
    with failure_on(ValueError, "The secret is not valid: {why}.", todo):
        listener = WebhookListener(secret, on_message=on_message, on_refused=on_refused)
    try:
        with _address_failure(options):
            port = await listener.open(options.host, options.port)
        typer.echo(f"Listening at http://{options.host}:{port}/", err=True)
        for messages in itertools.count(1):
            await arrivals.acquire()
            if messages == options.count:
                return
    finally:
        await listener.close()
