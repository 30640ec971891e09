"""`python -m devices.simulators --house FILE --control SOCKET --log FILE [--seed N]`: run a simulated house."""

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from pathlib import Path

from devices.simulators.house import read_house
from devices.simulators.residence import run


async def _run_until_signal(arguments: argparse.Namespace) -> None:
    house = asyncio.ensure_future(
        run(read_house(arguments.house), arguments.control, arguments.log, seed=arguments.seed)
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, house.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await house


def main() -> None:
    """Run until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(
        prog="python -m devices.simulators",
        description="Runs a simulated house. `perron simulate` does so too, and finds its files by itself.",
        epilog="Examples:\n  python -m devices.simulators --house config/house.yaml --control h.sock --log h.jsonl",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--house", type=Path, required=True, help="the house file, for example config/house.yaml")
    parser.add_argument("--control", type=Path, required=True, help="the Unix socket by which it can be moved")
    parser.add_argument("--log", type=Path, required=True, help="where to write what physically happens (JSON lines)")
    parser.add_argument("--seed", type=int, help="the same dice again")
    logging.basicConfig(level=logging.INFO, format="%(name)s %(message)s")
    try:
        asyncio.run(_run_until_signal(parser.parse_args()))
    except OSError as error:  # most of all a port that another house already uses
        sys.exit(f"The simulated house cannot run here: {error.strerror or error}.")


if __name__ == "__main__":
    main()
