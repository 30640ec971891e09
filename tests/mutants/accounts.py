"""Faults in who may come in: rights, sessions, wrong passwords, the first owner."""

from tests.mutants.mutant import Mutant

ACCOUNTS = "tests/gateway/web/auth/test_accounts.py"
TRIES = "tests/gateway/web/auth/test_login_throttle.py"
PEOPLE = "tests/gateway/storage/test_people.py"
WEB = "gateway/web/"
STORE = "gateway/storage/"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="an installer sees live pictures",
        file=f"{WEB}auth/roles.py",
        old=("        UserRight.WALK_TEST,\n        UserRight.DIAGNOSTICS,\n    }\n"),
        new=("        UserRight.WALK_TEST,\n        UserRight.DIAGNOSTICS,\n        UserRight.WATCH_LIVE,\n    }\n"),
        tests=("tests/gateway/web/auth/test_roles.py",),
    ),
    Mutant(
        name="a page that stays open keeps the role it was opened with",
        file=f"{WEB}auth/accounts.py",
        old="if not has_right(Role(row.person.role), right):",
        new="if not has_right(user.role, right):",
        tests=(f"{ACCOUNTS}::test_a_changed_role_counts_at_once_in_sessions_that_run",),
    ),
    Mutant(
        name="any secret signs in whose session's id is known",
        file=f"{WEB}auth/tokens.py",
        old=" or not token.matches(row.secret) else row",
        new=" else row",
        tests=(f"{ACCOUNTS}::test_a_cookie_that_the_box_did_not_make_signs_nobody_in",),
    ),
    Mutant(
        name="a known device speaks for everybody",
        file=f"{WEB}auth/accounts.py",
        old=" or row.person != person.id:",
        new=":",
        tests=(f"{TRIES}::test_a_known_device_is_known_for_its_own_person_only_and_not_for_ever",),
    ),
    Mutant(
        name="a known device waits for what strangers try",
        file=f"{WEB}auth/accounts.py",
        old="attempt = LoginAttempt(device=token.id) if token is not None else self.throttle",
        new="attempt = self.throttle",
        tests=(f"{TRIES}::test_whoever_signed_in_before_on_this_device_never_waits_for_what_strangers_try",),
    ),
    Mutant(
        name="a wrong password is counted after it was looked at",
        file=f"{WEB}auth/accounts.py",
        old="            tries = await self.throttle.count_attempt(attempt, now)\n"
        "            fits = await self._passwords.matches(password, stored, stranger=stranger)\n",
        new="            fits = await self._passwords.matches(password, stored, stranger=stranger)\n"
        "            tries = await self.throttle.count_attempt(attempt, now)\n",
        tests=(f"{TRIES}::test_tries_at_the_same_moment_all_count",),
    ),
    Mutant(
        name="a restart forgets a wait",
        file=f"{WEB}auth/backoff.py",
        old="{key: (count, mono) for key",
        new="{key: (count, mono - 900.0) for key",
        tests=(f"{TRIES}::test_a_restart_between_wrong_tries_shortens_no_wait",),
    ),
    Mutant(
        name="a clock that nobody vouches for moves the reckoning",
        file=f"{WEB}auth/session_age.py",
        old=("        if now.trusted:\n            self._latest = max(self._latest, now.utc)"),
        new=("        if now.utc:\n            self._latest = now.utc"),
        tests=(f"{ACCOUNTS}::test_a_clock_that_is_set_back_makes_no_session_young_again",),
    ),
    Mutant(
        name="a box that has an owner can be claimed",
        file=f"{STORE}people.py",
        old=(
            "def check_claim_code(db: Database, secret: bytes, now: Now) -> AccountResult:\n"
            "    if has_owner(db):\n"
            "        return AccountResult.CLAIMED\n"
            '    row = db.execute("SELECT secret, wrong FROM claim").fetchone()\n'
        ),
        new=(
            "def check_claim_code(db: Database, secret: bytes, now: Now) -> AccountResult:\n"
            "    if not db:\n"
            "        return AccountResult.CLAIMED\n"
            '    row = db.execute("SELECT secret, wrong FROM claim").fetchone()\n'
        ),
        tests=(f"{PEOPLE}::test_two_claims_at_once_make_one_owner",),
    ),
    Mutant(
        name="wrong claim codes are not counted",
        file=f"{STORE}people.py",
        old="UPDATE claim SET wrong = wrong + 1",
        new="UPDATE claim_box SET record_failed_sign_ins = record_failed_sign_ins",
        tests=(f"{PEOPLE}::test_five_wrong_codes_make_the_code_void_over_restarts_too",),
    ),
    Mutant(
        name="the last owner can be removed",
        file=f"{STORE}people.py",
        old=(
            "        return AccountResult.LAST_OWNER\n"
            '    connection.execute("UPDATE person SET removed = ?, password = NULL WHERE id '
            '= ?", (now.utc, ident))\n'
        ),
        new=(
            "        pass\n"
            '    connection.execute("UPDATE person SET removed = ?, password = NULL WHERE id '
            '= ?", (now.utc, ident))\n'
        ),
        tests=(f"{PEOPLE}::test_a_house_is_never_without_an_owner",),
    ),
    Mutant(
        name="somebody who was removed stays signed in",
        file=f"{STORE}people.py",
        old=(
            '    db.execute("DELETE FROM device WHERE person = ?", (ident,))\n'
            '    db.execute("DELETE FROM share WHERE by = ?", (ident,))\n'
            '    db.log("person_removed", now.utc, {"person": ident, "by": by})\n'
        ),
        new=(
            '    db.execute("DELETE FROM share WHERE by = ?", (ident,))\n'
            '    db.log("person_removed", now.utc, {"person": ident, "by": by})\n'
        ),
        tests=(f"{PEOPLE}::test_somebody_who_was_removed_is_gone_at_once_and_his_name_is_free",),
    ),
    Mutant(
        name="an invitation is taken twice",
        file=f"{STORE}people.py",
        old="""    if not connection.execute("DELETE FROM invitation WHERE id = ?", (invitation.id,)).rowcount:""",
        new="""    if connection.execute("SELECT 1 WHERE 0").fetchone():""",
        tests=(f"{PEOPLE}::test_two_who_take_one_invitation_at_once_are_one",),
    ),
    Mutant(
        name="a removed owner's invitations still let people in",
        file=f"{STORE}people.py",
        old=("    if inviter is None or inviter.role != _OWNER_ROLE:\n        return AccountResult.INVITATION_GONE\n"),
        new="",
        tests=(f"{PEOPLE}::test_nobody_comes_in_on_the_word_of_somebody_who_is_no_owner_any_more",),
    ),
)
