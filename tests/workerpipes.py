"""Stands for a worker of pytest-xdist: asks the stem (tests/forkedworkers.py) for one, and gives it these pipes.

`python workerpipes.py NAME`, where NAME is the stem's abstract socket. It ends with the worker.
"""

import signal
import socket
import sys

signal.signal(signal.SIGINT, signal.SIG_IGN)  # the worker hears of it too, and ends
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stem:
    stem.connect(f"\0{sys.argv[1]}")
    socket.send_fds(stem, [b"fork"], [0, 1, 2])
    sys.stdin.close()
    sys.stdout.close()
    stem.recv(1)  # nothing is ever sent: the worker has ended
