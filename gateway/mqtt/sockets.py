"""The socket of a broker connection, with or without TLS: it never blocks, and it says what has left.

It is no asyncio transport, because a transport keeps what the system does not take. TLS runs in memory
(`ssl.SSLObject`): from a socket of its own, OpenSSL would read what has no content, such as session tickets, as long as
any arrives.
"""

import asyncio
import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Sequence
from typing import Any

RECEIVE_BYTES = 16_384  # received with one system call, and decrypted at once
MAX_TLS_UNSENT_BYTES = 262_144  # of encrypted bytes that the system does not take: a publication, and TLS's own answers
MAX_ADDRESSES = 4  # of one host that are tried

_Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]  # as getaddrinfo returns it


class BrokerSocket:
    """A connected socket without Nagle's delay. The methods raise BlockingIOError if nothing can be done now."""

    has_unsent = False  # whether encrypted bytes wait for the system, behind which no other may leave

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.fileno = sock.fileno()

    def recv(self) -> bytes:
        """Return what has arrived, up to RECEIVE_BYTES; nothing if the broker ended the connection."""
        return self._sock.recv(RECEIVE_BYTES)

    def send(self, data: bytes | bytearray) -> int:
        """Return how many bytes will certainly leave; 0 only for no `data`."""
        return self._sock.send(data)

    def close(self) -> None:
        """Close it; what the system has taken still leaves."""
        self._sock.close()


class TlsSocket(BrokerSocket):
    """The same with TLS. What `send` has encrypted must leave, so it waits here if the system does not take it."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, host: str) -> None:
        super().__init__(sock)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._unsent = bytearray()

    async def shake_hands(self) -> None:
        """Do the handshake.

        Raises:
            OSError: it fails (ssl.SSLError), or the connection does.
        """
        loop = asyncio.get_running_loop()
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await loop.sock_sendall(self._sock, self._outgoing.read())
                received = await loop.sock_recv(self._sock, RECEIVE_BYTES)
                if received:
                    self._incoming.write(received)
                else:
                    self._incoming.write_eof()
            else:
                await loop.sock_sendall(self._sock, self._outgoing.read())
                return

    def recv(self) -> bytes:
        """Return what was decrypted of up to RECEIVE_BYTES."""
        received = super().recv()
        if not received:
            return b""
        self._incoming.write(received)
        pieces = []
        with contextlib.suppress(ssl.SSLWantReadError):
            while piece := self._tls.read(RECEIVE_BYTES):
                pieces.append(piece)
            return b"".join(pieces)  # the broker said the end
        self._push()  # TLS may have to answer
        if not pieces:
            raise BlockingIOError
        return b"".join(pieces)

    def send(self, data: bytes | bytearray) -> int:
        """Encrypt all of `data` if the system has taken all before."""
        self._push()
        if self._unsent:
            if data:
                raise BlockingIOError
            return 0
        taken = self._tls.write(data) if data else 0
        self._push()
        return taken

    def _push(self) -> None:
        self._unsent += self._outgoing.read()
        with contextlib.suppress(BlockingIOError):
            while self._unsent:
                del self._unsent[: super().send(self._unsent)]
        self.has_unsent = bool(self._unsent)
        if len(self._unsent) > MAX_TLS_UNSENT_BYTES:
            raise OSError("the broker speaks, and takes no answer")


async def open_socket(host: str, port: int, context: ssl.SSLContext | None, *, timeout_s: float) -> BrokerSocket:
    """Return a connected socket; with `context` its TLS handshake is done. Each step takes `timeout_s` at most.

    Raises:
        OSError: no address of the host answers (TimeoutError), or it refuses TLS (ssl.SSLError).
    """
    async with asyncio.timeout(timeout_s):
        addresses = await _addresses(host, port)
    failure: OSError | None = None
    for family, kind, protocol, _name, address in addresses[:MAX_ADDRESSES]:
        with contextlib.ExitStack() as on_failure:
            sock = on_failure.enter_context(socket.socket(family, kind, protocol))
            sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                async with asyncio.timeout(timeout_s):
                    await asyncio.get_running_loop().sock_connect(sock, address)
            except OSError as error:
                # the event loop's own text names no reason
                failure = error if error.errno is None else OSError(error.errno, os.strerror(error.errno))
                continue
            made = BrokerSocket(sock)
            if context is not None:
                made = tls = TlsSocket(sock, context, host)
                async with asyncio.timeout(timeout_s):
                    await tls.shake_hands()
            on_failure.pop_all()
            return made
    raise failure or OSError(f"{host} has no address")


async def _addresses(host: str, port: int) -> Sequence[_Address]:
    """Return the addresses of a name or an address.

    A resolver may take minutes, and cannot be interrupted: in the loop's few threads it would keep others from working.
    """
    with contextlib.suppress(socket.gaierror):  # an address needs no resolver
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    loop = asyncio.get_running_loop()
    found: asyncio.Future[Sequence[_Address]] = loop.create_future()

    def finish(addresses: Sequence[_Address], error: OSError | None) -> None:
        if found.done():
            return
        if error is not None:
            found.set_exception(error)
        else:
            found.set_result(addresses)

    def resolve() -> None:
        addresses: Sequence[_Address] = ()
        failure: OSError | None = None
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(finish, addresses, failure)

    threading.Thread(target=resolve, name="mqtt-resolver", daemon=True).start()
    return await found
