"""Decides to which addresses from outside a program may send, so that none leads into a private network. Pure.

Such an address is a retailer's webhook at the hub, or the push service of a browser at the box. It is checked twice:
the written one when it is accepted and at each attempt, and the IP address at each connection (`guarded_http.py`). So a
name whose DNS answer changes in between does not help an attacker.

It refuses the networks of IANA's special-purpose address registries for IPv4 and IPv6 (RFC 6890 and its updates, read
in November 2026), multicast, and IPv6 addresses that contain an IPv4 address (mapped, NAT64, 6to4, Teredo), which would
be a second way to each of those.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from yarl import URL

from gateway.domain.frozen import Frozen

URL_PATTERN = (
    r"^https?://(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.-]{1,253})(:[0-9]{1,5})?"
    r"(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?$"
)
"""The shape of an address, for ECMA-262 and Python: no user's name, no fragment, nothing that two readers dispute."""
PUBLIC_URL_PATTERN = (
    r"^https://([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?[.])+[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(:(80|443|[1-9][0-9]{3,4}))?(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?([?][A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?$"
)
"""The same for a document: what a hub takes unless its file allows more (`DestinationPolicy`) is of this shape."""
MAX_URL_CHARS = 400

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_PRIVATE_DOMAINS = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "private", "arpa", "onion")
_FIRST_FREE_PORT = 1024

_IPV4_PRIVATE = tuple(
    map(IPv4Network, ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
)
_IPV4_NEVER = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
            "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            "168.63.129.16/32",  # Azure's host of a virtual machine, at a public address
        ),
    )
)  # fmt: skip
_IPV6_GLOBAL = IPv6Network("2000::/3")  # all that IANA assigns; other networks are private
_IPV6_PRIVATE = (IPv6Network("::1/128"), IPv6Network("fc00::/7"))
_IPV6_NEVER = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "fd00:ec2::/32")))


class DestinationRefused(Exception):  # noqa: N818 - it says what is the matter
    """Nothing is sent there; the text says why and what to do."""


class DestinationPolicy(Frozen):
    """What the configuration permits beside public names by https: `private` addresses, `plain` http."""

    private: bool = False
    plain: bool = False


def parse_destination(url: str, policy: DestinationPolicy, *, max_chars: int = MAX_URL_CHARS) -> URL:
    """Parse an address to which something may be sent, or raise `DestinationRefused`."""
    parts = re.fullmatch(URL_PATTERN, url) if len(url) <= max_chars else None
    if parts is None:
        raise DestinationRefused(
            "Write it as https://host/path: no user's name, no fragment, ASCII (a name of other letters as xn--)."
        )
    scheme = url.partition(":")[0]
    written_host, port, path, query = parts.groups("")
    if scheme == "http" and not policy.plain:
        raise DestinationRefused("Only https: on the way anybody could read what is sent.")
    six = written_host.startswith("[")
    host = f"[{_parse_number(written_host[1:-1], policy)}]" if six else _parse_host(written_host, policy)
    return URL(f"{scheme}://{host}:{_parse_port(port[1:], scheme)}{path or '/'}{query}", encoded=True)


def is_reachable(address: str, policy: DestinationPolicy) -> bool:
    """Return whether a program may connect to this IP address (as `getaddrinfo` and `connect` write it)."""
    try:
        number = ip_address(address)
    except ValueError:
        return False
    if isinstance(number, IPv6Address):
        if number.scope_id is not None or _is_in(number, _IPV6_NEVER):
            return False
        return number in _IPV6_GLOBAL or (policy.private and _is_in(number, _IPV6_PRIVATE))
    return not _is_in(number, _IPV4_NEVER) and (policy.private or not _is_in(number, _IPV4_PRIVATE))


def _is_in(number: IPv4Address | IPv6Address, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    return any(number in network for network in networks)


def _parse_port(text: str, scheme: str) -> int:
    if not text:
        return 443 if scheme == "https" else 80
    port = int(text)
    if text.startswith("0") or not (port in (80, 443) or _FIRST_FREE_PORT <= port <= 65535):
        raise DestinationRefused(f"Port {text[:5]}: use 443, 80 or one from {_FIRST_FREE_PORT} to 65535.")
    return port


def _parse_host(written: str, policy: DestinationPolicy) -> str:
    host = written.lower()
    labels = host.split(".")
    # The WHATWG's URL standard reads a host whose last label is a number as an IPv4 address, in any of the old
    # spellings (octal, hexadecimal, one number). Only the spelling that all parsers read alike is permitted here.
    if _NUMBER.fullmatch(labels[-1]):
        return _parse_number(host, policy)
    if not all(_LABEL.fullmatch(label) for label in labels) or not labels[-1][0].isalpha():
        raise DestinationRefused(
            "The host is no name of the internet: labels of letters, digits and hyphens, no dot at its end."
        )
    if not policy.private and (len(labels) == 1 or labels[-1] in _PRIVATE_DOMAINS):
        raise DestinationRefused("The host is a name of a private network. Name one that the internet knows.")
    return host


def _parse_number(written: str, policy: DestinationPolicy) -> str:
    try:
        number = ip_address(written)
    except ValueError as error:
        raise DestinationRefused("The host is a number that readers read differently. Use a name.") from error
    if not policy.private:
        raise DestinationRefused("The host is a number. Use a name: a certificate is for a name.")
    if not is_reachable(str(number), policy):
        raise DestinationRefused("Nothing is sent to this number.")
    return str(number)
