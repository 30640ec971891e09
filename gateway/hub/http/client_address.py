"""Normalises a client's address to the key of its rate limit (IPv4 address, IPv6 network).

Behind a proxy our own proxy wrote the last address of `X-Forwarded-For`; the ones before it anybody can write. Some
proxies add a second header instead of extending the first (HAProxy's `option forwardfor`), so the last header counts.
Some append the port, which differs for each connection
(https://azure.microsoft.com/en-us/blog/rewrite-http-headers-with-azure-application-gateway/).
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv6Network, ip_address

from fastapi import Request

from gateway.system.addresses import client_network

NETWORK_LIMIT_FACTOR = 4  # times the limit of one address, for a /48 network, which one client may own


def client_address(request: Request, *, behind_proxy: bool) -> str:
    """Return the key of a request's rate limits: an IPv4 address, or a network of IPv6."""
    forwarded = request.headers.getlist("X-Forwarded-For") if behind_proxy else ()
    client = request.client
    return network_of(last_forwarded(forwarded) or ("" if client is None else client.host))


def last_forwarded(headers: Sequence[str]) -> str:
    """Return the address that was added last, over all headers of that name."""
    return headers[-1].rpartition(",")[2].strip() if headers else ""


@lru_cache(4096)
def network_of(written: str) -> str:
    """Return the network of a client's address (`client_network`), which may stand in brackets or before a port."""
    return client_network(_without_port(written))


def is_ip_address(host: str) -> bool:
    """Return whether the header `Host` is an IP address, and no name; a port may follow."""
    try:
        ip_address(_without_port(host))
    except ValueError:
        return False
    return True


def _without_port(written: str) -> str:
    bare = written[1:].partition("]")[0] if written.startswith("[") else written
    return bare.partition(":")[0] if bare.count(":") == 1 else bare


def wider_network(name: str) -> str | None:
    """Return the /48 network of a /64 network, as much as a provider gives one customer, or None for another name."""
    try:
        known = IPv6Network(name)
    except ValueError:
        return None
    return client_network(str(known.network_address), ipv6_prefix=48) if known.prefixlen == 64 else None
