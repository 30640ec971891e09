import pytest

from gateway.system.addresses import client_network


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
