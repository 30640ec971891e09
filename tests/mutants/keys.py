"""Faults in whom the house believes, in what it shows outside, and in who is told of it."""

from tests.mutants.mutant import Mutant

OFFERS = "tests/gateway/storage/test_offers.py"
KEYRING = "tests/gateway/web/pages/test_keys.py"
BOOK = "tests/gateway/runtime/notifications/test_contacts.py"
PAST = "tests/gateway/web/pages/test_history.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="what the household refused comes in",
        file="gateway/domain/delivery/candidate.py",
        old="    if order.refused_at is not None:\n        return Refusal.DECLINED_BY_HOUSEHOLD\n",
        new="",
        tests=(f"{OFFERS}::test_what_the_household_refused_stays_refused_after_a_restart_and_for_each_new_version",),
    ),
    Mutant(
        name="a new version of the retailer's takes the household's no back",
        file="gateway/storage/offers.py",
        old="if code is None and row is not None and row.order.refused_at is not None:",
        new="if code is None and row is not None and row.order.refused_at is row:",
        tests=(f"{OFFERS}::test_what_the_household_refused_stays_refused_after_a_restart_and_for_each_new_version",),
    ),
    Mutant(
        name="what a stolen key signed before still opens",
        file="gateway/domain/delivery/candidate.py",
        old=("    if context.distrusts(order):\n        return Refusal.KEY_DISTRUSTED\n"),
        new=("    if context.distrusts(order):\n        pass\n"),
        tests=(f"{OFFERS}::test_what_stands_on_a_key_that_is_trusted_no_longer_opens_no_more",),
    ),
    Mutant(
        name="a stolen key still announces",
        file="gateway/storage/offers.py",
        old="signer in self.context.distrusted",
        new="signer in ()",
        tests=(f"{OFFERS}::test_what_stands_on_a_key_that_is_trusted_no_longer_opens_no_more",),
    ),
    Mutant(
        name="a delivery of an unknown key outlives every key of its brand",
        file="gateway/domain/delivery/candidate.py",
        old="return order.brand in self.distrusted.values()",
        new="return False",
        tests=(f"{OFFERS}::test_the_same_brand_signs_anew_with_a_key_that_is_trusted",),
    ),
    Mutant(
        name="on a full disk a stolen key is believed on",
        file="gateway/storage/brands.py",
        old="        self._distrusted[x] = brand\n        await self.writer.do(",
        new="        await self.writer.do(",
        tests=(f"{KEYRING}::test_on_a_full_disk_the_key_is_not_trusted_all_the_same_and_stored_once_there_is_room",),
    ),
    Mutant(
        name="the configuration enrols a key again that was trusted no longer",
        file="gateway/storage/brandkeys.py",
        old=" SET kid = excluded.kid, brand = excluded.brand",
        new=" SET kid = excluded.kid, brand = excluded.brand, distrusted = NULL",
        tests=(f"{OFFERS}::test_what_stands_on_a_key_that_is_trusted_no_longer_opens_no_more",),
    ),
    Mutant(
        name="a brand asks with every offer",
        file="gateway/storage/permissions.py",
        old="WHERE brand = ? AND asked IS NULL AND",
        new="WHERE brand = ? AND",
        tests=(f"{OFFERS}::test_a_brand_without_a_permission_asks_once_however_often_it_announces_something",),
    ),
    Mutant(
        name="a page adds what opens a file of the box",
        file="gateway/runtime/notifications/contacts.py",
        old="_FILE_PARAMETERS.search(unquote(unquote(url)))",
        new="_FILE_PARAMETERS.search(url)",
        tests=(f"{BOOK}::test_only_services_over_the_network_are_let_in_and_none_that_opens_a_file",),
    ),
    Mutant(
        name="a phone's token is shown as its host",
        file="gateway/runtime/notifications/apprise.py",
        old='    if scheme.removesuffix("s") not in _SCHEMES_WITH_HOST or host is None:',
        new="    if host is None:",
        tests=(f"{BOOK}::test_only_a_host_that_is_no_secret_is_ever_shown",),
    ),
    Mutant(
        name="what a removed phone waited for is lost",
        file="gateway/storage/outbox.py",
        old="JOIN phone p ON p.since > m.at WHERE",
        new="JOIN phone p ON p.since > m.at + 1e15 WHERE",
        tests=(f"{BOOK}::test_what_a_removed_phone_still_waited_for_is_told_to_one_that_came_later",),
    ),
    Mutant(
        name="a link to a film outlives its maker's right",
        file="gateway/web/pages/history.py",
        old=" and has_right(Role(maker.role), UserRight.SHARE_FILM):",
        new=":",
        tests=(f"{PAST}::test_a_link_ends_with_its_maker",),
    ),
    Mutant(
        name="any secret opens a link whose id is known",
        file="gateway/web/pages/history.py",
        old='share = find_by_token(request.match_info["token"], active.get)',
        new='share = active.get(request.match_info["token"].partition(".")[0])',
        tests=(f"{PAST}::test_a_link_is_its_own_secret_and_no_other_spelling_of_it",),
    ),
    Mutant(
        name="trust in a key is given back without the password",
        file="gateway/web/pages/keys.py",
        old=("        if error is not None:\n            return await self._page(request, user, error=error)\n"),
        new="",
        tests=(f"{KEYRING}::test_a_key_that_is_trusted_no_longer_opens_nothing_from_that_instant_on",),
    ),
)
