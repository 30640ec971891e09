"""Recognises this machine's own addresses and taken ports, and counts a client's addresses as one."""

import errno
import re
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Network, ip_address

MAX_NAME_CHARS = 64  # of a client that a proxy names instead of giving its address
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")  # between two points of a host name
_LAST_LABEL = re.compile(r".*[A-Za-z].*")  # a name that ends in a number would be read as an address


def is_host(text: str) -> bool:
    """Whether a text can be a host name or an IP address; the network is not queried for it."""
    try:
        ip_address(text)
    except ValueError:
        labels = text.split(".")
        return all(map(_LABEL.fullmatch, labels)) and _LAST_LABEL.fullmatch(labels[-1]) is not None
    return True


def is_loopback_host(host: str) -> bool:
    """Whether an address or its name is the loopback interface, which only this machine reaches."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_any_address(host: str) -> bool:
    """Whether an address means all addresses of this machine (0.0.0.0, ::)."""
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


HOME_NAMES = (".local", ".home.arpa", ".lan", ".home", ".internal", ".localdomain")  # known in a home's network only


def is_home_host(host: str) -> bool:
    """Whether an address or name can be reached in the home's own network only, as far as it says so itself."""
    try:
        return not ip_address(host.strip("[]").partition("%")[0]).is_global
    except ValueError:
        return "." not in host or host.lower().rstrip(".").endswith(HOME_NAMES)


def client_network(address: str, *, ipv6_prefix: int = 64) -> str:
    """Return the network under which a client's addresses are counted and limited as one.

    Of IPv4 it is the address itself, also if a dual-stack proxy writes it as IPv6 (`::ffff:192.0.2.7`), since all of
    IPv4 lies in one such network. Of IPv6 it is the network of `ipv6_prefix`
    bits in CIDR notation, because one household can use all addresses of its 64 bits. The zone (`%eth0`) is dropped.
    Text that is no address is returned, cut to `MAX_NAME_CHARS`.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:MAX_NAME_CHARS]
    four = parsed if isinstance(parsed, IPv4Address) else parsed.ipv4_mapped
    return str(four or IPv6Network((int(parsed), ipv6_prefix), strict=False))


def taken_port(host: str, ports: Iterable[int | None]) -> int | None:
    """Return the first of these ports of the address `host` at which a program listens; None: all are free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in filter(None, ports):
        try:
            socket.create_server((host, port), family=family).close()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return port
    return None
