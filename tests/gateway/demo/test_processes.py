"""When a process of a run counts as started."""

import socket
from pathlib import Path

from gateway.demo.processes import is_listening


def test_a_process_whose_socket_is_only_bound_has_not_started(tmp_path: Path) -> None:
    """Its file is there, and a connection would be refused."""
    path = tmp_path / "house.sock"
    assert not is_listening(path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        assert path.exists()
        assert not is_listening(path)
        server.listen()
        assert is_listening(path)
    assert not is_listening(path), "it has ended, and its file is still there"
