"""A wire between a client and its server that can be watched, held, made late and cut."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable

THREAD_TIMEOUT_S = 30.0  # seconds for a thread to end


class TcpRelay:
    """A TCP relay in threads of its own that keeps every byte a client sent, and can stop taking bytes.

    `flowing` is the client's way, `returning` the server's; `late` says how many seconds each of the server's bits
    comes late (one after the other: a burst piles up). `at_most` clients at once; more are turned away.
    """

    def __init__(self, port: int, late: Callable[[], float] = lambda: 0.0, *, at_most: int | None = None) -> None:
        self.returning = threading.Event()
        self.returning.set()
        self._bytes_until_cut: int | None = None
        self._late, self._at_most = late, at_most
        self.turned_away = 0
        self.seen = bytearray()
        self.flowing = threading.Event()
        self.flowing.set()
        self._broker = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.port: int = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = [self._listener]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                carried = sum(thread.is_alive() for thread in self._threads[1:]) / 2
                if self._at_most is not None and carried >= self._at_most:
                    self.turned_away += 1
                    client.close()
                    continue
                server = socket.create_connection(self._broker)
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._ends += [client, server]
                for source, sink, kept in ((client, server, True), (server, client, False)):
                    self._threads.append(threading.Thread(target=self._carry, args=(source, sink, kept)))
                    self._threads[-1].start()

    def _carry(self, source: socket.socket, sink: socket.socket, kept: bool) -> None:
        with contextlib.suppress(OSError):
            while True:
                if kept:
                    self.flowing.wait()
                data = source.recv(65536)
                if kept:
                    self.seen += data
                if not data:
                    break
                if not kept:
                    time.sleep(self._late())
                    self.returning.wait()
                    if self._bytes_until_cut is not None:
                        data = data[: self._bytes_until_cut]
                        self._bytes_until_cut -= len(data)
                        if not data:
                            self._bytes_until_cut = None
                            break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut_after(self, size: int) -> None:
        """Pass `size` more bytes of the server, then end that connection."""
        self._bytes_until_cut = size

    def cut(self) -> None:
        """Lose every connection without a word."""
        for end in self._ends[1:]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.flowing.set()
        self.returning.set()
        self.cut()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(THREAD_TIMEOUT_S)
        for end in self._ends[1:]:
            end.close()
