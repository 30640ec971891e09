"""What the courier reads at each closure that opens for him: "go", at the scanner where he stands."""

import pytest

from gateway.domain.delivery.result import Refusal
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from tests.gateway.domain.visit.closures.driven import Driven
from tests.gateway.domain.visit.closures.test_several_closures import KEY_IN, KEYS
from tests.house.entrances import FIRST_SCANNER, LAYOUTS, build, walk
from tests.house.story import announce_delivery


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_closure_that_is_opened_answers_go_where_the_courier_scanned_at_it(layout: str) -> None:
    house = build(layout)
    house.run(5)
    walk(house, announce_delivery(house))
    house.run(120)
    scanner_of = {closure: scanner for scanner, closure in house.rules.scanners.items()}
    opened = [unlock.closure for unlock in house.all(c.Unlock)]
    went = [answer.scanner for answer in house.all(c.AnswerScan) if answer.answer is c.ScanAnswer.GO]
    assert opened, house.refusals
    assert went == [scanner_of.get(closure, FIRST_SCANNER) for closure in opened]


def test_a_key_safe_that_opens_after_a_stop_answers_no_go() -> None:
    house = Driven(KEYS, KEY_IN)
    house.scan(house.delivery())
    house.run(21)
    assert house.orders == ["open safe"]
    house.feed(e.Stopped(epoch=1))
    house.says(safe_flap="open")
    house.run(5)
    assert house.all(c.AnswerScan)[-1].refusal is Refusal.STOPPED_BY_OWNER
