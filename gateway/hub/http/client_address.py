"""Normalises a client's address to the key of its rate limit (IPv4 address, IPv6 network).

Behind a proxy the last address of `X-Forwarded-For` is the one that our own proxy wrote; before it anybody may write.
Some proxies add a header of their own behind the one that came instead of lengthening it (HAProxy's `option
forwardfor`), so the last of them counts, and some write beside the address the port, of which whoever asks has another
each time (https://azure.microsoft.com/en-us/blog/rewrite-http-headers-with-azure-application-gateway/).
"""

from collections.abc import Sequence
from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network

from aiohttp import web

NETWORK_LIMIT_FACTOR = 4  # rations that a network of 48 bits has together: one stranger can have all of it
_MAX_NAME_CHARS = 64  # characters of a name that is no address


def client_address(request: web.Request, *, behind_proxy: bool) -> str:
    """Tell whose ration a request is: an IPv4 address, or a network of IPv6."""
    told = request.headers.getall("X-Forwarded-For", ()) if behind_proxy else ()
    return network_of(last_forwarded(told) or request.remote or "")


def last_forwarded(told: Sequence[str]) -> str:
    """The address that was added last, over all headers of that name."""
    return told[-1].rpartition(",")[2].strip() if told else ""


def network_of(written: str) -> str:
    """One writing for all addresses of one stranger: of IPv6 a network of 64 bits, which one house has for itself."""
    bare = written[1:].partition("]")[0] if written.startswith("[") else written
    bare = bare.partition(":")[0] if bare.count(":") == 1 else bare
    try:
        known = ip_address(bare.partition("%")[0])
    except ValueError:  # a proxy that tells a name
        return written[:_MAX_NAME_CHARS]
    if not isinstance(known, IPv6Address):
        return str(known)
    four = known.ipv4_mapped  # a proxy that listens for both kinds at once; a network of 64 bits would be all of them
    return str(ip_network((known, 64), strict=False)) if four is None else str(four)


def wider_network(name: str) -> str | None:
    """The network of 48 bits in which one of 64 lies: as much as one customer of a provider gets; None: it is none."""
    try:
        known = IPv6Network(name)
    except ValueError:
        return None
    return str(known.supernet(new_prefix=48)) if known.prefixlen == 64 else None
