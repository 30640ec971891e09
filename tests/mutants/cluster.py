"""Faults in what a cluster's nodes are told of homes: who comes that must not, who is kept out that counts."""

from tests.mutants.mutant import Mutant

ACCOUNTS = "tests/gateway/hub/cluster/test_accounts.py"
RIGHTS = "test_rights_that_another_hub_wrote_otherwise_are_written_anew_and_right_ones_are_left"
NODES = "tests/gateway/hub/cluster/test_management_api.py"
LINES = "tests/gateway/mqtt/test_publisher.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="a certificate that has ended keeps its account",
        file="gateway/hub/cluster/accounts.py",
        old="self._delete([name for name, counts in changed.items() if not counts])",
        new="self._delete([])",
        tests=(f"{ACCOUNTS}::test_who_joins_or_is_revoked_is_told_at_the_next_look_and_once",),
    ),
    Mutant(
        name="what another hub wrote late is never seen",
        file="gateway/hub/cluster/accounts.py",
        old="min(self._checked, now) - CHECK_OVERLAP)",
        new="min(self._checked, now))",
        tests=(f"{ACCOUNTS}::test_what_another_hub_wrote_late_or_by_another_clock_is_seen_all_the_same",),
    ),
    Mutant(
        name="an account whose rights were not told counts as told",
        file="gateway/hub/cluster/accounts.py",
        old=(
            "        return name in known and may and topic.get(name) == "
            'RabbitTopicPermission(**due["topic_permissions"])\n'
        ),
        new="        return name in known and may\n",
        tests=(f"{ACCOUNTS}::{RIGHTS}",),
    ),
    Mutant(
        name="an account may come in before its topics are told",
        file="gateway/hub/cluster/accounts.py",
        old='(("users", "topic_permissions"), ("permissions",))',
        new='(("users", "permissions"), ("topic_permissions",))',
        tests=(f"{ACCOUNTS}::test_who_joins_or_is_revoked_is_told_at_the_next_look_and_once",),
    ),
    Mutant(
        name="an account goes before its last words are said",
        file="gateway/hub/cluster/accounts.py",
        old="if self._monotonic() - since >= REMOVAL_DELAY_S",
        new="if self._monotonic() - since >= 0",
        tests=(f"{ACCOUNTS}::test_what_one_may_say_stays_until_its_last_words_are_said_and_then_its_account_ends",),
    ),
    Mutant(
        name="a home may speak on what begins as its own topics do",
        file="gateway/hub/cluster/accounts.py",
        old=r"|said\.[a-z0-9-]{{1,64}})\z",
        new=r"|said\.[a-z0-9-]{{1,64}})",
        tests=(f"{ACCOUNTS}::test_a_home_speaks_and_hears_under_its_own_name_only",),
    ),
    Mutant(
        name="a node that is away is asked first again",
        file="gateway/hub/cluster/management_api.py",
        old=("            else:\n                self._last_host = host\n"),
        new="            else:\n                pass\n",
        tests=(f"{NODES}::test_a_node_that_is_away_costs_nothing_but_a_try_and_the_one_that_answered_is_asked_first",),
    ),
    Mutant(
        name="any server is told the password",
        file="gateway/hub/cluster/management_api.py",
        old="        tls.load_cert_chain(own",
        new="        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE\n        tls.load_cert_chain(own",
        tests=(f"{NODES}::test_a_node_that_the_nodes_own_authority_has_not_certified_is_told_no_password",),
    ),
    Mutant(
        name="every line hears by the same quality",
        file="gateway/mqtt/client.py",
        old="            self._session_count += 1\n",
        new="",
        tests=(f"{LINES}::test_a_line_that_comes_again_hears_by_the_next_of_its_qualities",),
    ),
)
