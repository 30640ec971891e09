"""GS1 Digital Links: which web addresses are one, and what they contain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.delivery.digital_link import KEYS, DigitalLink, parse_digital_link

SSCC = "106141411234567897"
GTIN = "09521234543213"


@pytest.mark.parametrize(
    ("text", "key", "attributes"),
    [
        (f"https://id.gs1.org/00/{SSCC}", (("00", SSCC),), ()),
        (f"HTTPS://BRAND.EXAMPLE:8443/A/B/00/{SSCC}?4322=0", (("00", SSCC),), (("4322", "0"),)),
        (
            f"https://brand.example/some/path/01/{GTIN}/21/1234?17=271231&4331=000400",
            (("01", GTIN), ("21", "1234")),
            (("17", "271231"), ("4331", "000400")),
        ),
        (f"http://brand.example/01/{GTIN}/22/2A/10/ABC", (("01", GTIN), ("22", "2A"), ("10", "ABC")), ()),
        (f"https://brand.example/01/{GTIN}/21/a%2Fb#top", (("01", GTIN), ("21", "a/b")), ()),
        (f"https://brand.example/00/{SSCC}?linkType=all&utm=x&999=1&4322=0", (("00", SSCC),), (("4322", "0"),)),
        ("https://brand.example/401/00/401/ORDER-7", (("401", "ORDER-7"),), ()),  # the last key counts
        ("https://brand.example/417/9521321000018/7040/AB", (("417", "9521321000018"), ("7040", "AB")), ()),
        ("https://brand.example/8006/095212345432130102", (("8006", "095212345432130102"),), ()),
    ],
)  # fmt: skip
def test_an_address_of_any_domain_with_any_leading_path_is_a_link(
    text: str, key: tuple[tuple[str, str], ...], attributes: tuple[tuple[str, str], ...]
) -> None:
    assert parse_digital_link(text) == DigitalLink(key=key, attributes=attributes)


@pytest.mark.parametrize(
    "text",
    [
        f"ftp://id.gs1.org/00/{SSCC}",
        f"https://id.gs1.org/00/{SSCC[:-1]}8",  # a wrong check digit
        f"https://id.gs1.org/00/{SSCC}0",
        f"https://brand.example/00/{SSCC}/21/7",  # an SSCC has no qualifier
        f"https://brand.example/01/{GTIN}/21/7/10/ABC",  # in the wrong order
        f"https://brand.example/01/{GTIN}/21/7/21/8",
        f"https://brand.example/01/{GTIN}/track",
        f"https://brand.example/00/{SSCC}?4322=yes",  # a rule that cannot be read is not left out
        f"https://brand.example/00/{SSCC}?4324=26112809",
        f"https://brand.example/?00={SSCC}",
        "https://brand.example/track?id=7",
        "https://brand.example",
        "https://brand.example/401/",
        "no address",
    ],
)
def test_any_other_address_is_none(text: str) -> None:
    assert parse_digital_link(text) is None


@given(st.text(max_size=80), st.sampled_from(sorted(KEYS)))
def test_no_address_ends_the_reading(rest: str, key: str) -> None:
    for text in (rest, f"https://brand.example/{key}/{rest}", f"https://{rest}/00/{SSCC}"):
        found = parse_digital_link(text)
        assert found is None or found.key[0][0] in KEYS
