"""Finds a TCP port of this machine that is taken, and the program that listens there."""

import errno
import socket
from collections.abc import Iterable

import psutil

UNKNOWN_HOLDER = "another program"


def port_holder(port: int) -> str:
    """Return name and process id of the program that listens at this TCP port; `UNKNOWN_HOLDER` if it cannot be told.

    Of another user's programs only root is told the id. It reads tables of the kernel: call it from a thread.
    """
    try:
        for connection in psutil.net_connections("tcp"):
            at = connection.laddr
            if connection.status == psutil.CONN_LISTEN and at and at.port == port and connection.pid is not None:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    except (psutil.Error, OSError):
        pass
    return UNKNOWN_HOLDER


def taken_port(host: str, ports: Iterable[int | None]) -> int | None:
    """Return the first of these ports of the address `host` at which a program listens; None: all are free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in filter(None, ports):
        try:
            socket.create_server((host, port), family=family).close()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return port
    return None
