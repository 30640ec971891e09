"""A guard that kills itself with SIGKILL at a named point; arguments: guard.yaml POINT."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from gateway.integrations.lock_guard.file import load_guard_file
from gateway.integrations.lock_guard.ledger import Ledger
from gateway.integrations.lock_guard.process import GuardProcess
from gateway.protocol.keys import load_key


def main(config: Path, point: str) -> None:
    """Run until killed, by ourselves or by others."""

    def reached(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    file = load_guard_file(config)
    asyncio.run(GuardProcess(file, key=load_key(file.key), ledger=Ledger.open(file.folder), reached=reached).run())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
