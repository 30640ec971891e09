"""The codes of a Matter lock's keypad: in which order they are stored, and when one is known to be gone."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.commands import SetCode
from devices.reports import CodeStatus
from devices.vendors import matter_keypad as keypad

STARTS, ENDS = datetime(2026, 12, 3, 14, 0, tzinfo=UTC), datetime(2026, 12, 6, 10, 15, tzinfo=UTC)
CODE = SetCode(id="k1", pin="345678", name="guest-a1", slot=5, starts=STARTS, ends=ENDS)


def test_a_pin_is_stored_last_so_that_it_never_opens_outside_its_times() -> None:
    steps = keypad.setting_steps(CODE)
    assert [name for name, _ in steps] == ["SetUser", "SetYearDaySchedule", "SetCredential"]
    user, schedule, credential = (fields for _, fields in steps)
    assert (user["userType"], user["userIndex"], user["userName"]) == (keypad.YEAR_DAY_USER, 5, "guest-a1")
    assert schedule["localEndTime"] == int((ENDS - datetime(2000, 1, 1, tzinfo=UTC)).total_seconds())
    assert base64.b64decode(str(credential["credentialData"])) == b"345678"
    assert all(fields["operationType"] == keypad.ADD for fields in (user, credential)), "nobody else's code is changed"


def test_a_code_without_times_has_no_schedule_and_one_with_half_of_them_is_refused() -> None:
    always = SetCode(id="k1", pin="345678", name="a", slot=5)
    assert [name for name, _ in keypad.setting_steps(always)] == ["SetUser", "SetCredential"]
    for code in (SetCode(id="k", pin="1", name="a", slot=5, ends=ENDS), SetCode(id="k", pin="1", name="a")):
        with pytest.raises(ValueError, match="in a slot"):
            keypad.setting_steps(code)


@pytest.mark.parametrize("answer", [None, {}, {"status": 1}, {"status": 2}, {"status": 3}, {"status": None}, 0])
def test_a_pin_that_the_lock_did_not_store_is_refused(answer: object) -> None:
    assert keypad.is_refused("SetCredential", answer)
    assert not keypad.is_refused("SetCredential", {"status": 0})
    assert not keypad.is_refused("SetUser", None)


KEYS = ["userStatus", "userType", "userName", "credentialExists", "userIndex", "status", "localStartTime"]
words = st.none() | st.booleans() | st.integers(-1, 9) | st.text(max_size=3)
answers = st.dictionaries(st.sampled_from(KEYS), words) | st.none() | st.integers()
Answer = dict[str, object] | int | None


@given(user=answers, credential=answers, schedule=answers)
def test_a_slot_is_free_only_if_neither_the_user_nor_the_pin_is_there(
    user: Answer, credential: Answer, schedule: Answer
) -> None:
    report = keypad.codes({"codes": [keypad.slot_body(5, user, credential, schedule)]})
    (code,) = report.codes
    if code.status is CodeStatus.AVAILABLE:
        assert isinstance(user, dict)
        assert isinstance(credential, dict)
        assert credential["credentialExists"] is False
        assert not user.get("userStatus")
    if code.starts is not None or code.ends is not None:
        assert isinstance(user, dict)
        assert user["userType"] in (keypad.YEAR_DAY_USER, keypad.SCHEDULE_RESTRICTED_USER)
    assert not report.is_complete


def test_a_pin_never_stands_in_a_representation() -> None:
    assert "345678" not in repr(CODE)
