"""Runs the video process: `python -m gateway.video --socket PATH`. Exit status 3: another one serves the socket."""

import argparse
import asyncio
import logging
import os
import resource
import signal
import sys
import threading
from pathlib import Path

import av.logging

from gateway.system.clock import machine_time
from gateway.system.json_log import JsonLineFormatter
from gateway.video.clip import CrashPoint
from gateway.video.held_folder import AlreadyRunning
from gateway.video.process import VideoProcess

EXIT_ALREADY_RUNNING = 3


def main(crash_point: CrashPoint = lambda _point: None) -> int:
    """Run the video process on the socket of the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m gateway.video", description=__doc__)
    parser.add_argument("--socket", type=Path, required=True, help="Unix socket on which the gateway connects")
    options = parser.parse_args()
    lines = logging.StreamHandler()
    if sys.stderr.isatty():
        lines.setFormatter(logging.Formatter("%(asctime)s  video: %(message)s", "%H:%M:%S"))
        gateway = os.getppid()
        # The terminal belongs to the gateway that started this process, and after its end to the person who types
        lines.addFilter(lambda _line: os.getppid() == gateway)
    else:
        lines.setFormatter(JsonLineFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[lines])
    av.logging.set_level(None)  # libav's log lines may contain a camera's password
    threading.excepthook = _end_process
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash must not write a camera's password to the disk
    try:
        asyncio.run(VideoProcess(options.socket, utc=machine_time, crash_point=crash_point).run())
    except AlreadyRunning:
        logging.getLogger(__name__).warning("another video process serves %s", options.socket)
        return EXIT_ALREADY_RUNNING
    return 0


def _end_process(failed: threading.ExceptHookArgs) -> None:
    """End the process after a bug in a camera's thread: it closes its clips, and the gateway starts another one."""
    threading.__excepthook__(failed)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
