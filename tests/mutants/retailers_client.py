"""Faults in the retailer's client: what is announced twice, lost, believed unsigned, or sent where others read it."""

from tests.mutants.mutant import Mutant

RETRIES = "tests/gateway/hub/sdk/test_retries.py"
RESTARTS = "tests/gateway/hub/sdk/test_restarts.py"
SIGNING = "tests/gateway/hub/sdk/test_signing.py"
CLIENT = "tests/gateway/hub/sdk/test_client.py"
WATCH = "tests/gateway/cli/test_retailer.py::test_watch_comes_back_by_itself_and_loses_nothing_while_the_hub_was_away"
REQUEST = "gateway/hub/sdk/request.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="each try of a request has an Idempotency-Key of its own",
        file=REQUEST,
        old="            outcome = yield send\n",
        new="            outcome = yield request.to_send(new_key)\n",
        tests=(f"{RETRIES}::test_an_order_whose_answer_is_lost_again_and_again_is_announced_once",),
    ),
    Mutant(
        name="a request that may have taken effect is sent again whatever it does",
        file=REQUEST,
        old="return silent, request.is_repeatable or not arrived, 0.0",
        new="return silent, True, 0.0",
        tests=(f"{RETRIES}::test_what_may_have_happened_is_said_where_a_repetition_cannot_tell",),
    ),
    Mutant(
        name="a refusal after a lost answer does not say that the request may have taken effect",
        file=REQUEST,
        old="error = refusal(status, outcome.body, maybe_done=maybe_done)",
        new="error = refusal(status, outcome.body)",
        tests=(f"{RETRIES}::test_what_may_have_happened_is_said_where_a_repetition_cannot_tell",),
    ),
    Mutant(
        name="the client comes back before the time that the hub names",
        file=REQUEST,
        old="return error, passes, _retry_after_s(outcome, now)",
        new="return error, passes, 0.0",
        tests=(f"{RETRIES}::test_it_waits_for_as_long_as_the_hub_asks",),
    ),
    Mutant(
        name="a stream that broke begins again where it had begun",
        file=REQUEST,
        old='"Last-Event-ID": str(reader.last_event_id)',
        new='"Last-Event-ID": str(after)',
        tests=(WATCH,),
    ),
    Mutant(
        name="a webhook's message is read without a look at its signature",
        file="gateway/hub/sdk/webhook.py",
        old="        self.verify(body, headers)\n        try:\n",
        new="        try:\n",
        tests=(f"{RESTARTS}::test_a_webhook_s_message_is_read_as_what_it_is_and_an_altered_one_is_refused",),
    ),
    Mutant(
        name="an order does not list what it needs",
        file="gateway/hub/sdk/signing.py",
        old='fields["needs"] = used',
        new='fields["needs"] = []',
        tests=(f"{SIGNING}::test_a_home_reads_each_field_of_the_second_version_and_the_features_that_it_needs",),
    ),
    Mutant(
        name="an API key is sent in the clear",
        file="gateway/hub/sdk/client.py",
        old='if parts.scheme == "http" and not _is_this_machine(parts.hostname):',
        new="if not parts.hostname:",
        tests=(f"{CLIENT}::test_an_address_that_is_none_or_would_tell_the_key_is_refused",),
    ),
    Mutant(
        name="a key stands in a log",
        file="gateway/hub/sdk/model.py",
        old='yield name, "..." if name in _SECRETS else value',
        new="yield name, value",
        tests=("tests/gateway/hub/sdk/test_whole_flow.py::test_a_retailer_s_day_with_a_client_that_blocks",),
    ),
)
