"""Sends an HTTP request with limits on time and size and without redirects.

It is asked in a thread, which nothing can end from outside: a hub that answers a byte now and then would hold it for
good, and with it the box, whose next start waits for the last one's threads.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, Request, build_opener

MAX_ANSWER_TIME_S = 30.0  # seconds for a whole answer, from the moment at which somebody is there


@contextlib.contextmanager
def open_bounded(request: Request, *, patience: float, longest: float = MAX_ANSWER_TIME_S) -> Iterator[HTTPResponse]:
    """Ask, and hang up when it takes too long. No redirect is followed: the house's own network lies behind us.

    `patience`: seconds for whoever is asked to be there, and between two words of his.

    Raises:
        urllib.error.HTTPError: anything but a good answer. OSError, ValueError, http.client.HTTPException: none.
    """
    lines: list[socket.socket] = []
    end = threading.Timer(longest, _shut_down, (lines,))
    end.daemon = True
    opener = build_opener(_NoRedirect, _Http(lines.append), _Https(lines.append))
    end.start()
    try:
        with opener.open(request, timeout=patience) as answer:
            yield answer
    finally:
        end.cancel()


def _shut_down(lines: list[socket.socket]) -> None:
    for line in lines:
        with contextlib.suppress(OSError, ValueError):  # it has ended by itself
            socket.socket.shutdown(line, socket.SHUT_RDWR)  # under TLS, of which another thread is reading


def _tracked_connection(
    kind: type[HTTPConnection],
    note: Callable[[socket.socket], None],
    host: str,
    **more: Any,  # noqa: ANN401 - the library's
) -> HTTPConnection:
    """A connection that says which socket it has."""
    made = kind(host, **more)
    connect = made.connect

    def noted() -> None:
        connect()
        note(made.sock)

    made.connect = noted  # type: ignore[method-assign]  # `urllib` makes the connection, and tells of it nowhere
    return made


class _Http(HTTPHandler):
    def __init__(self, note: Callable[[socket.socket], None]) -> None:
        super().__init__()
        self._note = note

    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(partial(_tracked_connection, HTTPConnection, self._note), req)


class _Https(HTTPSHandler):
    def __init__(self, note: Callable[[socket.socket], None]) -> None:
        super().__init__()
        self._note = note

    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(partial(_tracked_connection, HTTPSConnection, self._note), req)


class _NoRedirect(HTTPRedirectHandler):
    """A redirect is not followed: the code says where the hub is."""

    def redirect_request(self, *_: Any, **__: Any) -> None:  # noqa: ANN401 - the library's
        return None
