"""A parcel whose label forbids to leave it alone: nobody is rung for, whoever reads the label."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.domain.delivery.label import LabelRule
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit import commands as c
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import NOW, make_offer_v2
from tests.shell.box import ShellBox, box_in_window
from tests.waiting import wait_until

SSCC = "106141411234567897"
GS = "\x1d"


@pytest.fixture
async def ready(tmp_path: Path) -> AsyncIterator[ShellBox]:
    """A good day in the middle of a window, and a parcel with a GS1 label is expected."""
    async with box_in_window(tmp_path) as made:
        await receive(made.store, make_offer_v2(id="d2", parcels=(SSCC,), courier_sha256="c" * 64), now=NOW)
        made.order.clear()
        yield made


def by_scanner(made: ShellBox, label: str) -> None:
    made.scan(f"]d2{label}")


def by_phone(made: ShellBox, label: str) -> None:
    """The courier's page has read it and shows it to the scanner as a QR code, as a scanner would have said it."""
    made.scan(f"{GS}{label}")


def by_camera(made: ShellBox, label: str) -> None:
    made.front.on_label("cam", label)


def by_link(made: ShellBox, label: str) -> None:
    attributes = label.removeprefix(f"00{SSCC}").split(GS)
    query = "&".join(f"{one[:4]}={one[4:]}" for one in attributes if one)
    made.scan(f"https://brand.example/parcel/00/{SSCC}?{query}")


WAYS = [by_scanner, by_phone, by_camera, by_link]


@pytest.mark.parametrize("read", WAYS)
@pytest.mark.parametrize(
    ("rules", "refusal"),
    [
        ("43220", Refusal.LABEL_FORBIDS),
        ("43231", Refusal.LABEL_FORBIDS),
        (f"43221{GS}43231", Refusal.LABEL_FORBIDS),
        ("43252606101200", Refusal.OUTSIDE_WINDOW),
        ("43242606102300", Refusal.OUTSIDE_WINDOW),
    ],
)
async def test_what_the_label_forbids_rings_no_bell(
    ready: ShellBox, read: Callable[[ShellBox, str], None], rules: str, refusal: Refusal
) -> None:
    read(ready, f"00{SSCC}{rules}")
    await wait_until(lambda: ready.commands(c.AnswerScan))
    await ready.quiet()
    (answer,) = ready.commands(c.AnswerScan)
    assert (answer.answer, answer.refusal) == (c.ScanAnswer.NO, refusal)
    assert ready.front.state.visit is None
    assert ready.commands(c.RingBell) == []


@pytest.mark.parametrize("read", WAYS)
async def test_what_the_label_permits_is_let_in_as_any_parcel(
    ready: ShellBox, read: Callable[[ShellBox, str], None]
) -> None:
    read(ready, f"00{SSCC}43221{GS}43230{GS}43242606101300{GS}43252606102300")
    await wait_until(lambda: ready.front.state.visit is not None)
    assert ready.commands(c.RingBell)


async def test_the_log_says_which_rule_it_was_and_holds_no_code(ready: ShellBox) -> None:
    by_scanner(ready, f"00{SSCC}43220")
    await wait_until(lambda: ready.commands(c.AnswerScan))
    await ready.quiet()
    rows = [json.loads(entry.body) for entry in ready.store.log.entries() if isinstance(entry.body, bytes)]
    (scan,) = (row["event"] for row in rows if row.get("event", {}).get("event") == "Scanned")
    assert scan["label"] == {"4322": "0"}
    assert SSCC not in json.dumps(rows)


async def test_a_rule_that_the_retailer_named_must_have_been_read(ready: ShellBox) -> None:
    rules = make_offer_v2(
        id="d3", parcels=("P-3",), courier_sha256="d" * 64, label_rules=(LabelRule.AUTHORITY_TO_LEAVE,)
    )
    await receive(ready.store, rules, now=NOW)
    ready.scan("P-3")
    await wait_until(lambda: ready.commands(c.AnswerScan))
    assert [answer.refusal for answer in ready.commands(c.AnswerScan)] == [Refusal.LABEL_FORBIDS]
