import pytest

from gateway.hub.http.client_address import last_forwarded, network_of


@pytest.mark.parametrize(
    ("written", "one"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:40001", "192.0.2.7"),
        ("192.0.2.7:40002", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("[2001:db8::1]:40001", "2001:db8::/64"),
        ("[2001:db8::2]", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("fe80::1%" + "x" * 500, "fe80::/64"),
        ("some-name", "some-name"),
        ("x" * 500, "x" * 64),
        ("", ""),
    ],
)
def test_one_stranger_has_one_name_however_his_address_is_written(written: str, one: str) -> None:
    assert network_of(written) == one


def test_all_of_ipv4_is_not_one_stranger_where_a_proxy_writes_it_as_ipv6() -> None:
    assert network_of("::ffff:192.0.2.7") != network_of("::ffff:198.51.100.7")


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ((), ""),
        (("192.0.2.7",), "192.0.2.7"),
        (("203.0.113.1, 192.0.2.7",), "192.0.2.7"),
        (("203.0.113.1", "192.0.2.7"), "192.0.2.7"),
        (("203.0.113.1, 203.0.113.2", "203.0.113.3,192.0.2.7"), "192.0.2.7"),
    ],
)
def test_what_our_own_proxy_wrote_stands_last_also_in_a_header_of_its_own(headers: tuple[str, ...], ours: str) -> None:
    assert last_forwarded(headers) == ours
