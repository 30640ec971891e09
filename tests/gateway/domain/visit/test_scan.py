"""What a scanned code counts as."""

import json

import pytest

from gateway.domain.delivery.result import Refusal
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.storage import entrance_state
from tests.house.house import SimulatedHome
from tests.house.story import RINGING_S, announce_delivery, good_day, inside


def guess(house: SimulatedHome, *codes: str, pause: float = 3.0, scanner: str = "s") -> None:
    for code in codes:
        house.scan(code, scanner=scanner)
        house.run(pause)


def locked_out(house: SimulatedHome, scanner: str = "s") -> bool:
    attempts = house.mem.scan_lockouts.get(scanner)
    return attempts is not None and attempts.locked_out


def test_a_retained_scan_is_never_acted_on() -> None:
    house = good_day()
    announce_delivery(house)
    house.scan("d0-1", retained=True)
    house.run(RINGING_S)
    assert house.phase == "ready"
    assert not house.all(c.AnswerScan)


def test_a_retained_wrong_code_is_not_counted() -> None:
    house = good_day()
    for code in ("x", "y", "z"):
        house.scan(code, retained=True)
        house.run(3)
    assert not locked_out(house)


def test_three_different_wrong_codes_lock_the_scanner_out_for_a_quarter_of_an_hour() -> None:
    house = good_day()
    announce_delivery(house)
    guess(house, "x", "y", "z")
    assert house.alarms == ["wrong_code_limit"]
    house.scan("d0-1")
    house.run(880)
    house.scan("d0-1")
    assert house.refusals == ["unknown_code"] * 3 + ["locked_out"] * 2
    house.run(20)
    house.scan("d0-1")
    assert house.phase == "ringing"


def test_a_courier_whom_a_stranger_locked_out_is_named_to_the_household() -> None:
    house = good_day()
    promise = announce_delivery(house)
    guess(house, "x", "y", "z")
    house.scan("d0-1")
    house.scan("w")
    known, unknown = house.all(c.AnswerScan)[-2:]
    assert (known.refusal, known.delivery) == ("locked_out", promise.id)
    assert (unknown.refusal, unknown.delivery) == ("locked_out", None)


def test_a_locked_out_scanner_does_not_lock_out_another() -> None:
    house = good_day()
    announce_delivery(house)
    guess(house, "x", "y", "z")
    house.scan("d0-1", scanner="t")
    assert house.phase == "ringing"


def test_each_scanner_s_lock_out_ends_by_its_own_clock() -> None:
    house = good_day()
    guess(house, "x", "y", "z", scanner="s")
    house.run(600)
    guess(house, "x", "y", "z", scanner="t")
    house.run(300)
    assert (locked_out(house, "s"), locked_out(house, "t")) == (False, True)
    house.run(600)
    assert not locked_out(house, "t")


def test_the_same_wrong_code_again_and_again_counts_once() -> None:
    house = good_day()
    guess(house, "x", "x", "x", "x", pause=12)
    assert not locked_out(house)
    assert house.refusals == ["unknown_code"] * 4


def test_the_same_code_within_ten_seconds_is_one_scan() -> None:
    house = good_day()
    guess(house, "x", "x", "x")
    assert house.refusals == ["unknown_code"]


def test_the_barcodes_of_one_label_are_one_attempt() -> None:
    house = good_day()
    guess(house, "a1", "a2", "a3", "a4", pause=0.3)
    assert not locked_out(house)
    house.run(5)
    guess(house, "b1", "b2", pause=0.3)
    house.run(5)
    assert not locked_out(house)
    guess(house, "c1")
    assert locked_out(house)


def test_a_fifth_barcode_is_another_label() -> None:
    house = good_day()
    guess(house, *(f"a{n}" for n in range(9)), pause=0.1)
    assert locked_out(house)


def test_a_known_code_takes_its_label_s_attempt_back() -> None:
    house = good_day()
    announce_delivery(house)
    guess(house, "x")
    guess(house, "label-1", "label-2", "d0-1", pause=0.3)
    assert house.phase == "ringing"
    assert [code for code, _ in house.mem.scan_lockouts["s"].unknown_codes] == ["x"]


def test_a_known_code_read_later_takes_nothing_back() -> None:
    house = good_day()
    announce_delivery(house)
    guess(house, "x", "y", "d0-1")
    assert [code for code, _ in house.mem.scan_lockouts["s"].unknown_codes] == ["x", "y"]


def test_a_camera_s_misreading_is_never_a_wrong_attempt() -> None:
    house = good_day()
    for code in ("x", "y", "z"):
        house.scan(code, expected_only=True)
        house.run(3)
    assert not house.all(c.AnswerScan)
    assert not locked_out(house)


def test_a_restart_forgets_no_wrong_code() -> None:
    house = good_day()
    guess(house, "x", "y")
    house.kill(seconds=1)
    house.run(5)
    guess(house, "z")
    assert locked_out(house)
    house.kill(seconds=1)
    house.run(850)
    assert locked_out(house)
    house.run(100)
    assert not locked_out(house)


def test_the_owner_may_clear_a_lock_out() -> None:
    house = good_day()
    announce_delivery(house)
    guess(house, "x", "y", "z")
    house.feed(e.LockoutCleared(scanner="s"))
    house.scan("d0-1")
    assert house.phase == "ringing"


def test_guesses_during_a_visit_count_too() -> None:
    house = inside()
    guess(house, "x", "y", "z")
    assert locked_out(house)
    assert house.phase == "inside"


def test_another_known_code_during_a_visit_is_busy_and_leaves_the_light_alone() -> None:
    house = inside()
    announce_delivery(house, "d1")
    shows = len(house.all(c.ShowSignal))
    house.scan("d1-1")
    assert house.refusals == ["busy"]
    assert len(house.all(c.ShowSignal)) == shows


def test_the_visit_s_own_codes_are_parcels_and_are_welcome() -> None:
    house = good_day()
    announce_delivery(house, "d3")  # two parcels
    house.scan("d3-1")
    house.run(RINGING_S + 1)
    house.open()
    house.run(1)
    house.scan("d3-2")
    house.close()
    house.run(30)
    assert not house.refusals
    assert house.outcomes == ["delivered"]


def test_two_known_codes_in_turn_are_not_a_new_scan_each_time() -> None:
    house = good_day()
    announce_delivery(house, refusal=Refusal.EXPIRED)
    announce_delivery(house, "d1", refusal=Refusal.CANCELLED)
    for _ in range(45):  # nine seconds
        guess(house, "d0-1", "d1-1", pause=0.1)
    assert house.refusals == ["expired", "cancelled"]


def test_retained_scans_are_noted_once_until_a_live_one_comes() -> None:
    house = good_day()
    for number in range(50):
        house.scan(f"old-{number}", retained=True)
    assert house.all(c.LogNote) == [c.LogNote(what="retained_scan")]
    guess(house, "x")
    house.scan("old", retained=True)
    assert len(house.all(c.LogNote)) == 2


# ---- guessing -------------------------------------------------------------------------------------------------------


def test_a_code_that_opens_nothing_takes_no_attempt_back() -> None:
    house = good_day()
    announce_delivery(house, "d1", entrance="garage")
    announce_delivery(house, "d2", refusal=Refusal.EXPIRED)
    for round_, useless in enumerate(("d1-1", "d2-1", "d1-1")):
        guess(house, f"guess-{round_}", useless, pause=0.3)
        house.run(11)
    assert locked_out(house)
    assert house.alarms == ["wrong_code_limit"]


def test_guessing_beside_yesterday_s_label_is_no_longer_free() -> None:
    """An attacker who holds one label that is used up tries four codes beside it, again and again."""
    house = good_day()
    announce_delivery(house, "old", refusal=Refusal.EXPIRED)
    answered = 0
    for round_ in range(100):
        guess(house, *(f"guess-{round_}-{n}" for n in range(4)), "old-1", pause=0.3)
        answered = house.refusals.count("unknown_code")
        house.run(10)
    assert "wrong_code_limit" in house.alarms
    assert answered <= 12 * 2, "three labels, and three more when the quarter of an hour is over"


def test_a_delivery_takes_a_label_s_attempt_back_once() -> None:
    house = good_day()
    # Its code is known and may come in, again and again, and opens nothing alone
    announce_delivery(house, needs_courier=True)
    for round_ in range(4):
        guess(house, f"guess-{round_}", "d0-1", pause=0.3)
        house.run(65)
    assert [code for code, _ in house.mem.scan_lockouts["s"].unknown_codes] == []
    assert locked_out(house), "the first label was excused, the other three were not"


def test_so_many_different_unknown_codes_in_an_hour_lock_a_scanner_out_though_their_labels_were_excused() -> None:
    house = good_day()
    for round_ in range(5):
        announce_delivery(house, f"d{10 * round_}", 3600, needs_courier=True)
        guess(house, *(f"label-{round_}-{n}" for n in range(4)), f"d{10 * round_}-1", pause=0.2)
        assert locked_out(house) is (round_ == 4), round_
        house.run(200)
    assert house.alarms == ["wrong_code_limit"]


def test_the_count_of_an_hour_survives_a_restart_and_the_owner_s_word() -> None:
    house = good_day()
    for round_ in range(5):
        announce_delivery(house, f"d{10 * round_}", 3600, needs_courier=True)
        guess(house, *(f"label-{round_}-{n}" for n in range(4)), f"d{10 * round_}-1", pause=0.2)
        house.run(100)
        if round_ == 2:
            house.kill(seconds=1)
            house.run(5)
    assert locked_out(house)
    house.feed(e.LockoutCleared(scanner="s"))
    assert not locked_out(house)
    guess(house, "one more")
    assert locked_out(house)
    house.run(3700)
    guess(house, "an hour later")
    assert not locked_out(house)


def test_a_state_that_was_stored_before_the_count_of_an_hour_is_read() -> None:
    before = {"wrong": [["x", 5.0]], "group": [], "group_at": -1e9, "locked_out": False, "until": 0.0, "last": ["x", 5]}
    read = entrance_state.load(json.dumps({"id": "front", "attempts": {"s": before}})).scan_lockouts["s"]
    assert (read.unknown_codes, read.tried_codes, read.excused_deliveries) == ((("x", 5.0),), (), ())


# ---- a camera that reads labels -------------------------------------------------------------------------------------


def show(house: SimulatedHome, *codes: str) -> None:
    for code in codes:
        house.scan(code, scanner="camera", expected_only=True)
        house.run(0.4)


def test_a_camera_that_is_shown_too_many_unknown_codes_reads_none_for_a_quarter_of_an_hour() -> None:
    house = good_day()
    announce_delivery(house)
    show(house, *(f"shown-{n}" for n in range(200)))
    assert house.alarms == ["camera_code_limit"], "the owner is told once"
    show(house, "d0-1")
    assert house.phase == "ready"
    assert not house.all(c.AnswerScan), "a known code looks no different from a guess"
    house.run(900)
    show(house, "d0-1")
    assert house.phase == "ringing"


def test_a_camera_s_limit_is_wider_than_a_scanner_s_and_not_the_scanner_s() -> None:
    house = good_day()
    announce_delivery(house)
    show(house, *(f"shown-{n}" for n in range(29)))
    assert not house.alarms
    show(house, "shown-29")
    assert locked_out(house, "camera")
    house.scan("d0-1")
    assert house.phase == "ringing"


def test_the_same_shop_sign_before_a_camera_counts_once() -> None:
    house = good_day()
    for _ in range(40):
        show(house, "sign-1", "sign-2")
    assert not house.alarms
    assert [code for code, _ in house.mem.scan_lockouts["camera"].tried_codes] == ["sign-1", "sign-2"]


def test_what_a_camera_saw_longer_than_ten_minutes_ago_counts_no_more() -> None:
    house = good_day()
    show(house, *(f"early-{n}" for n in range(20)))
    house.run(600)
    show(house, *(f"late-{n}" for n in range(20)))
    assert not house.alarms


def test_a_camera_that_reads_no_labels_still_takes_the_running_visit_s_own() -> None:
    house = good_day()
    announce_delivery(house, "d3")  # two parcels
    house.scan("d3-1")
    house.run(RINGING_S + 1)
    house.open()
    house.run(1)
    show(house, *(f"shown-{n}" for n in range(40)), "d3-2")
    house.close()
    house.run(30)
    assert house.outcomes == ["delivered"]


# ---- the courier's proof --------------------------------------------------------------------------------------------


def test_parcel_and_courier_open_together_in_either_order() -> None:
    for first, second in (("d0-1", "d0-qr"), ("d0-qr", "d0-1")):
        house = good_day()
        announce_delivery(house, needs_courier=True)
        house.scan(first)
        assert house.phase == "ready"
        house.run(50)
        house.scan(second)
        assert house.phase == "ringing"
        assert [str(answer.answer) for answer in house.all(c.AnswerScan)] == ["wait", "wait"]


def test_a_parcel_without_its_courier_is_refused_after_a_minute_where_it_was_scanned() -> None:
    house = good_day()
    promise = announce_delivery(house, needs_courier=True)
    house.scan("d0-1", scanner="left")
    house.run(59)
    assert not house.refusals
    house.run(2)
    last = house.all(c.AnswerScan)[-1]
    assert (last.refusal, last.scanner, last.scan) == ("courier_not_proven", "left", "v1")
    assert last.delivery == promise.id, "the household is told whose courier it was"
    house.scan("d0-qr")
    house.run(RINGING_S)
    assert house.phase == "ready"


def test_the_same_half_twice_is_not_the_other_half() -> None:
    house = good_day()
    announce_delivery(house, "d3", needs_courier=True)
    house.scan("d3-1")
    house.run(1)
    house.scan("d3-2")
    assert house.phase == "ready"
    house.scan("d3-qr")
    assert house.mem.visit is not None
    assert house.mem.visit.parcels == {"d3-1", "d3-2"}


def test_another_delivery_s_courier_proves_nothing() -> None:
    house = good_day()
    announce_delivery(house, needs_courier=True)
    announce_delivery(house, "d1", needs_courier=True)
    house.scan("d0-1")
    house.run(1)
    house.scan("d1-qr")
    assert house.phase == "ready"
    assert house.refusals == ["courier_not_proven"]


@pytest.mark.parametrize(("first", "second"), [("d0-1", "d0-qr"), ("d0-qr", "d0-1")])
def test_what_was_scanned_under_an_older_promise_is_no_half_of_a_newer_one(first: str, second: str) -> None:
    """The update may have named another parcel, or another courier because the first one is not to come in."""
    house = good_day()
    promise = announce_delivery(house, needs_courier=True)
    house.scan(first)
    house.run(1)
    promise.version = 2
    house.scan(second)
    assert house.phase == "ready"
    assert house.refusals == ["courier_not_proven"]
    house.run(11)
    house.scan(first)  # both of the newer promise
    assert house.phase == "ringing"


def test_a_garage_does_with_the_parcel_but_never_with_the_courier_alone() -> None:
    house = good_day()
    announce_delivery(house)
    house.scan("d0-qr")
    house.run(RINGING_S)
    assert house.phase == "ready"
    house.scan("d0-1")
    assert house.phase == "ringing"


# ---- a code of two brands --------------------------------------------------------------------------------------------


def twice(house: SimulatedHome, **fields: object) -> None:
    """Two brands have announced the same parcel for now; the second one is the likelier by its window."""
    announce_delivery(house, "d1", brand="farm", label="one parcel", **fields)
    announce_delivery(house, "d0", brand="shop", label="one parcel", **fields)


def test_a_code_that_two_permitted_brands_announced_opens_for_neither_and_the_owner_is_told_which() -> None:
    house = good_day()
    twice(house)
    house.scan("one parcel")
    house.run(RINGING_S)
    assert house.refusals == ["code_of_several"]
    assert not house.all(c.Unlock)
    (told,) = (one for one in house.all(c.NotifyOwner) if one.notification is c.Notification.CODE_OF_SEVERAL)
    assert told.detail == "farm, shop"


@pytest.mark.parametrize("refusal", [Refusal.AWAITING_PERMISSION, Refusal.BRAND_NOT_PERMITTED, Refusal.CANCELLED])
def test_a_code_that_a_brand_announced_too_that_may_not_come_in_opens_for_the_one_that_may(refusal: Refusal) -> None:
    house = good_day()
    twice(house)
    house.promises["d1"].refusal = refusal
    house.scan("one parcel")
    house.run(RINGING_S + 1)
    assert house.phase == "unlocked"
    assert house.mem.visit is not None
    assert house.mem.visit.delivery.id == "d0"


@pytest.mark.parametrize("whose", ["d0", "d1"])
@pytest.mark.parametrize("courier_first", [True, False])
def test_where_a_courier_proves_himself_his_code_says_which_brand_s_parcel_it_is(
    whose: str, *, courier_first: bool
) -> None:
    house = good_day()
    twice(house, needs_courier=True)
    codes = ["one parcel", f"{whose}-qr"]
    for code in reversed(codes) if courier_first else codes:
        house.scan(code)
        house.run(1)
    house.run(RINGING_S)
    assert house.phase == "unlocked", house.refusals
    assert house.mem.visit is not None
    assert house.mem.visit.delivery.id == whose
    assert [one.delivery for one in house.all(c.ReserveOpening)] == [whose]
