"""The table of rights, cell by cell. It is written out here a second time, as people would read it."""

import pytest

from gateway.web.auth.roles import PASSWORD_RIGHTS, Role, UserRight, has_right

#                       owner, household, installer; "p": the password is asked for again
TABLE = """
see_state               yes    yes        yes
watch_live              yes    yes        -
see_history             yes    yes        -
share_film              yes    -          -
hold_film               yes    yes        -
erase_film              yes p  -          -
stop                    yes    yes        yes
lift_stop               yes    yes        -
say_home                yes    yes        -
decide_at_door          yes    yes        -
refuse_delivery         yes    yes        -
take_in                 yes    yes        -
prepare_return          yes    yes        -
say_room                yes    yes        -
acknowledge             yes    yes        -
confirm_parcel          yes    yes        -
lock                    yes    yes        yes
see_brands              yes    yes        -
announce_parcel         yes    -          -
decide_brands           yes    -          -
see_household           yes    yes        -
people                  yes p  -          -
away                    yes    yes        -
hand_over               yes    -          yes
language                yes    yes        yes
notifications           yes    yes        -
settings                yes    -          -
keys                    yes p  -          -
retention               yes p  -          -
move_out                yes p  -          -
devices                 yes    -          yes
enrol                   yes    -          -
hub                     yes    -          -
walk_test               yes    -          yes
diagnostics             yes    -          yes
"""

ROWS = {line.split()[0]: line.replace(" p ", "   ").split()[1:] for line in TABLE.strip().splitlines()}
PASSWORD = {line.split()[0] for line in TABLE.strip().splitlines() if " p " in line}


def test_every_right_stands_in_the_table_and_each_row_has_a_cell_for_each_role() -> None:
    assert list(ROWS) == [right.value for right in UserRight]
    assert {len(cells) for cells in ROWS.values()} == {len(Role)}


@pytest.mark.parametrize("right", list(UserRight))
@pytest.mark.parametrize(("column", "role"), list(enumerate(Role)), ids=[role.value for role in Role])
def test_a_role_may_do_what_its_cell_says(column: int, role: Role, right: UserRight) -> None:
    assert has_right(role, right) is (ROWS[right][column] == "yes")


def test_the_password_is_asked_for_again_where_the_door_opens_or_something_is_gone_for_good() -> None:
    assert {right.value for right in PASSWORD_RIGHTS} == PASSWORD


def test_an_installer_never_sees_the_home() -> None:
    shows_the_home = {
        UserRight.WATCH_LIVE,
        UserRight.SEE_HISTORY,
        UserRight.SHARE_FILM,
        UserRight.SEE_BRANDS,
        UserRight.SEE_HOUSEHOLD,
    }
    assert not any(has_right(Role.INSTALLER, right) for right in shows_the_home)


def test_everybody_with_an_account_may_stop() -> None:
    assert all(has_right(role, UserRight.STOP) for role in Role)
