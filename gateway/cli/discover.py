"""`perron discover`: a live list of devices that announce themselves at the house's broker or by mDNS."""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gateway.cli.broker import open_session
from gateway.cli.failure import Failure
from gateway.cli.lines import command_line
from gateway.config.home import Home
from gateway.installation import discovery_scan
from gateway.installation.discovery import DiscoveredDevice
from gateway.installation.discovery_scan import DiscoveryHandler
from gateway.system.text import escape_invisible


async def discover(
    home: Home, file: Path, seconds: float, console: Console, *, interfaces: Sequence[str] | None = None
) -> str | None:
    """Show the devices that announce themselves, for `seconds`; return what is wrong with the broker, or None.

    `file`: the house file, which the commands name. `interfaces`: the addresses of this machine on whose networks mDNS
    is heard; None: all of them.
    """
    found: dict[str, DiscoveredDevice] = {}
    with Live(_table((), file), console=console, refresh_per_second=4) as live:

        def see(sighting: DiscoveredDevice) -> None:
            found[sighting.key] = sighting
            live.update(_table(found.values(), file))

        wrong, _ = await asyncio.gather(
            discover_at_broker(home, seconds, see),
            discovery_scan.scan_network(home, seconds, see, interfaces=interfaces),
        )
    return wrong


async def discover_at_broker(home: Home, seconds: float, on_found: DiscoveryHandler) -> str | None:
    """Listen at the broker; return why that failed, or None."""
    try:
        async with open_session(home.broker.account("installer"), discovery_scan.discovery_topics(home)) as guest:
            await discovery_scan.scan_broker(home, guest, seconds, on_found)
    except Failure as failure:
        return f"{failure} {failure.todo}"
    return None


def _table(devices: Iterable[DiscoveredDevice], file: Path) -> Table:
    table = Table("where", "what", "name", "at", "in the house file as", "to add it")
    for column in table.columns:
        column.overflow = "fold"
    for device in sorted(devices, key=lambda d: (d.known_as is not None, d.source, d.text_key, d.name)):
        name, address = Text(escape_invisible(device.name)), Text(escape_invisible(device.address))
        known = Text(device.known_as or "-", style="green" if device.known_as else "")
        add = Text(command_line(*device.add_arguments, home=file) if device.add_arguments else "")
        table.add_row(device.source.value, device.text_key, name, address, known, add)
    return table
