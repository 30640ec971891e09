"""Sends an HTTP request with limits on time and size and without redirects.

The caller runs it in a thread, which nothing can end from outside. Without the limit a hub that sends a byte now and
then would hold the thread for ever, and the process could not end.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, Request, build_opener

MAX_ANSWER_TIME_S = 30.0  # seconds from the request to the end of the answer


@contextlib.contextmanager
def open_bounded(
    request: Request, *, idle_timeout_s: float, max_duration_s: float = MAX_ANSWER_TIME_S
) -> Iterator[HTTPResponse]:
    """Send a request and yield the answer; close the connection after `max_duration_s`.

    No redirect is followed, because a redirect could point into the house's own network. `idle_timeout_s` limits the
    connecting and each wait for more bytes.

    Raises:
        urllib.error.HTTPError: anything but a good answer. OSError, ValueError, http.client.HTTPException: none.
    """
    lines: list[socket.socket] = []
    end = threading.Timer(max_duration_s, _shut_down, (lines,))
    end.daemon = True
    opener = build_opener(_NoRedirect, _Tracked(lines.append))
    end.start()
    try:
        with opener.open(request, timeout=idle_timeout_s) as answer:
            yield answer
    finally:
        end.cancel()


def _shut_down(sockets: list[socket.socket]) -> None:
    for line in sockets:
        with contextlib.suppress(OSError, ValueError):  # it has ended by itself
            socket.socket.shutdown(line, socket.SHUT_RDWR)  # under TLS, of which another thread is reading


def _tracked_connection(
    kind: type[HTTPConnection],
    on_connect: Callable[[socket.socket], None],
    host: str,
    **more: Any,  # noqa: ANN401 - the library's
) -> HTTPConnection:
    connection = kind(host, **more)
    connect = connection.connect

    def connect_and_report() -> None:
        connect()
        on_connect(connection.sock)

    connection.connect = connect_and_report  # type: ignore[method-assign]  # `urllib` makes the connection, and tells of it nowhere
    return connection


class _Tracked(HTTPHandler, HTTPSHandler):
    def __init__(self, on_connect: Callable[[socket.socket], None]) -> None:
        super().__init__()
        self._on_connect = on_connect

    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(partial(_tracked_connection, HTTPConnection, self._on_connect), req)

    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(partial(_tracked_connection, HTTPSConnection, self._on_connect), req)


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:  # noqa: ANN401 - the library's
        return None
