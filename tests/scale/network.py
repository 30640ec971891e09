"""A bridge of this machine with network namespaces on it: each has an address and a cable that can be pulled.

Root's. All addresses are private to the bridge; whatever was made is removed, also after a failure.
"""

import asyncio
import contextlib
import itertools
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from string import ascii_lowercase

_numbers = itertools.count()


async def run_ip(*words: str) -> None:
    """Run one command of iproute2.

    Raises:
        RuntimeError: it failed; the text says what it said.
    """
    asked = await asyncio.create_subprocess_exec(
        "ip", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    told, _ = await asked.communicate()
    if asked.returncode != 0:
        raise RuntimeError(f"ip {' '.join(words)}: {told.decode().strip()}")


@dataclass
class NetworkBridge:
    """One bridge. `net`: the first three numbers of its addresses."""

    name: str
    net: str
    _spaces: list[str] = field(default_factory=list)

    @property
    def here(self) -> tuple[str, str]:
        """Two addresses of this machine on it."""
        return f"{self.net}.253", f"{self.net}.254"

    def at(self, number: int) -> str:
        """The address of a namespace."""
        return f"{self.net}.{number}"

    def inside(self, number: int) -> tuple[str, ...]:
        """What a command begins with that shall run in a namespace."""
        return ("ip", "netns", "exec", self._space(number))

    async def space(self, number: int) -> None:
        """Make a namespace and plug it in."""
        space, cable = self._space(number), self._cable(number)
        await run_ip("netns", "add", space)
        self._spaces.append(space)
        await run_ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", space)
        await run_ip("link", "set", cable, "master", self.name, "up")
        await run_ip("-n", space, "link", "set", "lo", "up")
        await run_ip("-n", space, "addr", "add", f"{self.at(number)}/24", "dev", "eth0")
        await run_ip("-n", space, "link", "set", "eth0", "up")

    async def pull(self, number: int) -> None:
        """Pull its cable: nothing reaches it or leaves it, and nobody is told."""
        await run_ip("link", "set", self._cable(number), "down")

    async def plug(self, number: int) -> None:
        """Plug it in again."""
        await run_ip("link", "set", self._cable(number), "up")

    async def made(self) -> None:
        """Make the bridge."""
        await run_ip("link", "add", "name", self.name, "type", "bridge", "forward_delay", "0")
        for own in self.here:
            await run_ip("addr", "add", f"{own}/24", "dev", self.name)
        await run_ip("link", "set", self.name, "up")

    async def gone(self) -> None:
        """Remove all of it, as far as it is there."""
        for space in self._spaces:
            with contextlib.suppress(RuntimeError):
                await run_ip("netns", "del", space)  # and its cable
        with contextlib.suppress(RuntimeError):
            await run_ip("link", "del", self.name)

    def _space(self, number: int) -> str:
        return f"{self.name}-{number}"

    def _cable(self, number: int) -> str:
        return f"{self.name}-{number}"


@contextlib.asynccontextmanager
async def bridge(spaces: int) -> AsyncIterator[NetworkBridge]:
    """A bridge with so many namespaces, until left. Two of them at once have different addresses."""
    pid, number = os.getpid(), next(_numbers)  # the system takes its time to forget an earlier one's names
    one = NetworkBridge(name=f"prn{pid}{ascii_lowercase[number % 26]}", net=f"10.213.{(pid + number) % 250 + 1}")
    try:
        await one.made()
        for number in range(1, spaces + 1):
            await one.space(number)
        yield one
    finally:
        await one.gone()
