"""Collects and makes announcements by mDNS. The only user of zeroconf, which is imported when somebody searches."""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

from zeroconf import IPVersion, ServiceInfo, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from gateway.config.home import Home
from gateway.domain.frozen import Frozen
from gateway.installation import discovery
from gateway.installation.discovery import MDNS_SERVICES
from gateway.installation.discovery_scan import DiscoveryHandler

RESOLVE_TIMEOUT_MS = 3000  # for a service to announce its address
LOOPBACK = "127.0.0.1"


class Announcement(Frozen, kw_only=False):
    """A service that a simulated device announces by mDNS: its type, its name, its port, its TXT record."""

    service: str
    name: str
    port: int
    txt: Mapping[str, str]


@asynccontextmanager
async def announce(announcements: Iterable[Announcement]) -> AsyncIterator[None]:
    """Announce these services on this machine's loopback interface while the block runs."""
    announcing = AsyncZeroconf(interfaces=[LOOPBACK], ip_version=IPVersion.V4Only)
    try:
        for one in announcements:
            info = ServiceInfo(
                one.service, f"{one.name}.{one.service}", addresses=[socket.inet_aton(LOOPBACK)], port=one.port,
                properties=dict(one.txt), server=f"{one.name}.local.",
            )  # fmt: skip
            # Another simulated house in the network may have the name
            await announcing.async_register_service(info, allow_name_change=True)
        yield
    finally:
        await announcing.async_unregister_all_services()
        await announcing.async_close()


async def scan_network(
    home: Home, seconds: float, on_found: DiscoveryHandler, *, interfaces: Sequence[str] | None = None
) -> None:
    """Read mDNS for `seconds`, and call `on_found` for each device; `interfaces`: own addresses, None: all of them."""
    where = {} if interfaces is None else {"interfaces": list(interfaces)}
    try:
        listening = AsyncZeroconf(ip_version=IPVersion.V4Only, **where)  # type: ignore[arg-type]  # zeroconf accepts addresses as interfaces
    except OSError:  # there is no network
        await asyncio.sleep(seconds)
        return
    resolvers: set[asyncio.Task[None]] = set()

    async def resolve(service: str, name: str) -> None:
        info = AsyncServiceInfo(service, name)
        if not await info.async_request(listening.zeroconf, RESOLVE_TIMEOUT_MS):
            return
        hosts = [str(ipaddress.ip_address(raw)) for raw in info.addresses] or [(info.server or "").rstrip(".")]
        txt = {key: value or "" for key, value in info.decoded_properties.items()}
        on_found(discovery.read_mdns_service(home, service, name, hosts[0], info.port or 0, txt=txt))

    def on_service(
        zeroconf: Zeroconf,  # noqa: ARG001 - zeroconf passes these keywords
        service_type: str,
        name: str,
        state_change: ServiceStateChange,
    ) -> None:
        if state_change is not ServiceStateChange.Removed:
            task = asyncio.get_running_loop().create_task(resolve(service_type, name))
            resolvers.add(task)
            task.add_done_callback(resolvers.discard)

    browser = AsyncServiceBrowser(listening.zeroconf, list(MDNS_SERVICES), handlers=[on_service])
    try:
        await asyncio.sleep(seconds)
    finally:
        for task in tuple(resolvers):
            task.cancel()
        await asyncio.gather(*resolvers, return_exceptions=True)
        await browser.async_cancel()
        await listening.async_close()
