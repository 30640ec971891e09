"""Opens the non-blocking socket of a broker connection, with TLS if the broker has it.

It is a socket and no asyncio transport, because a transport stores what the system does not take: with a socket the
caller knows how many bytes left.
"""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Sequence
from typing import Any

_Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]  # as getaddrinfo returns it


async def open_socket(host: str, port: int, context: ssl.SSLContext | None) -> socket.socket:
    """Return a connected socket without Nagle's delay; with `context` its TLS handshake is done.

    Raises:
        OSError: no address of the host answers, or it refuses TLS (ssl.SSLError).
    """
    loop = asyncio.get_running_loop()
    failure: OSError | None = None
    for family, kind, protocol, _name, address in await _addresses(host, port):
        with contextlib.ExitStack() as on_failure:
            sock = on_failure.enter_context(socket.socket(family, kind, protocol))
            sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                await loop.sock_connect(sock, address)
            except OSError as error:
                # the event loop's own text names no reason
                failure = error if error.errno is None else OSError(error.errno, os.strerror(error.errno))
                continue
            if context is not None:
                tls = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
                sock = on_failure.enter_context(tls)
                await _shake_hands(tls)
            on_failure.pop_all()
            return sock
    raise failure or OSError(f"{host} has no address")


async def _addresses(host: str, port: int) -> Sequence[_Address]:
    with contextlib.suppress(socket.gaierror):  # an address needs no resolver, which would run in a thread
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)


async def _shake_hands(tls: ssl.SSLSocket) -> None:
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            await _wait_until_ready(tls, is_write=False)
        except ssl.SSLWantWriteError:
            await _wait_until_ready(tls, is_write=True)
        else:
            return


async def _wait_until_ready(sock: socket.socket, *, is_write: bool) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def on_ready() -> None:
        if not ready.done():
            ready.set_result(None)

    watch, unwatch = (loop.add_writer, loop.remove_writer) if is_write else (loop.add_reader, loop.remove_reader)
    watch(sock.fileno(), on_ready)
    try:
        await ready
    finally:
        unwatch(sock.fileno())
