"""`perron discover`: a live list of what calls its name on the house's broker and, by mDNS, on its network."""

import asyncio
import contextlib
import ipaddress
from collections.abc import Callable, Iterable, Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text
from zeroconf import IPVersion, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from gateway.accesslist import NameTaken, bridges
from gateway.cli.broker import logged_in
from gateway.cli.failure import Failure, typed
from gateway.config import Home
from gateway.installation.discovery import MDNS, Sighting, on_the_broker, on_the_network

RESOLVES = 3000  # milliseconds for a service to tell where it is
OWN = "perron/+/availability"

See = Callable[[Sighting], None]


async def discover(
    home: Home, seconds: float, console: Console, *, interfaces: Sequence[str] | None = None
) -> str | None:
    """Show what calls its name, as it does, for so many seconds; what is wrong with the broker, if anything is.

    `interfaces`: the addresses of this machine on whose networks mDNS is heard; None: all of them.
    """
    found: dict[str, Sighting] = {}
    with Live(_table(()), console=console, refresh_per_second=4) as live:

        def see(sighting: Sighting) -> None:
            found[sighting.key] = sighting
            live.update(_table(found.values()))

        wrong, _ = await asyncio.gather(broker(home, seconds, see), network(home, seconds, see, interfaces=interfaces))
    return wrong


async def broker(home: Home, seconds: float, see: See) -> str | None:
    """Hear what the broker keeps, and what is told meanwhile; returns why it could not be heard."""
    try:
        carried = bridges(home)
    except NameTaken as taken:
        return str(taken)
    bases = [base for some in carried.values() for base in some]
    topics = [OWN, *(f"{base}/bridge/devices" for base in bases), *(f"{base}/available" for base in bases)]
    try:
        async with logged_in(home.broker.account("installer"), topics) as guest:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while True:
                        incoming = await guest.hear()
                        for sighting in on_the_broker(home, incoming.topic, incoming.payload):
                            see(sighting)
    except Failure as failure:
        return f"{failure} {failure.todo}"
    return None


async def network(home: Home, seconds: float, see: See, *, interfaces: Sequence[str] | None = None) -> None:
    """Hear mDNS for so many seconds."""
    where = {} if interfaces is None else {"interfaces": list(interfaces)}
    try:
        listening = AsyncZeroconf(ip_version=IPVersion.V4Only, **where)  # type: ignore[arg-type]  # its own choice of interfaces
    except OSError:  # no network at all
        return
    asked: set[asyncio.Task[None]] = set()

    async def resolve(service: str, name: str) -> None:
        info = AsyncServiceInfo(service, name)
        if not await info.async_request(listening.zeroconf, RESOLVES):
            return
        hosts = [str(ipaddress.ip_address(raw)) for raw in info.addresses] or [(info.server or "").rstrip(".")]
        see(on_the_network(home, service, name, hosts[0], info.port or 0))

    def heard(
        zeroconf: Zeroconf,  # noqa: ARG001 - zeroconf calls it by these names
        service_type: str,
        name: str,
        state_change: ServiceStateChange,
    ) -> None:
        if state_change is not ServiceStateChange.Removed:
            task = asyncio.get_running_loop().create_task(resolve(service_type, name))
            asked.add(task)
            task.add_done_callback(asked.discard)

    browser = AsyncServiceBrowser(listening.zeroconf, list(MDNS), handlers=[heard])
    try:
        await asyncio.sleep(seconds)
    finally:
        for task in tuple(asked):
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        await browser.async_cancel()
        await listening.async_close()


def _table(found: Iterable[Sighting]) -> Table:
    table = Table("where", "what", "name", "at", "in the house file as", "to add it")
    for column in table.columns:
        column.overflow = "fold"
    for one in sorted(found, key=lambda one: (one.known is not None, one.where, one.what, one.name)):
        known = Text(one.known or "-", style="green" if one.known else "")
        add = typed(f"`{one.add}`").strip("`") if one.add else ""
        table.add_row(one.where.value, one.what, Text(one.name), Text(one.at), known, Text(add))
    return table
