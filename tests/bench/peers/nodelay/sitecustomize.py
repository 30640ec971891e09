"""Loaded into Home Assistant: every TCP connection sends small packets at once, which paho leaves to Nagle."""

import socket
from typing import Any


class _PromptSocket(socket.socket):
    def connect(self, address: Any) -> None:  # noqa: ANN401 - as the standard library has it
        super().connect(address)
        _prompt(self)

    def connect_ex(self, address: Any) -> int:  # noqa: ANN401 - the same
        code = super().connect_ex(address)
        _prompt(self)
        return code


def _prompt(made: socket.socket) -> None:
    if made.type & socket.SOCK_STREAM and made.family in (socket.AF_INET, socket.AF_INET6):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


socket.socket = _PromptSocket  # type: ignore[misc]  # for all that is imported later
