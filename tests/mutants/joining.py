"""Faults in how a box joins a hub, keeps its certificate young, and is cut off."""

from tests.mutants.mutant import Mutant

JOINING = "tests/gateway/hub/boxes/test_enrolment.py"
BROKER = "tests/gateway/hub/boxes/test_broker.py"
KILLED = "tests/gateway/hub/boxes/test_joining_killed.py"
PAGE = "tests/gateway/web/pages/test_hub.py"
LEFT = "tests/gateway/hub/boxes/test_unenrolment.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="a claim is used without its secret",
        file="gateway/hub/api/homes.py",
        old="not enrolment.macs_equal(enrolment.request_mac(row.sha256, claim_id, csr, body.box_key), body.mac)",
        new="False",
        tests=(f"{JOINING}::test_who_has_not_the_secret_gets_nothing",),
    ),
    Mutant(
        name="a claim lets a second box in",
        file="gateway/hub/api/homes.py",
        old=("        key = _public_key_of(csr)\n        if row.public is None:\n"),
        new=(
            "        key = _public_key_of(csr)\n"
            "        if row.public is None or row.public != public_key_digest(key):\n"
        ),
        tests=(f"{JOINING}::test_a_claim_lets_one_box_in_and_that_one_again",),
    ),
    Mutant(
        name="the box's own key can be swapped on the way",
        file="gateway/protocol/enrolment.py",
        old='"perron-claim-1", claim, sha256(csr).hexdigest(), box_key)',
        new='"perron-claim-1", claim, sha256(csr).hexdigest())',
        tests=(f"{JOINING}::test_what_is_swapped_on_the_way_is_refused",),
    ),
    Mutant(
        name="a box believes any authority that has the secret",
        file="gateway/integrations/hub_client/enrolment.py",
        old="    if authority.fingerprint(hashes.SHA256()).hex() != code.authority:\n",
        new="    if False:\n",
        tests=(f"{JOINING}::test_a_hub_of_another_authority_than_the_code_s_is_refused",),
    ),
    Mutant(
        name="a certificate for another key is kept",
        file="gateway/integrations/hub_client/enrolment.py",
        old="or public != key.public_key():\n",
        new="or False:\n",
        tests=(f"{JOINING}::test_an_answer_that_is_changed_on_the_way_is_refused",),
    ),
    Mutant(
        name="a revoked home renews",
        file="gateway/hub/api/homes.py",
        old="    return [] if row.revoked is not None else list(found)\n",
        new="    return list(found)\n",
        tests=(f"{JOINING}::test_a_home_that_is_revoked_has_no_certificate_that_counts",),
    ),
    Mutant(
        name="the older certificate counts on after the new one was confirmed",
        file="gateway/hub/api/homes.py",
        old=(
            "        await end_certificates(call.tx, body.home, call.now, certificates.c.serial != body.serial)\n"
            "        first = update(certificates).filter_by(serial=body.serial, used=None)\n"
        ),
        new="        first = update(certificates).filter_by(serial=body.serial, used=None)\n",
        tests=(f"{BROKER}::test_the_old_certificate_is_good_until_the_new_one_was_confirmed",),
    ),
    Mutant(
        name="a revoked box that is connected stays so",
        file="gateway/hub/boxes/broker.py",
        old=("        for home, since in sorted(revoked):\n            await self.disconnect_revoked(home, now)\n"),
        new="        for home, since in sorted(revoked):\n",
        tests=(f"{BROKER}::test_a_revoked_box_is_cut_off_within_seconds_and_cannot_come_back",),
    ),
    Mutant(
        name="a revocation that was cut short is never ended",
        file="gateway/hub/boxes/broker.py",
        old=("        if not (self._is_first_check or anew or revoked):\n"),
        new="        if not anew:\n",
        tests=(f"{BROKER}::test_a_revocation_that_was_killed_half_way_is_ended_by_the_hub",),
    ),
    Mutant(
        name="what a client says of its name counts",
        file="gateway/hub/boxes/broker.py",
        old=('        "require_certificate true",\n        "use_identity_as_username true",\n'),
        new='        "require_certificate true",\n',
        tests=(f"{BROKER}::test_a_box_is_who_its_certificate_says_whatever_it_says_itself",),
    ),
    Mutant(
        name="the key that was asked for is forgotten before the hub knows it",
        file="gateway/integrations/hub_client/enrolment.py",
        old=("    _confirm(url, mine, ask)\n    (folder / NEXT_KEY_FILE).unlink()\n"),
        new=("    (folder / NEXT_KEY_FILE).unlink()\n    _confirm(url, mine, ask)\n"),
        tests=(f"{JOINING}::test_a_confirmation_that_was_lost_is_said_again",),
    ),
    Mutant(
        name="an old word of leaving ends a home that joined anew",
        file="gateway/hub/api/homes.py",
        old="        if not signed or not (counts or home.revoked is not None):\n",
        new="        if not signed:\n",
        tests=(f"{LEFT}::test_an_old_word_of_leaving_ends_nothing_once_the_home_has_joined_anew",),
    ),
    Mutant(
        name="a code is spent before the house file is written",
        file="gateway/integrations/hub_client/enrolment.py",
        old=("    _write_identity(folder, key, certificate)\n    return joined\n"),
        new=(
            "    _write_identity(folder, key, certificate)\n    (folder / NEXT_KEY_FILE).unlink()\n    return joined\n"
        ),
        tests=(f"{PAGE}::test_what_broke_off_between_the_hub_s_yes_and_the_house_file_goes_on_with_the_same_code",),
    ),
)
