"""Faults in what reaches the owner's pocket: phones, what they are owed, and one-time links."""

from tests.mutants.mutant import Mutant

POCKET = "tests/gateway/runtime/notifications/test_queue.py"
PHONES = "tests/gateway/runtime/notifications/test_apprise.py"
OUTBOX = "tests/gateway/storage/test_outbox.py"
LINKS = "tests/gateway/runtime/notifications/test_action_links.py"
NOTICE = "tests/gateway/runtime/notifications/test_batching.py"

PUSH = "tests/gateway/runtime/notifications/test_web_push.py"

MUTANTS = (
    Mutant(
        name="a browser of somebody who was removed is told",
        file="gateway/runtime/notifications/web_push.py",
        old="        if subscription is None:\n            return SendResult.GONE\n",
        new="        subscription = subscription or self.subscription\n",
        tests=(f"{PUSH}::test_who_loses_access_is_told_nothing_from_that_moment_on",),
    ),
    Mutant(
        name="whoever knows a browser's address takes it over",
        file="gateway/storage/push_subscriptions.py",
        old="    if known not in (None, keys):",
        new="    if False:",
        tests=(f"{PUSH}::test_another_person_cannot_take_a_subscription_over_by_its_address_alone",),
    ),
    Mutant(
        name="a pushed picture is handed out again",
        file="gateway/runtime/notifications/pictures.py",
        old="self._kept.pop(token, None)",
        new="self._kept.get(token)",
        tests=(f"{PUSH}::test_a_picture_is_fetched_once_by_a_link_that_nobody_can_guess",),
    ),
    Mutant(
        name="a phone is told what it was not to be told",
        file="gateway/runtime/notifications/queue.py",
        old="if category(message.about) in muted]",
        new="if False]",
        tests=(f"{PUSH}::test_each_person_chooses_what_each_phone_is_told",),
    ),
    Mutant(
        name="a push service's redirect is followed",
        file="gateway/system/guarded_http.py",
        old="headers=headers, allow_redirects=False",
        new="headers=headers, allow_redirects=True",
        tests=(f"{PUSH}::test_a_redirect_is_not_followed",),
    ),
    Mutant(
        name="a message is owed to no phone",
        file="gateway/storage/outbox.py",
        old='    db.execute("INSERT INTO owed (phone, message) SELECT name, ? FROM phone", (number,))\n',
        new="",
        tests=(f"{OUTBOX}::test_each_phone_is_owed_each_message_until_it_has_it_over_restarts",),
    ),
    Mutant(
        name="two processes tell the same",
        file="gateway/storage/outbox.py",
        old=" AND message = ? AND (held <= ? OR held > ?)",
        new=" AND message = ? AND (1 OR held <= ? OR held > ?)",
        tests=(f"{OUTBOX}::test_who_takes_a_message_up_has_it_alone_for_its_time",),
    ),
    Mutant(
        name="a phone that failed is owed nothing any more",
        file="gateway/runtime/notifications/queue.py",
        old='        if result is SendResult.TAKEN:\n            log.info("phone_told"',
        new='        if result is not SendResult.SILENT:\n            log.info("phone_told"',
        tests=(f"{POCKET}::test_what_was_owed_is_told_after_a_restart_and_only_once",),
    ),
    Mutant(
        name="every phone is told in the house's language",
        file="gateway/runtime/notifications/queue.py",
        old="        language = language or self._home.language",
        new="        language = self._home.language",
        tests=(f"{POCKET}::test_each_phone_reads_its_own_language_also_of_what_the_disk_did_not_take",),
    ),
    Mutant(
        name="alarms are told together with others",
        file="gateway/runtime/notifications/batching.py",
        old="return message.urgent or message.about in SEPARATE_KINDS",
        new="return message.about in SEPARATE_KINDS",
        tests=(f"{NOTICE}::test_alarms_and_locked_again_are_never_told_with_others_for_a_day",),
    ),
    Mutant(
        name="what is late is told as if it were now",
        file="gateway/runtime/notifications/batching.py",
        old="    if not is_late(message, utc):",
        new="    if is_late(message, utc):",
        tests=(f"{NOTICE}::test_what_is_told_more_than_a_minute_later_says_since_when",),
    ),
    Mutant(
        name="a link counts twice",
        file="gateway/storage/outbox.py",
        old='now.utc < expires and db.insert("used_link", or_="IGNORE", nonce=nonce, expires=expires)',
        new='now.utc < expires and db.insert("used_link", or_="REPLACE", nonce=nonce, expires=expires)',
        tests=(f"{LINKS}::test_a_link_is_used_once_also_over_a_restart",),
    ),
    Mutant(
        name="a link that somebody wrote is taken",
        file="gateway/runtime/notifications/action_links.py",
        old="if not hmac.compare_digest(_mac(said, key), mac)",
        new="if len(mac) != 32",
        tests=(f"{LINKS}::test_another_boxs_link_does_nothing",),
    ),
    Mutant(
        name="a link never expires",
        file="gateway/runtime/notifications/action_links.py",
        old="    if now.utc >= expires:",
        new="    if now.utc > expires + purpose.lifetime:",
        tests=(f"{LINKS}::test_a_link_expires_to_the_second",),
    ),
    Mutant(
        name="an answer for a brand is offered after the owner has decided",
        file="gateway/runtime/notifications/queue.py",
        old="if permission is None or permission.standing is not PermissionStatus.PENDING:",
        new="if permission is None:",
        tests=(f"{POCKET}::test_a_brand_is_answered_for_only_while_nobody_has_decided",),
    ),
    Mutant(
        name="a library logs the phones' secrets",
        file="gateway/runtime/notifications/apprise.py",
        old="        logger.setLevel(logging.CRITICAL + 1)\n        logger.propagate = False\n",
        new="        logger.setLevel(logging.DEBUG)\n",
        tests=(f"{PHONES}::test_no_log_holds_anything_of_a_url_but_its_scheme",),
    ),
)
