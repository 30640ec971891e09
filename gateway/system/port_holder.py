"""Finds the program that listens at a TCP port or a Unix socket of this machine."""

import socket
import struct
from pathlib import Path

import psutil

UNKNOWN_HOLDER = "another program"
_CREDENTIALS = struct.Struct("3i")  # of SO_PEERCRED: process, user, group


def port_holder(port: int) -> str:
    """Return name and process id of the program that listens at this TCP port; `UNKNOWN_HOLDER` if it cannot be told.

    Of another user's programs only root is told the id. It reads tables of the kernel: call it from a thread.
    """
    try:
        for connection in psutil.net_connections("tcp"):
            at = connection.laddr
            if connection.status == psutil.CONN_LISTEN and at and at.port == port and connection.pid is not None:
                return _program_text(connection.pid)
    except (psutil.Error, OSError):
        pass
    return UNKNOWN_HOLDER


def socket_holder(path: Path) -> str | None:
    """Return name and process id of the program that listens at this Unix socket; None: none does."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return None
        pid, _, _ = _CREDENTIALS.unpack(probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    try:
        return _program_text(pid)
    except psutil.Error:
        return UNKNOWN_HOLDER


def _program_text(pid: int) -> str:
    return f"{psutil.Process(pid).name()} (process {pid})"
