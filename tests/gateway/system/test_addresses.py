import pytest

from gateway.system.addresses import client_network, is_host


@pytest.mark.parametrize(
    ("address", "prefix", "network"),
    [
        ("192.0.2.7", 64, "192.0.2.7"),
        ("::ffff:192.0.2.7", 64, "192.0.2.7"),
        ("2001:db8:1:2::7", 64, "2001:db8:1:2::/64"),
        ("2001:db8:1:2::7", 48, "2001:db8:1::/48"),
        ("fe80::1%eth0", 64, "fe80::/64"),
        ("a name", 64, "a name"),
        ("x" * 500, 64, "x" * 64),
    ],
)
def test_a_client_s_addresses_are_one_network(address: str, prefix: int, network: str) -> None:
    assert client_network(address, ipv6_prefix=prefix) == network


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("perron.home.arpa", True),
        ("box", True),
        ("xn--caf-dma.fr", True),
        ("192.168.1.20", True),
        ("2001:db8::1", True),
        ("nonsense..x", False),
        ("300.1.1.1", False),
        ("-box.lan", False),
        ("a b", False),
        ("", False),
        ("x" * 64, False),
    ],
)
def test_a_host_is_a_name_or_an_address_and_never_a_number_that_is_no_address(text: str, is_one: bool) -> None:
    assert is_host(text) is is_one
