"""Recognises this machine's own addresses."""

from ipaddress import ip_address


def is_loopback_host(host: str) -> bool:
    """Whether an address, or the name of one, is this machine's own and reached by nobody else."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
