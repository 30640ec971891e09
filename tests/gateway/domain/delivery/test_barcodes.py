"""Parcel codes. Samples are the reference's (UPU, GS1, UPS, La Poste), not made by our own writer."""

from hashlib import sha256

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.domain.delivery.barcodes import (
    BARCODE_FORMATS,
    BarcodeKind,
    InvalidBarcode,
    ParcelCode,
    courier_token_digest,
    courier_token_value,
    new_courier_token,
    normalise,
)
from gateway.domain.delivery.check_digits import gs1_checks
from gateway.domain.delivery.gs1 import ELEMENT_FORMATS, parse_element_string

SSCC = "106141411234567897"
GS = "\x1d"

ONE_PARCEL = [
    (BarcodeKind.SSCC, SSCC, SSCC),
    (BarcodeKind.SSCC, f"00{SSCC}", SSCC),
    (BarcodeKind.SSCC, f"]C100{SSCC}", SSCC),
    (BarcodeKind.SSCC, f"]C1{GS}00{SSCC}", SSCC),
    (BarcodeKind.SSCC, f"]d242075011{GS}00{SSCC}", SSCC),
    (BarcodeKind.SSCC, f"]C100{SSCC}42075011", SSCC),
    (BarcodeKind.SSCC, f"00{SSCC}42075011", SSCC),
    (BarcodeKind.SSCC, f"]C11126061000{SSCC}", SSCC),
    (BarcodeKind.SSCC, f"(00){SSCC}", SSCC),
    (BarcodeKind.SSCC, f"(00){SSCC}(420)75011", SSCC),
    (BarcodeKind.SSCC, "1 0614141 123456789 7", SSCC),
    (BarcodeKind.SSCC, f"https://id.gs1.org/00/{SSCC}", SSCC),
    (BarcodeKind.SSCC, f"HTTPS://ID.GS1.ORG/00/{SSCC}?4324=2606101200", SSCC),
    (BarcodeKind.SSCC, f"{SSCC}\r\n", SSCC),
    (BarcodeKind.S10, "RB123456785GB", "RB123456785GB"),
    (BarcodeKind.S10, "rb 123 456 785 gb", "RB123456785GB"),
    (BarcodeKind.S10, "]C0RB123456785GB", "RB123456785GB"),
    (BarcodeKind.UPS, "1Z5R89390357567127", "1Z5R89390357567127"),
    (BarcodeKind.UPS, "1z 5r8 939 03 5756 7127", "1Z5R89390357567127"),
    (BarcodeKind.COLISSIMO, "8L20524752032", "8L20524752032"),
    (BarcodeKind.COLISSIMO, "8L 20524 75203 2", "8L20524752032"),
    (BarcodeKind.GS1, f"]C14011234567{GS}402{'1' * 17}", f"(401)1234567(402){'1' * 17}"),
    (BarcodeKind.EXACT, "TBA123456789012", "TBA123456789012"),
    (BarcodeKind.EXACT, "tba123456789012", "TBA123456789012"),
    (BarcodeKind.EXACT, "tba-1234", "tba-1234"),
    (BarcodeKind.EXACT, "  hello parcel ", "hello parcel"),
    (BarcodeKind.SSCC, f"https://example.org/00/{SSCC}", SSCC),
    (BarcodeKind.SSCC, f"https://brand.example/some/path/00/{SSCC}?4322=1&linkType=all&4331=000400#top", SSCC),
    (BarcodeKind.SSCC, f"]d200{SSCC}4300{'x' * 70}{GS}4301{'y' * 70}{GS}43221", SSCC),
    (BarcodeKind.GS1, "https://brand.example/401/ORDER-7?17=271231", "(401)ORDER-7"),
    (BarcodeKind.EXACT, f"https://example.org/00/{SSCC[:-1]}0", f"https://example.org/00/{SSCC[:-1]}0"),
    (BarcodeKind.EXACT, f"https://example.org/00/{SSCC}/track", f"https://example.org/00/{SSCC}/track"),
    (BarcodeKind.EXACT, "https://example.org/track?id=7", "https://example.org/track?id=7"),
    (BarcodeKind.EXACT, "RB123456784GB", "RB123456784GB"),
    (BarcodeKind.EXACT, "1Z5R89390357567128", "1Z5R89390357567128"),
    (BarcodeKind.EXACT, "8L20524752033", "8L20524752033"),
    (BarcodeKind.EXACT, "106141411234567890", "106141411234567890"),
]


@pytest.mark.parametrize(("kind", "raw", "value"), ONE_PARCEL)
def test_every_writing_of_a_code_becomes_the_one(kind: BarcodeKind, raw: str, value: str) -> None:
    assert normalise(raw) == ParcelCode(kind, value)


@pytest.mark.parametrize(
    "raw",
    [
        "]E04006381333931",
        "]E496385074",
        "]E0036000291452",
        "]E3400638133393112",
        "]C10104006381333931",
        "(01)04006381333931(10)batch-7",
        f"]d20104006381333931217{GS}218",  # two serial numbers: nobody knows which
    ],
)
def test_a_gtin_is_known_as_the_name_of_a_product(raw: str) -> None:
    code = normalise(raw)
    assert isinstance(code, ParcelCode)
    assert code.kind is BarcodeKind.GTIN


@pytest.mark.parametrize(
    "raw",
    [
        "(01)04006381333931(21)serial-7",
        "(01)04006381333931(10)batch(21)serial-7",
        "https://id.gs1.org/01/04006381333931/21/serial-7",
        "https://shop.example/a/01/04006381333931/10/batch/21/serial-7?17=271231",
        f"]d2010400638133393121serial-7{GS}10batch",
        f"]d20104006381333931{GS}21serial-7",
    ],
)
def test_every_writing_of_a_product_with_its_serial_number_is_one_item(raw: str) -> None:
    assert normalise(raw) == ParcelCode(BarcodeKind.SGTIN, "(01)04006381333931(21)serial-7")


def test_a_serial_number_that_cannot_be_written_in_brackets_names_only_the_product() -> None:
    code = normalise(f"]d2010400638133393121a(b)c{GS}")
    assert code == ParcelCode(BarcodeKind.GTIN, "(01)04006381333931")


def test_every_writing_of_a_products_number_is_one_and_no_parcels_number_equals_it() -> None:
    for raw in (
        "]E04006381333931",
        "]C10104006381333931",
        "(01)04006381333931",
        "https://id.gs1.org/01/04006381333931",
    ):
        assert normalise(raw) == ParcelCode(BarcodeKind.GTIN, "(01)04006381333931")
    assert normalise("4006381333931") == ParcelCode(BarcodeKind.EXACT, "4006381333931")


def test_a_label_with_a_product_and_a_parcel_number_names_the_parcel() -> None:
    assert normalise(f"]C102040063813339313712{GS}00{SSCC}") == ParcelCode(BarcodeKind.SSCC, SSCC)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("", "1 to 128"),
        (" \r\n", "1 to 128"),
        ("x" * 129, "1 to 128"),
        ("x" + " " * 300 + "y", "1 to 128"),
        ("a\x00b", "printable"),
        ("a\x1b[2Jb", "printable"),
        ("a\u202eb", "printable"),
        ("]C100106141411234567890", "check digit"),
        (f"(00){SSCC[:-1]}0", "check digit"),
        ("]C1", "1 to 128"),
        ("]C1777", "element string"),
        ("]C18888123", "element string"),
        (f"]C100{SSCC}00{SSCC[:-2]}80", "two numbers"),
        (f"https://id.gs1.org/00/{SSCC}0", "Digital Link"),
        (f"https://id.gs1.org/00/{SSCC}/track", "Digital Link"),
        (f"https://id.gs1.org/00/{SSCC}?4322=maybe", "Digital Link"),
        ("https://example.org/" + "x" * 110, "1 to 128"),
        ("https://id.gs1.org/00/1", "Digital Link"),
        ("]E04006381333932", "article"),
        ("perron:", "courier"),
        ("perron:abc", "courier"),
        ("perron:" + "a" * 25 + "b", "courier"),  # two bits too many
        ("perron:" + "0" * 31, "courier"),
        ("perron:" + "g" * 32, "courier"),
        ("perron:" + "ab " * 10 + "ab", "courier"),
        (courier_token_value("ab" * 32), "no code begins"),
        (courier_token_value("ab" * 32).upper(), "no code begins"),
    ],
)
def test_what_is_no_code_says_why(raw: str, why: str) -> None:
    code = normalise(raw)
    assert isinstance(code, InvalidBarcode)
    assert why in code.why


def test_a_couriers_code_is_known_by_its_digest_alone_in_both_writings() -> None:
    secret = bytes(range(16))
    expected = ParcelCode(BarcodeKind.COURIER, f"courier:{sha256(secret).hexdigest()}")
    shown = new_courier_token(secret)
    assert shown == "perron:aaaqeayeaudaocajbifqydiob4"
    for raw in (shown, shown.upper(), f"perron:{secret.hex()}", f"]Q1{shown}\n"):
        assert normalise(raw) == expected
    assert courier_token_value(courier_token_digest(secret)) == expected.value


def test_a_couriers_code_has_128_bits() -> None:
    with pytest.raises(ValueError, match="128 bits"):
        new_courier_token(b"short")


@given(st.text(max_size=140))
def test_no_text_from_outside_breaks_it_and_a_normalised_code_stays_as_it_is(raw: str) -> None:
    code = normalise(raw)
    if isinstance(code, ParcelCode) and code.kind is not BarcodeKind.COURIER:
        assert normalise(code.value) == code


PARTS = (
    "]A0", "]C0", "]C1", "]d2", "]E0", "]Q3", "]", GS, " ", "  ", "\t", "\r\n", "00", SSCC, "(00)", "(01)", "(420)",
    "(401)", "(", ")", "75011", "abc", "zzz", "perron:", new_courier_token(bytes(16)), "courier:", "bad:",
    "1Z5R89390357567127", "8L20524752032", "rb123456785gb", "https://id.gs1.org/00/", "https://id.gs1.org/01/",
    "4006381333931", "?", "/", "é", "ß",
)  # fmt: skip


@given(st.lists(st.sampled_from(PARTS), max_size=8).map("".join) | st.text(max_size=140))
@example("]A0]C1zzz")
@example("]A0]A0]A0]C1zzz")
@example("]A0 abc")
@example("]C0 (00)106141411234567897")
def test_a_code_that_is_read_again_is_the_same_code_whatever_stands_before_it(raw: str) -> None:
    code = normalise(raw)
    if isinstance(code, ParcelCode) and code.kind is not BarcodeKind.COURIER:
        assert normalise(code.value) == code


@pytest.mark.parametrize(
    "raw", ["]A0]C1zzz", "]A0]A0]A0]C1zzz", "]A0 abc", "]C0]E04006381333931", f"]A0{courier_token_value('ab' * 32)}"]
)
def test_a_code_that_would_be_read_otherwise_the_second_time_is_none(raw: str) -> None:
    assert isinstance(normalise(raw), InvalidBarcode)


def test_two_labels_with_brackets_in_a_field_are_never_one_code() -> None:
    """Written out, `(401)A(402)1...` is one field or two."""
    assert isinstance(normalise(f"]C1401A(402){'1' * 17}"), InvalidBarcode)
    assert normalise(f"]C1401A{GS}402{'1' * 17}") == ParcelCode(BarcodeKind.GS1, f"(401)A(402){'1' * 17}")


@pytest.mark.parametrize("raw", ["\u00df123456785GB", "\u017fA123456785GB", "1\u01f0" + "5R89390357567127"])
def test_a_letter_that_only_capitals_make_a_latin_one_names_another_parcel(raw: str) -> None:
    assert normalise(raw) == ParcelCode(BarcodeKind.EXACT, raw)


@given(st.lists(st.sampled_from(sorted(ELEMENT_FORMATS)), max_size=4), st.data())
def test_element_strings_split_into_what_was_put_together(names: list[str], data: st.DataObject) -> None:
    pairs = []
    for name in names:
        form = ELEMENT_FORMATS[name]
        ai = name.replace("n", data.draw(st.sampled_from("0123456789")))
        letters = "0123456789" if form.is_numeric else "0123456789ABCxyz/-"
        least = form.max_chars if form.is_fixed_length else 1
        pairs.append((ai, data.draw(st.text(letters, min_size=least, max_size=form.max_chars))))
    text = GS.join(ai + field for ai, field in pairs)
    assert parse_element_string(text) == (tuple(pairs) or None)


@pytest.mark.parametrize("raw", [SSCC, "RB123456785GB", "1Z5R89390357567127", "8L20524752032"])
def test_one_wrong_digit_is_never_the_same_parcel(raw: str) -> None:
    """GS1's and La Poste's sums find every single wrong digit; UPU's and UPS's do not, but the code is another."""
    form = next(form for form in BARCODE_FORMATS if form.pattern.fullmatch(raw))
    assert form.checks(raw)
    for place in range(0 if raw.isdigit() else 2, len(raw)):
        for wrong in set("0123456789") - {raw[place]} if raw[place].isdigit() else ():
            changed = raw[:place] + wrong + raw[place + 1 :]
            assert normalise(changed) != normalise(raw)
            if form.kind not in {BarcodeKind.S10, BarcodeKind.UPS}:
                assert not form.checks(changed)


@given(st.text("0123456789", min_size=17, max_size=17))
def test_exactly_one_check_digit_fits_an_sscc(digits: str) -> None:
    assert sum(gs1_checks(digits + last) for last in "0123456789") == 1


def test_no_promise_may_name_what_unreadable_scans_are_called() -> None:
    assert isinstance(normalise("bad:0123456789abcdef"), InvalidBarcode)
    assert isinstance(normalise("BAD:0123456789abcdef"), InvalidBarcode)
