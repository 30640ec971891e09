"""Faults of parcel codes, of what strangers' devices and announcements say, and of the courier's code."""

from tests.mutants.words import Mutant

_CODES = "tests/gateway/delivery/test_codes.py"
_ATTACKED = "tests/gateway/test_codes_attacked.py"
MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="a code that is read otherwise the second time is taken",
        file="gateway/delivery/codes.py",
        old="    if isinstance(code, ParcelCode) and code.kind is not Kind.COURIER and _read(code.value) != code:",
        new="    if isinstance(code, ParcelCode) and code.kind is Kind.COURIER and _read(code.value) is None:",
        tests=(
            f"{_CODES}::test_a_code_that_would_be_read_otherwise_the_second_time_is_none",
            f"{_CODES}::test_a_code_that_is_read_again_is_the_same_code_whatever_stands_before_it",
        ),
    ),
    Mutant(
        name="two labels with brackets get one writing",
        file="gateway/delivery/codes.py",
        old='    if any("(" in field or ")" in field for _, field in pairs):',
        new='    if any("(" in field and ")" not in field for _, field in pairs):',
        tests=(f"{_CODES}::test_two_labels_with_brackets_in_a_field_are_never_one_code",),
    ),
    Mutant(
        name="a stored delivery is validated again",
        file="gateway/hub/deliveries.py",
        old="    return model.model_construct(**stored, id=row.name, version=version)",
        new="    return model.model_validate({**stored, 'id': row.name, 'version': version})",
        tests=(
            f"{_ATTACKED}::test_a_stored_delivery_whose_code_is_no_code_today_does_not_end_the_hub",
            f"{_ATTACKED}::test_a_held_delivery_whose_code_is_no_code_today_does_not_end_the_hub",
        ),
    ),
)
