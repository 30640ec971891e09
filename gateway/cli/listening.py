"""`perron retailer listen`: receives webhooks at an existing or a temporary endpoint and prints them."""

import asyncio
import contextlib
import json
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import typer

from gateway.cli.failure import Failure, error_text, failure_on
from gateway.hub.sdk.event_text import format_event
from gateway.hub.sdk.hub import RetailerClient
from gateway.hub.sdk.listener import SecretUnusable, WebhookListener

ENDPOINTS = "/v1/webhook_endpoints"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenOptions:
    """Where to listen (port 0: a free one), for how many messages, and whether to print each as JSON."""

    host: str
    port: int
    count: int | None
    as_json: bool


async def listen_at_new_endpoint(hub: RetailerClient, options: ListenOptions, url: str | None) -> None:
    """Listen at an endpoint of its own, which is deleted at the end; SIGTERM ends it as Ctrl-C does.

    Raises:
        Failure: address or port cannot be had.
        HubRefusal, HubUnreachable: the hub says no, or nothing.
    """
    here = replace(options, port=_free_port(options))
    where = url or f"http://{f'[{here.host}]' if ':' in here.host else here.host}:{here.port}/"
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine that runs is a task's
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        async with _temporary_endpoint(hub, where) as made:
            await listen_for_webhooks(str(made["secret"]), here)


@contextlib.asynccontextmanager
async def _temporary_endpoint(hub: RetailerClient, url: str) -> AsyncIterator[dict[str, Any]]:
    """Create an endpoint; delete it at the end of the block."""
    for one in await _list_endpoints(hub):
        if one["url"] == url:  # left by an earlier listener that was killed
            await hub.request("DELETE", f"{ENDPOINTS}/{one['id']}")
    made = await hub.request("POST", ENDPOINTS, {"url": url})
    typer.echo(f"Made the endpoint {made['id']} for {url}", err=True)
    try:
        yield made
    finally:
        await hub.request("DELETE", f"{ENDPOINTS}/{made['id']}")
        typer.echo(f"Deleted the endpoint {made['id']}", err=True)


async def _list_endpoints(hub: RetailerClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await hub.request("GET", ENDPOINTS))["data"]
    return found


def _free_port(options: ListenOptions) -> int:
    """Return a free port. It is known before the endpoint is created, so that no other endpoint is replaced.

    Raises:
        Failure: the address or the port cannot be used.
    """
    with socket.socket(socket.AF_INET6 if ":" in options.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((options.host, options.port))
        except OSError as error:
            raise _address_failure(options, error) from error
        return int(probe.getsockname()[1])


def _address_failure(options: ListenOptions, error: OSError) -> Failure:
    return Failure(
        f"{options.host}:{options.port} cannot be listened at ({error_text(error)}).", "Name another --port."
    )


async def listen_for_webhooks(secret: str, options: ListenOptions) -> None:
    """Listen, and print each webhook.

    Raises:
        Failure: the secret is none, or address or port cannot be had.
    """
    heard = asyncio.Semaphore(0)

    def told(id_: str, said: dict[str, Any]) -> None:
        text = json.dumps({"id": id_, **said})
        typer.echo(text if options.as_json else format_event(text))
        heard.release()

    def refused(why: str) -> None:
        typer.echo(f"refused: {why}", err=True)

    with failure_on(
        SecretUnusable, "The secret is not valid: {why}.", "Rotate the endpoint's secret to be told a new one."
    ):
        listener = WebhookListener(secret, on_message=told, on_refused=refused)
    left = options.count
    try:
        found = await listener.open(options.host, options.port)
        typer.echo(f"Listening at http://{options.host}:{found}/", err=True)
        while left is None or left > 0:
            await heard.acquire()
            left = None if left is None else left - 1
    except OSError as error:
        raise _address_failure(options, error) from error
    finally:
        await listener.close()
