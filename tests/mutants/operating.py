"""Faults in what an operator does with a hub: suspend, limit, put a backup back, replace its certificate."""

from tests.mutants.mutant import Mutant

RETAILERS = "tests/gateway/hub/operation/test_retailers.py"
BACKUP = "tests/gateway/hub/operation/test_backup.py"
TLS = "tests/gateway/hub/http/test_tls.py"

_SUSPENDED = f"{RETAILERS}::test_a_suspended_retailer_is_refused_in_a_word_of_its_own_and_resumed_with_the_same_key"
_REVOKED = f"{BACKUP}::test_nothing_that_was_revoked_after_the_backup_counts_after_it_was_put_back"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="a suspended retailer's key counts",
        file="gateway/hub/http/authentication.py",
        old="    if row.suspended is not None:\n",
        new="    if False:\n",
        tests=(_SUSPENDED,),
    ),
    Mutant(
        name="an open stream goes on for a suspended retailer",
        file="gateway/hub/api/sse.py",
        old="api_keys.c.revoked.is_(None), retailers.c.suspended.is_(None), alive",
        new="api_keys.c.revoked.is_(None), alive",
        tests=(_SUSPENDED,),
    ),
    Mutant(
        name="webhooks go out to a suspended retailer",
        file="gateway/hub/webhooks/queue.py",
        old="_IS_PAUSED = endpoints.c.retailer.in_(select(retailers.c.id).where(retailers.c.suspended.is_not(None)))\n",
        new="_IS_PAUSED = endpoints.c.retailer.in_(select(retailers.c.id).where(retailers.c.id.is_(None)))\n",
        tests=(
            f"{RETAILERS}::test_webhooks_of_a_suspended_retailer_wait_and_all_come_in_their_order_when_it_is_resumed",
        ),
    ),
    Mutant(
        name="a restored database is not compared with the list of revocations",
        file="gateway/hub/operation/journal.py",
        old="        missing = await apply(self._store, counting, now)\n",
        new="        missing = 0\n",
        tests=(f"{BACKUP}::test_a_database_that_was_put_back_by_hand_is_brought_up_to_the_list_at_the_start",),
    ),
    Mutant(
        name="the broker is not told of a certificate that a restored database does not know",
        file="gateway/hub/boxes/broker.py",
        old="        wanted = {int(row.object, 16): row.at for row in (await tx.execute(elsewhere)).all()}\n",
        new="        wanted = {int(row.object, 16): row.at for row in (await tx.execute(elsewhere)).all()[:0]}\n",
        tests=(_REVOKED,),
    ),
    Mutant(
        name="a hub starts in a folder that is restored by half",
        file="gateway/hub/operation/folder.py",
        old="        if (folder / RESTORE_MARK).exists():\n",
        new="        if False:\n",
        tests=(f"{BACKUP}::test_no_hub_starts_in_a_folder_that_is_restored_by_half_and_the_next_restore_finishes_it",),
    ),
    Mutant(
        name="an expired certificate takes the place of a good one",
        file="gateway/hub/http/tls.py",
        old="        if expires <= self._now():\n",
        new="        if False:\n",
        tests=(f"{TLS}::test_a_renewed_certificate_is_shown_within_seconds_and_a_broken_one_never",),
    ),
)
