"""Faults in what a stranger can do to the pages, to a date, and to names that go out to phones."""

from tests.mutants.mutant import Mutant

WEB = "gateway/web/"
GIVES = (
    "tests/gateway/web/test_brands_page.py"
    "::test_whoever_lets_a_brand_in_or_do_more_gives_the_password_and_the_form_is_kept"
)
VOICE = "tests/gateway/runtime/notifications/test_texts.py"
FLOODED = "tests/gateway/web/test_flooded.py"
PORCH = "tests/gateway/web/server/test_connection_limits.py"
STAYS = f"{PORCH}::test_a_stranger_s_connection_lasts_for_a_while_and_that_of_who_is_signed_in_for_as_long_as_he_likes"
ORDERS = "tests/gateway/web/remote/test_orders.py"
UPLINKS = "tests/gateway/storage/test_hub_journal.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="a last day of the year 9999 is taken",
        file="gateway/domain/day.py",
        old="    if not FIRST_DAY <= day <= last:\n",
        new="    if day < FIRST_DAY:\n",
        tests=(f"{ORDERS}::test_an_order_whose_last_day_cannot_be_meant_has_failed_and_the_next_one_is_done",),
    ),
    Mutant(
        name="a last day that an earlier release stored ends the line to the hub",
        file="gateway/domain/delivery/permission.py",
        old=("    return instant if instant is None or instant.tzinfo is None else clamp_instant(instant)\n"),
        new="    return instant\n",
        tests=(
            f"{UPLINKS}::test_a_store_that_an_earlier_release_gave_an_impossible_last_day_still_tells_its_decisions",
        ),
    ),
    Mutant(
        name="a time is bounded as it is written, not as it is read again",
        file="gateway/domain/delivery/promise.py",
        old="    if not FIRST_INSTANT <= value <= LAST_INSTANT:\n",
        new="    if not FIRST_INSTANT.year <= value.year <= LAST_INSTANT.year:\n",
        tests=("tests/gateway/domain/test_day.py",),
    ),
    Mutant(
        name="an order that is read no more counts as done",
        file="gateway/web/remote/orders.py",
        old="        if isinstance(verified, TokenRejection):\n            return verified\n",
        new="        if isinstance(verified, TokenRejection):\n            return None\n",
        tests=(f"{ORDERS}::test_an_order_that_a_store_kept_and_that_is_read_no_more_has_failed",),
    ),
    Mutant(
        name="a brand's name is a link on the owner's phone",
        file="gateway/runtime/notifications/texts.py",
        old='without_links(parameters.get(name, "")) for name in ("carrier", "brand",',
        new='parameters.get(name, "") for name in ("carrier", "brand",',
        tests=(f"{VOICE}::test_no_name_from_outside_is_a_link_a_mention_or_markup_in_a_message",),
    ),
    Mutant(
        name="in a name a full stop still joins two words to an address",
        file="gateway/system/text.py",
        old="    return _DOT.sub(ONE_DOT_LEADER, isolate_direction(plain))",
        new="    return isolate_direction(plain)",
        tests=(f"{VOICE}::test_what_a_messenger_would_make_a_link_a_mention_or_markup_is_a_name_and_no_more",),
    ),
    Mutant(
        name="in a name a full stop behind an emoji or a hyphen still makes an address",
        file="gateway/system/text.py",
        old='rf"(?<=\\S)[.',
        new='rf"(?<=\\w)[.',
        tests=(f"{VOICE}::test_in_a_name_no_dot_stands_between_a_character_and_a_letter_or_a_digit",),
    ),
    Mutant(
        name="in a name a small full stop still joins two words to an address",
        file="gateway/system/text.py",
        old="[.\\u3002\\ufe52\\uff0e",
        new="[.\\u3002\\uff0e",
        tests=(f"{VOICE}::test_what_a_messenger_would_make_a_link_a_mention_or_markup_is_a_name_and_no_more",),
    ),
    Mutant(
        name="a brand gets more than it has without the password",
        file=f"{WEB}pages/brands.py",
        old="        if extends_permission(self._store.brands.permission(brand), terms):\n",
        new="        if not extends_permission(self._store.brands.permission(brand), terms):\n",
        tests=(GIVES,),
    ),
    Mutant(
        name="a brand that is granted hub_signed gets no more by it",
        file="gateway/domain/delivery/permission.py",
        old="        or (terms.hub_signed and not now.hub_signed)\n",
        new="",
        tests=("tests/gateway/domain/delivery/test_permission.py::test_what_lets_a_brand_do_more_than_it_may",),
    ),
    Mutant(
        name="a new key is accepted without the password",
        file=f"{WEB}pages/brands.py",
        old=('            case "approve":\n                await self._authorizer.require_password(request, user)\n'),
        new='            case "approve":\n',
        tests=("tests/gateway/web/test_brands_page.py::test_a_new_key_is_not_accepted_without_the_password",),
    ),
    Mutant(
        name="what was filled in is forgotten after the password",
        file=f"{WEB}server/authorization.py",
        old=("        kept = [(name, value) for name, value in fields.items() if name != PASSWORD_FIELD]\n"),
        new="        kept: list[tuple[str, str]] = []\n",
        tests=("tests/gateway/web/test_coming_in.py::test_an_invitation_is_made_once_the_password_was_given",),
    ),
    Mutant(
        name="the signs on the door's notice hang out of their box",
        file="gateway/evidence/documents/notice.py",
        old="        apart = min(5.1, (high - head - foot) / most)\n",
        new="        apart = 6.1 + 0 * (foot + most)\n",
        tests=(
            "tests/gateway/evidence/documents/test_notice.py::test_between_one_box_and_the_next_the_paper_is_white",
        ),
    ),
    Mutant(
        name="a walk test begins anew at one press",
        file=f"{WEB}pages/installation.py",
        old='        if do == "begin" and walk is not None and was_tried and fields.get("sure") != "1":\n',
        new='        if do == "begin" and walk is not None and was_tried and walk is None:\n',
        tests=(
            "tests/gateway/web/pages/test_installation.py::test_to_begin_anew_is_asked_before_trials_that_are_done_are_wiped",
        ),
    ),
    Mutant(
        name="the pages answer requests as they come, however many a turn",
        file=f"{WEB}site.py",
        old=("        limit_requests(server, self._request_turns)\n"),
        new="",
        tests=(f"{FLOODED}::test_nor_do_those_that_come_from_a_browser_of_the_house",),
    ),
    Mutant(
        name="forms whose bodies come at once are looked at in one turn",
        file=f"{WEB}site.py",
        old=("            await self._request_turns.take()\n"),
        new="            pass\n",
        tests=(f"{FLOODED}::test_of_forms_whose_bodies_come_at_once_one_is_looked_at_each_turn",),
    ),
    Mutant(
        name="a stranger asks the pages as often as he likes",
        file=f"{WEB}server/connection_limits.py",
        old=("            return self._request_rate.take(caller.network, now)\n"),
        new="            return True\n",
        tests=(f"{FLOODED}::test_a_stranger_who_asks_without_end_has_to_wait_and_who_is_signed_in_has_not",),
    ),
    Mutant(
        name="a stranger makes as many connections as he likes, one after the other",
        file=f"{WEB}server/connection_limits.py",
        old="        if not known and not self._networks.may_open(network, now):\n",
        new="        if not known and self._networks is None:\n",
        tests=(f"{PORCH}::test_who_makes_connection_after_connection_is_hung_up_on_unheard",),
    ),
    Mutant(
        name="strangers who hold all connections make no room for the household",
        file=f"{WEB}server/connection_limits.py",
        old="        if not connections:\n            return False\n",
        new="        if connections is not None:\n            return False\n",
        tests=(f"{PORCH}::test_who_comes_for_the_first_time_takes_the_place_of_the_oldest_of_those_who_hold_most",),
    ),
    Mutant(
        name="who opened one connection loses it to who opens many",
        file=f"{WEB}server/connection_limits.py",
        old="[caller for caller in strangers if counted[caller.network] == most]",
        new="strangers",
        tests=(f"{PORCH}::test_who_comes_for_the_first_time_takes_the_place_of_the_oldest_of_those_who_hold_most",),
    ),
    Mutant(
        name="a stranger's connection lasts for ever",
        file=f"{WEB}server/connection_limits.py",
        old="self.expire_after(None if is_entitled else self._stranger_lifetime_s)",
        new="self.expire_after(None)",
        tests=(STAYS,),
    ),
    Mutant(
        name="a page's live connection may say as much as it likes",
        file=f"{WEB}server/feed.py",
        old="            if not limit.take(loop.time()):\n",
        new="            if limit is None:\n",
        tests=(f"{FLOODED}::test_a_couriers_link_that_says_more_than_a_page_does_is_hung_up_on",),
    ),
    Mutant(
        name="one courier's link is followed by any number of pages",
        file=f"{WEB}server/feed.py",
        old="        if len(feeds) > max_feeds:\n",
        new="        if not feeds:\n",
        tests=(f"{FLOODED}::test_of_one_link_so_many_pages_are_followed_and_the_oldest_is_hung_up_on",),
    ),
    Mutant(
        name="all parts of a page are painted in one turn",
        file=f"{WEB}server/feed.py",
        old=("            await self._wait_turn()\n"),
        new="",
        tests=(f"{FLOODED}::test_all_parts_of_all_feeds_are_painted_one_in_a_turn",),
    ),
)
