import re
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.system.destinations import (
    MAX_URL_CHARS,
    PUBLIC_URL_PATTERN,
    DestinationPolicy,
    DestinationRefused,
    is_reachable,
    parse_destination,
)

SETTINGS = settings(deadline=None)  # no test here asserts speed

STRICT, TRYING = DestinationPolicy(), DestinationPolicy(private=True, plain=True)

NEVER = [
    "0.0.0.0",  # noqa: S104 - nobody binds it
    "0.1.2.3",
    "169.254.169.254",
    "169.254.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::a00:1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "fd00:ec2::254",
    "5f00::1",
    "100::1",
    "4000::1",
]
PRIVATE = [
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.8.8.8",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "::1",
    "fc00::1",
    "fd12::1",
]
OPEN = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.0.1",
    "172.32.0.1",
    "192.167.1.1",
    "2606:4700::1",
    "2a00::1",
]


@pytest.mark.parametrize("number", NEVER)
def test_some_numbers_are_never_reached(number: str) -> None:
    assert not is_reachable(number, STRICT)
    assert not is_reachable(number, TRYING)


@pytest.mark.parametrize("number", PRIVATE)
def test_private_numbers_are_reached_only_where_the_hub_allows_it(number: str) -> None:
    assert not is_reachable(number, STRICT)
    assert is_reachable(number, TRYING)


@pytest.mark.parametrize("number", OPEN)
def test_numbers_of_the_internet_are_reached(number: str) -> None:
    assert is_reachable(number, STRICT)


@SETTINGS
@given(st.ip_addresses(v=4))
def test_what_the_standard_library_calls_private_is_never_reached(number: IPv4Address) -> None:
    if not number.is_global or number.is_multicast:
        assert not is_reachable(str(number), STRICT)


@SETTINGS
@given(st.ip_addresses(v=4) | st.sampled_from([IPv4Address(one) for one in PRIVATE if ":" not in one]))
def test_no_ipv4_number_is_reached_inside_an_ipv6_one(number: IPv4Address) -> None:
    for base in ("::ffff:0:0", "::", "64:ff9b::", "64:ff9b:1::"):
        inside = IPv6Address(int(IPv6Address(base)) | int(number))
        assert not is_reachable(str(inside), STRICT), inside
    assert not is_reachable(str(IPv6Address((0x2002 << 112) | (int(number) << 80) | 1)), STRICT)


@SETTINGS
@given(st.text(max_size=40))
def test_what_is_no_number_is_not_reached(text: str) -> None:
    if not any(char.isdigit() for char in text) and ":" not in text:
        assert not is_reachable(text, TRYING)


@pytest.mark.parametrize(
    ("url", "host", "port", "target"),
    [
        ("https://shop.example", "shop.example", 443, "/"),
        ("https://Shop.Example/hooks?a=b/c", "shop.example", 443, "/hooks?a=b/c"),
        ("https://shop.example:8443/x?", "shop.example", 8443, "/x"),  # as aiohttp sends it
        ("https://xn--caf-dma.example/%7Ea", "xn--caf-dma.example", 443, "/%7Ea"),
        ("https://a-b.c9.example:443/", "a-b.c9.example", 443, "/"),
    ],
)
def test_an_address_of_the_internet_is_read(url: str, host: str, port: int, target: str) -> None:
    found = parse_destination(url, STRICT)
    assert (found.scheme, found.raw_host, found.port, found.raw_path_qs) == ("https", host, port, target)


REFUSED = [
    "http://shop.example/",
    "ftp://shop.example/",
    "file:///etc/passwd",
    "https:shop.example",
    "//shop.example",
    "",
    "https://",
    "https:///x",
    "https://user@shop.example/",
    "https://user:pass@shop.example/",
    "https://shop.example@10.0.0.1/",
    "https://shop.example#@10.0.0.1/",
    "https://shop.example/#a",
    "https://shop.example\\@10.0.0.1/",
    "https://shop.example/a b",
    "https://shop.example/\n",
    "https://shop.example\n",
    "https://shop.example/\x00",
    "https://shop.example\t/",
    "https://shop.example./",
    "https://.example/",
    "https://a..example/",
    "https://-a.example/",
    "https://a-.example/",
    "https://a_b.example/",
    "https://%31%30.0.0.1/",
    "https://café.example/",
    "https://shop。example/",
    "https://①.example/",
    "https://localhost/",
    "https://hub/",
    "https://printer.local/",
    "https://x.internal/",
    "https://a.localhost/",
    "https://1.0.0.127.in-addr.arpa/",
    "https://router.lan/",
    "https://x.home.arpa/",
    "https://x.onion/",
    "https://127.0.0.1/",
    "https://8.8.8.8/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://127.1/",
    "https://0177.0.0.1/",
    "https://010.0.0.1/",
    "https://1.2.3.4.5/",
    "https://a.0x/",
    "https://a.1/",
    "https://0/",
    "https://256.1.1.1/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[fe80::1%25eth0]/",
    "https://[2606:4700::1]/",
    "https://[::1/",
    "https://::1/",
    "https://shop.example:22/",
    "https://shop.example:25/",
    "https://shop.example:0/",
    "https://shop.example:65536/",
    "https://shop.example:99999/",
    "https://shop.example:08443/",
    "https://shop.example:/",
    "https://shop.example:443x/",
    "https://shop.example:-1/",
    "https://" + "a" * 64 + ".example/",
    "https://shop.example/" + "a" * 400,
    "HTTPS://shop.example/",
    " https://shop.example/",
]


@pytest.mark.parametrize("url", REFUSED)
def test_an_odd_or_private_address_is_refused_in_words(url: str) -> None:
    with pytest.raises(DestinationRefused, match=r"\w+ .*\."):
        parse_destination(url, STRICT)


@pytest.mark.parametrize(
    "url",
    ["http://169.254.169.254/latest", "http://[fe80::1]/", "http://2130706433/", "http://127.1/", "http://0.0.0.0/",
     "http://[::ffff:127.0.0.1]/", "http://[::]/", "http://u@127.0.0.1/", "http://0177.0.0.1/", "http://127.0.0.1:22/"],
)  # fmt: skip
def test_a_hub_that_tries_things_out_refuses_them_still(url: str) -> None:
    with pytest.raises(DestinationRefused):
        parse_destination(url, TRYING)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/x", "http://[::1]:8080/", "http://receiver/", "https://10.0.0.7/"]
)
def test_a_hub_that_tries_things_out_takes_private_ones(url: str) -> None:
    assert (parse_destination(url, TRYING).host or "no host") in url


@SETTINGS
@given(st.from_regex(r"\Ahttps?://[a-zA-Z0-9.:@\\\[\]%/?#\t -]{1,30}\Z"))
def test_nothing_is_let_through_that_the_document_does_not_call_an_address(url: str) -> None:
    try:
        parse_destination(url, STRICT)
    except DestinationRefused:
        return
    assert re.fullmatch(PUBLIC_URL_PATTERN, url)
    assert len(url) <= MAX_URL_CHARS
