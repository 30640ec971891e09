"""Faults in whom the house lets in by a hub, and under which key."""

from tests.mutants.mutant import Mutant

LETTING = "tests/gateway/runtime/test_permissions.py"
ASKED = "tests/gateway/protocol/test_consent_verification.py"
SIGNED = "tests/gateway/test_hub_signed.py"
PAGE = "tests/gateway/web/test_brands_page.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="a stranger's key counts before the owner has said yes",
        file="gateway/storage/brands.py",
        old='row.came == "file" or row.standing != "approved" or row.brand not in known',
        new='row.came == "file" or row.standing == "refused" or row.brand not in known',
        tests=(f"{LETTING}::test_a_brand_that_nobody_knows_opens_nothing_until_the_owner_has_said_yes",),
    ),
    Mutant(
        name="another question is permitted than the owner saw",
        file="gateway/storage/consent_requests.py",
        old="question is None or question.digest != ask",
        new="question is None",
        tests=(f"{LETTING}::test_what_the_owner_did_not_see_he_does_not_permit",),
    ),
    Mutant(
        name="a question that nobody answered is permitted later",
        file="gateway/storage/consent_requests.py",
        old="    if yes and question is not None and question.over(now):",
        new="    if False and question is not None and question.over(now):",
        tests=(f"{LETTING}::test_silence_is_no",),
    ),
    Mutant(
        name="what the house file granted once a stranger inherits",
        file="gateway/storage/consent_requests.py",
        old="standing = 'pending', terms = excluded.terms,",
        new="terms = excluded.terms,",
        tests=(f"{LETTING}::test_who_was_let_in_by_the_house_file_once_asks_anew_as_anybody",),
    ),
    Mutant(
        name="a key for which nobody vouches waits for the owner",
        file="gateway/protocol/consent_verification.py",
        old="if word is not None and (word[0].kid, word[0].x) == (key.kid, key.x):",
        new="if True:",
        tests=(f"{LETTING}::test_a_hub_invents_no_key_and_a_refused_one_does_not_come_back",),
    ),
    Mutant(
        name="the hub puts its own key in the place of the one that is vouched for",
        file="gateway/protocol/consent_verification.py",
        old="(word[0].kid, word[0].x) == (key.kid, key.x)",
        new="word[0].kid == key.kid",
        tests=(f"{ASKED}::test_of_a_known_brand_only_a_key_that_counts_vouches_for_another_one",),
    ),
    Mutant(
        name="a guest's name goes on under the house file's brand",
        file="gateway/storage/consent_requests.py",
        old=("    permissions.store_permission(connection, seed, now)\n"),
        new="",
        tests=(f"{LETTING}::test_who_was_let_in_is_so_after_a_restart_and_the_house_file_wins_over_it",),
    ),
    Mutant(
        name="strangers ask without end",
        file="gateway/storage/consent_requests.py",
        old="return REASON_TOO_MANY_REQUESTS if len(waiting) >= MAX_OPEN_REQUESTS else None",
        new="return None",
        tests=(f"{LETTING}::test_a_flood_of_brands_is_bounded_and_costs_none_that_is_let_in",),
    ),
    Mutant(
        name="a plain yes lets a stranger in as the hub wrote it",
        file="gateway/web/pages/brands.py",
        old='fields["do"] == "permit" and ask is not None',
        new='fields["do"] == "never" and ask is not None',
        tests=(f"{PAGE}::test_all_that_a_stranger_asks_is_shown_with_its_key_and_a_plain_yes_is_not_offered",),
    ),
    Mutant(
        name="what the hub signed goes on where the owner allows it no more",
        file="gateway/domain/delivery/permission.py",
        old="    if order.by_hub and not terms.hub_signed:",
        new="    if order.by_hub and terms.hub_signed is None:",
        tests=(f"{SIGNED}::test_where_the_owner_allows_it_it_counts_until_he_allows_it_no_more",),
    ),
    Mutant(
        name="a brand comes by the hub's signature that nobody allowed",
        file="gateway/storage/offers.py",
        old="    forbidden = permission.standing is PermissionStatus.GRANTED and not permission.terms.hub_signed",
        new="    forbidden = False",
        tests=(f"{SIGNED}::test_by_default_no_brand_comes_by_the_hub_s_signature",),
    ),
    Mutant(
        name="the hub alters what a brand has signed",
        file="gateway/storage/offers.py",
        old="    alters = row is not None and not row.order.by_hub",
        new="    alters = False",
        tests=(f"{SIGNED}::test_the_hub_never_alters_what_the_brand_has_signed",),
    ),
    Mutant(
        name="what one brand announced comes in with the permission of who takes its name",
        file="gateway/storage/consent_requests.py",
        old='        connection.execute("UPDATE delivery SET doubtful = 1 WHERE brand = ?", (message.brand,))\n',
        new="",
        tests=(f"{LETTING}::test_what_was_announced_under_an_id_before_does_not_come_to_life_with_who_takes_it_later",),
    ),
    Mutant(
        name="the hub takes back a key as often as it likes",
        file="gateway/storage/brandkeys.py",
        old='" WHERE x = ? AND brand = ? AND withdrawn IS NULL"',
        new='" WHERE x = ? AND brand = ?"',
        tests=(
            f"{LETTING}::test_what_the_hub_takes_back_the_owner_may_trust_again_and_the_same_word_does_not_end_that",
        ),
    ),
    Mutant(
        name="a home's no leaves its open deliveries as they were at the hub",
        file="gateway/hub/deliveries/connections.py",
        old="        if state in _DENIED_STATES:",
        new="        if state is None:",
        tests=(
            "tests/gateway/hub/boxes/test_box_events.py::test_a_home_s_no_ends_what_is_open_at_once_but_nobody_who_is_at_the_door",
        ),
    ),
)
