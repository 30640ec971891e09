"""Faults in the line between hub and box: what is lost, told twice, believed though it is forged."""

from tests.mutants.mutant import Mutant

HEARD = "tests/gateway/hub/boxes/test_box_events.py"
API = "tests/gateway/hub/api/test_deliveries.py"
DEAF = "tests/gateway/hub/boxes/test_stale_subscriptions.py"
SHARES = "tests/gateway/hub/cluster/test_shard_leases.py"
STORE = "tests/gateway/hub/database/test_store.py"
LOOKS = "test_another_process_that_looks_takes_nothing_away_also_where_the_hub_has_opened_its_file_twice"
DISPATCH = "tests/gateway/hub/boxes/test_dispatcher.py"
AT_LEAST_ONCE = "tests/gateway/hub/test_at_least_once.py"
SEALED = "tests/gateway/protocol/test_box_event.py"
STANDING = "tests/gateway/protocol/test_delivery_state.py"
FACTS = "tests/gateway/hub/test_brand_facts_through_hub.py"
FORMAT = "tests/gateway/storage/test_event_format.py"
JOURNAL = "tests/gateway/storage/test_hub_journal.py"
LINK = "tests/gateway/integrations/hub_client/test_session.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="a process that does not hear its own share takes over another's",
        file="gateway/hub/cluster/shard_leases.py",
        old=("            if unheard and self._own_since is not None and now - self._own_since >= SHARD_LEASE:\n"),
        new="            if unheard:\n",
        tests=(f"{SHARES}::test_a_process_that_does_not_hear_its_own_takes_nothing_over_and_loses_its_own",),
    ),
    Mutant(
        name="whoever took a share over keeps it when its own process is back",
        file="gateway/hub/cluster/shard_leases.py",
        old=(".where(shares.c.holder == self.assignment.number)\n"),
        new="\n",
        tests=(f"{SHARES}::test_a_share_whose_process_is_away_is_heard_by_one_other_until_it_is_back",),
    ),
    Mutant(
        name="a hub that opens its file once more gives its locks back",
        file="gateway/hub/database/store.py",
        old="    if not file.is_file():\n",
        new="    if file:\n",
        tests=(f"{STORE}::{LOOKS}",),
    ),
    Mutant(
        name="a home that came anew a moment ago is cut off as one that hears nothing",
        file="gateway/hub/boxes/presence.py",
        old=", or_(homes.c.heard.is_(None), homes.c.heard < since))\n            row",
        new=")\n            row",
        tests=(f"{DEAF}::test_a_home_that_came_anew_or_hears_again_or_was_revoked_keeps_what_it_has",),
    ),
    Mutant(
        name="an event that the box did not sign is kept",
        file="gateway/protocol/jws.py",
        old="return parts.payload if signature_holds(token, kind.alg, key) else RejectionCode.WRONG_SIGNATURE",
        new="return parts.payload",
        tests=(SEALED, f"{HEARD}::test_forged_and_forked_events_change_nothing"),
    ),
    Mutant(
        name="an event may follow another one than it says",
        file="gateway/hub/boxes/box_events.py",
        old="        if event.prev != self.head:\n",
        new="        if not event.prev:\n",
        tests=(f"{HEARD}::test_forged_and_forked_events_change_nothing",),
    ),
    Mutant(
        name="an event that came before its predecessor is kept",
        file="gateway/hub/boxes/box_events.py",
        old="        if event.seq > self.seq + 1:\n",
        new="        if event.seq > self.seq + 2:\n",
        tests=(f"{HEARD}::test_events_are_kept_in_order_and_twice_is_once",),
    ),
    Mutant(
        name="a box speaks of another home's deliveries",
        file="gateway/hub/boxes/box_events.py",
        old='    deliveries.c.home == bindparam("home"), deliveries.c.brand == bindparam("brand"),\n',
        new='    deliveries.c.brand == bindparam("brand"),\n',
        tests=(f"{HEARD}::test_a_home_says_nothing_of_another_home_s_delivery",),
    ),
    Mutant(
        name="another home's receipt ends a job",
        file="gateway/hub/boxes/box_events.py",
        old=('_THIS_JOB = (jobs.c.id == bindparam("job"), jobs.c.home == bindparam("whose"))\n'),
        new=('_THIS_JOB = (jobs.c.id == bindparam("job"),)\n'),
        tests=(f"{HEARD}::test_a_job_is_gone_only_when_its_own_box_says_that_it_has_it",),
    ),
    Mutant(
        name="how soon a signed question ends tells what the home knows of others",
        file="gateway/hub/deliveries/connections.py",
        old="    if asking is None or asking.connection is None or asking.signed is not None:\n",
        new="    if asking is None or asking.connection is None:\n",
        tests=(f"{HEARD}::test_a_question_that_its_brand_should_have_signed_is_over_once_a_home_refused_it_unseen",),
    ),
    Mutant(
        name="a home that may think otherwise by now is answered for",
        file="gateway/hub/api/deliveries.py",
        old="homes.c.revoked.is_(None), or_(homes.c.there, homes.c.sandbox))",
        new="homes.c.revoked.is_(None))",
        tests=(f"{API}::test_where_the_permission_may_be_another_by_now_the_home_is_asked",),
    ),
    Mutant(
        name="any key that a hello brings is believed",
        file="gateway/hub/boxes/box_events.py",
        old="    return keys[-1] if known in keys[:-1] else None\n",
        new="    return keys[-1] if keys else None\n",
        tests=(f"{HEARD}::test_a_box_s_new_key_is_believed_because_the_old_one_signed_it",),
    ),
    Mutant(
        name="what the broker took is never rung again",
        file="gateway/hub/boxes/dispatcher.py",
        old="JOB_RETRIES = RetrySchedule((15, 30, 60, 120, 240, 480, 600))",
        new="JOB_RETRIES = RetrySchedule((1e6, 1e6))",
        tests=(f"{AT_LEAST_ONCE}::test_an_item_is_sent_again_at_the_documented_times_until_it_is_taken",),
    ),
    Mutant(
        name="an item that is sent is not put off",
        file="gateway/hub/at_least_once.py",
        old=".values({due.name: until, **taken})",
        new=".values({due.name: NOW, **taken})",
        tests=(f"{AT_LEAST_ONCE}::test_what_is_stored_together_goes_in_its_order_and_once_though_two_processes_send",),
    ),
    Mutant(
        name="two hubs on one PostgreSQL wait for each other's items",
        file="gateway/hub/at_least_once.py",
        old="chosen = rows.with_for_update(key_share=True, skip_locked=True, of=table)",
        new="chosen = rows.with_for_update(key_share=True, of=table)",
        tests=(f"{AT_LEAST_ONCE}::test_a_process_takes_what_no_other_has_locked_and_chooses_once",),
    ),
    Mutant(
        name="the delays between the tries of an item do not grow",
        file="gateway/system/backoff.py",
        old="self.delays_s[min(attempts, len(self.delays_s)) - 1]",
        new="self.delays_s[0]",
        tests=(f"{AT_LEAST_ONCE}::test_an_item_is_sent_again_at_the_documented_times_until_it_is_taken",),
    ),
    Mutant(
        name="a queue waits for its interval though it was woken",
        file="gateway/hub/at_least_once.py",
        old="await self._is_woken.wait()",
        new="await asyncio.sleep(pause + 1)",
        tests=(f"{AT_LEAST_ONCE}::test_a_loop_looks_when_it_is_woken_and_less_and_less_often_when_it_finds_nothing",),
    ),
    Mutant(
        name="an event that another process stores at this moment counts as a fault",
        file="gateway/hub/boxes/ingest.py",
        old="            except IntegrityError:  # another process has stored one of the events at this moment\n"
        "                await self._store_batch(name, messages, effects=effects)\n",
        new="            except IntegrityError:\n                raise\n",
        tests=(
            "tests/gateway/hub/boxes/test_box_events.py::test_an_event_that_two_processes_store_at_once_is_stored_once_and_acknowledged",
        ),
    ),
    Mutant(
        name="nobody was there outlives a hello",
        file="gateway/hub/at_least_once.py",
        old='table.c.id == bindparam("row"), due == UNTIL)',
        new='table.c.id == bindparam("row"), UNTIL.is_not(None))',
        tests=(f"{DISPATCH}::test_a_box_that_says_hello_while_it_is_rung_at_is_rung_at_again_at_once",),
    ),
    Mutant(
        name="a change is rung before what it changes",
        file="gateway/hub/boxes/dispatcher.py",
        old="jobs.c.expires > NOW, ~_OF_DELIVERY_BEFORE.exists()),",
        new="jobs.c.expires > NOW),",
        tests=(f"{DISPATCH}::test_a_change_is_not_rung_before_the_box_has_what_it_changes",),
    ),
    Mutant(
        name="a retailer learns that somebody is home",
        file="gateway/protocol/delivery_state.py",
        old=("    return reason if reason in PUBLIC_REASONS else None\n"),
        new="    return reason\n",
        tests=(STANDING,),
    ),
    Mutant(
        name="how an entrance is doing leaves the house",
        file="gateway/storage/hub_journal.py",
        old='dict.fromkeys(("lacking", "why", *unread))',
        new='dict.fromkeys(("why", *unread))',
        tests=(f"{JOURNAL}::test_how_an_entrance_is_doing_stays_in_the_house",),
    ),
    Mutant(
        name="an older hub gets a key that it refuses",
        file="gateway/storage/hub_journal.py",
        old="unread = _SINCE_FORMAT_2 if _event_format(db) == 1 else ()",
        new="unread = ()",
        tests=(f"{FORMAT}::test_the_hub_of_the_release_before_reads_every_event_of_today_s_box",),
    ),
    Mutant(
        name="what waits for an older hub keeps the later keys",
        file="gateway/storage/hub_journal.py",
        old="is_older = wanted < _event_format(db)",
        new="is_older = wanted > _event_format(db)",
        tests=(f"{FORMAT}::test_events_that_wait_for_a_hub_are_taken_back_if_an_older_one_came_in_its_place",),
    ),
    Mutant(
        name="a refused change moves a delivery back",
        file="gateway/storage/offers.py",
        old='"house", "custody", "moved_to", "more_time"',
        new='"house", "more_time"',
        tests=(f"{FORMAT}::test_a_hub_that_publishes_nothing_gets_format_1_and_a_later_one_everything",),
    ),
    Mutant(
        name="every hub gets the newest format",
        file="gateway/integrations/hub_client/session.py",
        old="set_event_format(1 if speaks is None else speaks.events)",
        new="set_event_format(2 if speaks is None else speaks.events)",
        tests=(f"{LINK}::test_a_hub_gets_events_in_the_format_that_it_publishes",),
    ),
    Mutant(
        name="a hub of before gets an answer to a brand",
        file="gateway/storage/hub_journal.py",
        old='        content.pop("answer", None)',
        new='        content.get("answer", None)',
        tests=(f"{FORMAT}::test_an_answer_to_a_brand_is_left_out_for_a_hub_that_does_not_read_it",),
    ),
    Mutant(
        name="a brand that is not let in reads its facts",
        file="gateway/runtime/brand_messages.py",
        old="if permission is None or permission.standing is not PermissionStatus.GRANTED:",
        new="if permission is None:",
        tests=(f"{FACTS}::test_what_the_owner_does_not_want_is_refused_and_another_s_question_is_not_sent",),
    ),
    Mutant(
        name="facts are shared although the owner refuses",
        file="gateway/runtime/brand_messages.py",
        old='"facts_not_shared" if isinstance(message, FactsQuery) and not is_shared else None',
        new='"facts_not_shared" if isinstance(message, FactsQuery) and is_shared is None else None',
        tests=(f"{FACTS}::test_an_owner_who_shares_no_facts_still_reads_a_comment",),
    ),
    Mutant(
        name="facts do not name the query that they answer",
        file="gateway/runtime/brand_messages.py",
        old="comment=comment, answers=query.jti)",
        new="comment=comment, answers=None)",
        tests=(f"{FACTS}::test_a_brand_reads_its_own_facts_and_comments_and_the_box_has_signed_both_answers",),
    ),
    Mutant(
        name="a brand reads another brand's facts",
        file="gateway/protocol/brand_messages.py",
        old="    return rejection_of(claims, key, audiences, now) or claims\n",
        new="    return claims\n",
        tests=(f"{FACTS}::test_a_hub_can_forge_or_alter_neither_the_question_nor_the_comment",),
    ),
    Mutant(
        name="facts of another brand are shown",
        file="gateway/hub/deliveries/brand_messages.py",
        old="(claims.iss, claims.sub) == (home.id, brand)",
        new="(claims.iss, brand) == (home.id, brand)",
        tests=(f"{FACTS}::test_a_home_s_answer_that_is_about_another_brand_is_not_shown",),
    ),
    Mutant(
        name="a hub hears of brands that never came by it",
        file="gateway/storage/hub_journal.py",
        old="JOIN permission p ON p.brand = u.brand WHERE",
        new="JOIN permission p ON p.brand != u.brand WHERE",
        tests=(JOURNAL,),
    ),
    Mutant(
        name="a message twice is told twice",
        file="gateway/storage/hub_journal.py",
        old="        if heard:\n            return answer\n",
        new="",
        tests=(f"{JOURNAL}::test_an_answered_message_is_one_event_however_often_it_comes",),
    ),
    Mutant(
        name="a fork is never mended",
        file="gateway/storage/hub_journal.py",
        old=("    _renumber(db, signer, ack.seq, ack.head)\n"),
        new="",
        tests=(JOURNAL,),
    ),
    Mutant(
        name="what may be believed later is refused for good",
        file="gateway/runtime/inbox.py",
        old=("        if isinstance(verified, RejectedMessage) and verified.code in TRANSIENT_REJECTIONS:\n"),
        new=("        if isinstance(verified, RejectedMessage) and not verified.code:\n"),
        tests=(f"{LINK}::test_what_no_receipt_can_be_given_for_is_refused_or_left_for_later",),
    ),
)
