"""Faults in what the household's browsers order and ask from afar."""

from tests.mutants.mutant import Mutant

REMOTE = "tests/gateway/remote/"
ORDERS = "tests/gateway/web/remote/test_orders.py"
ANSWERS = "tests/gateway/web/remote/test_queries.py"
SIGNED = "tests/gateway/protocol/test_browser_token.py"
STORE = "tests/gateway/storage/test_browsers.py"
SHARED = "tests/gateway/web/remote/test_shared_visits.py"

MUTANTS = (
    Mutant(
        name="an order is taken though a later one was",
        file="gateway/storage/browsers.py",
        old="known.number >= number",
        new="known.number == number",
        tests=(STORE,),
    ),
    Mutant(
        name="an order from afar counts when its time is over",
        file="gateway/web/remote/orders.py",
        old=(
            "        if now.trusted:\n"
            "            return browser_token.validity_error(order, now.utc.timestamp())\n        return"
        ),
        new="        if now.trusted:\n            return None\n        return",
        tests=(ORDERS,),
    ),
    Mutant(
        name="from afar everybody may what the owner may",
        file="gateway/web/remote/actions.py",
        old="return has_right(Role(role), UserRight.AWAY) and has_right(Role(role), ORDER_RIGHTS[do])",
        new="return has_right(Role(role), UserRight.AWAY)",
        tests=(ORDERS,),
    ),
    Mutant(
        name="a permit that was held back undoes what was decided at home",
        file="gateway/web/remote/actions.py",
        old=("        if question_digest(permission, question) != order.ask:\n            return QUESTION_CHANGED\n"),
        new="",
        tests=(ORDERS,),
    ),
    Mutant(
        name="a permit overtakes a revocation on its way to the disk",
        file="gateway/storage/consent_requests.py",
        old="before is None or before.version != version",
        new="before is None",
        tests=(
            (
                "tests/gateway/web/remote/test_orders.py"
                "::test_a_yes_that_is_stored_behind_a_revocation_of_the_same_moment_does_not_count"
            ),
        ),
    ),
    Mutant(
        name="a stop from afar waits for the disk",
        file="gateway/web/remote/orders.py",
        old=(
            "stopping = self._executor.stop(said.order, one.person.id) if isinstance(said.order, StopOrder) else None\n"
            "        kept = await self._browsers.add_order(one.id, said.number, sealed.text, self._clock.now())\n"
        ),
        new=(
            "kept = await self._browsers.add_order(one.id, said.number, sealed.text, self._clock.now())\n"
            "        stopping = self._executor.stop(said.order, one.person.id)"
            " if isinstance(said.order, StopOrder) else None\n"
        ),
        tests=("tests/gateway/web/remote/test_orders.py::test_a_stop_holds_also_where_nothing_can_be_stored",),
    ),
    Mutant(
        name="an order for another home counts here",
        file="gateway/protocol/browser_token.py",
        old="return said if said.aud == home else TokenRejection.WRONG_AUDIENCE",
        new="return said",
        tests=(SIGNED,),
    ),
    Mutant(
        name="what lets somebody in counts while the time is not known",
        file="gateway/web/remote/orders.py",
        old="return CLOCK_UNTRUSTED if order.gives else None",
        new="return None",
        tests=(ORDERS,),
    ),
    Mutant(
        name="a browser outlives its person's old password",
        file="gateway/storage/sql/0007.sql",
        old="  device TEXT NOT NULL UNIQUE REFERENCES device (id) ON DELETE CASCADE,\n",
        new="  device TEXT NOT NULL UNIQUE ,\n",
        tests=(STORE,),
    ),
    Mutant(
        name="a browser outlives the end of its sign-in",
        file="gateway/storage/sessions.py",
        old='for table in ("browser", "push_subscription"):',
        new='for table in ("push_subscription",):',
        tests=(STORE,),
    ),
    Mutant(
        name="a hub may put a question again",
        file="gateway/web/remote/queries.py",
        old="if (asker.id, query.id) in seen:",
        new="if False:",
        tests=(ANSWERS,),
    ),
    Mutant(
        name="one home may let another's browser speak no longer",
        file="gateway/hub/boxes/box_events.py",
        old="this = update(browsers).filter_by(home=self.home.id, id=status.browser)",
        new="this = update(browsers).filter_by(id=status.browser)",
        tests=("tests/gateway/hub/api/test_household.py",),
    ),
    Mutant(
        name="any home may answer a household's question",
        file="gateway/hub/boxes/browser_relay.py",
        old="browser == HouseholdBrowser(home=home, browser=reply.browser) and",
        new="browser.browser == reply.browser and",
        tests=("tests/gateway/hub/api/test_household.py",),
    ),
    Mutant(
        name="a link to one visit shows the films of all",
        file="gateway/web/remote/queries.py",
        old="return self._clip(share.visit, path, person=None)",
        new='return self._clip(path.split("/")[-2] if path.count("/") else "", path, person=None)',
        tests=(SHARED,),
    ),
    Mutant(
        name="a link to a visit shows it after its time",
        file="gateway/storage/shares.py",
        old='" WHERE s.until > ? AND p.removed IS NULL"',
        new='" WHERE s.until > ?1 - 900000000000000000 AND p.removed IS NULL"',
        tests=(SHARED,),
    ),
    Mutant(
        name="a share that ended while its film was read is answered",
        file="gateway/web/remote/queries.py",
        old=(
            '                raise QueryRefused("not_allowed")\n'
            "        self._shared_visit(guest)  # it may have ended while the film was read\n"
            "        return answer\n"
        ),
        new='                raise QueryRefused("not_allowed")\n        return answer\n',
        tests=(SHARED,),
    ),
    Mutant(
        name="the hub is not told that a link is over",
        file="gateway/storage/sql/0023.sql",
        old="UPDATE uplink_browser SET told = 0 WHERE browser = OLD.id;",
        new="UPDATE uplink_browser SET told = 1 WHERE browser = OLD.id;",
        tests=("tests/gateway/storage/test_shares.py",),
    ),
)
