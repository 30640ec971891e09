"""Faults in what keeps strangers and old databases from holding up, filling or fooling the hub."""

from tests.mutants.mutant import Mutant

LIMITS = "tests/gateway/system/test_http_limits.py"
FLOOD = "test_of_three_hundred_requests_sent_at_once_one_is_answered_and_the_connection_closed"
DOOR = "tests/gateway/hub/api/test_dispatch.py"
REVOKED_FLOOD = "test_a_flood_with_a_revoked_key_keeps_out_no_valid_key_and_no_health_check_of_that_address"
BEFORE = "test_an_address_that_asks_too_much_without_a_key_is_refused_before_any_key_is_looked_up"
HOME = "tests/gateway/hub/boxes/test_home_limits.py"
FLOODS = "test_a_home_that_floods_has_an_hour_s_ration_kept_and_is_reported_once_and_its_neighbour_is_heard"
STANDINGS = "tests/gateway/hub/api/test_standings.py"
SUPERSEDED = "test_a_home_s_word_of_a_version_that_was_changed_since_is_no_event_and_its_next_answer_is"
CHALLENGE = "tests/gateway/hub/webhooks/test_challenge.py"
NOTHING_BUT = "test_an_endpoint_of_a_sandbox_gets_nothing_but_a_challenge_until_it_has_answered_that"
PROOF = "tests/gateway/hub/api/test_proof.py"
NAMES = "test_a_proof_names_the_parcels_that_are_missing_as_far_as_the_home_s_account_tells"
BRANDS = "tests/gateway/hub/api/test_brands.py"
STORE = "tests/gateway/hub/database/test_store.py"
COLUMNS = "gateway/hub/database/alembic/versions/v0002_columns_since_the_first_day.py"
MIGRATIONS = "tests/gateway/hub/database/test_migrations.py"
UP_TO_DATE = "test_a_database_of_each_older_release_is_brought_up_to_date_and_keeps_all_that_it_had"
UPGRADED = "test_a_hub_that_was_upgraded_takes_writes_by_the_key_that_its_retailer_has_and_signs_by_the_old_secret"
NEVER_ASKED = (
    "test_an_endpoint_of_a_sandbox_that_an_older_hub_made_gets_nothing_but_a_challenge_until_it_has_answered_that"
)
SWITCHED_OFF = "test_an_endpoint_that_got_another_address_while_it_was_switched_off_has_to_answer_too"
UNKNOWN = "test_a_database_of_a_version_that_is_unknown_here_is_refused_in_words_and_left_as_it_is"
TOGETHER = "test_of_transactions_that_are_committed_together_one_that_fails_leaves_nothing_and_the_others_stay"
BY_ITSELF = "test_where_sqlite_has_undone_transactions_by_itself_none_of_them_counts_as_kept_and_later_ones_are"
ALONE = "test_a_transaction_that_sqlite_cannot_undo_is_not_committed_with_the_others_of_its_group"
POSTGRESQL = "tests/gateway/hub/database/test_postgresql.py"
KEPT = "test_a_transaction_uses_the_connection_of_the_one_before_and_another_if_the_server_has_ended_it"
FREE = "test_who_waits_gets_the_first_connection_that_becomes_free"
ROBOT = "tests/gateway/hub/sandbox/test_robot.py"
TWO_STORE = "test_an_event_that_two_processes_store_at_once_is_stored_once_and_acknowledged"
PLANS = "tests/gateway/hub/database/test_plans.py"
BURST = "test_jobs_that_come_at_once_are_not_read_over_and_over_whatever_postgresql_knew_of_their_table"
RETENTION = "tests/gateway/hub/deliveries/test_retention.py"
READYZ = "test_readyz_fails_with_an_older_databases_version_and_not_with_that_of_a_newer_hub_beside_it"

TLS = "tests/gateway/hub/http/test_tls.py"
THRESHOLD = "tests/gateway/hub/http/test_connection_limits.py"
PIECES = "test_of_all_that_a_client_sends_at_once_the_hub_parses_one_piece_in_a_turn"
OPENS = "test_who_opens_connection_after_connection_is_hung_up_on_and_another_address_and_a_proxy_are_not"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="what a connection sends is parsed in one turn, however much it is",
        file="gateway/system/http_limits.py",
        old="MAX_READ_BYTES = 2_048 ",
        new="MAX_READ_BYTES = 262_144 ",
        tests=(f"{THRESHOLD}::{PIECES}",),
    ),
    Mutant(
        name="one address opens as many connections of the hub as it likes, one after the other",
        file="gateway/hub/http/connection_limits.py",
        old="        if not all(limits.may_open(name, mono) for limits, name in self.limits_of(network)):",
        new="        if self.networks is None:",
        tests=(f"{THRESHOLD}::{OPENS}",),
    ),
    Mutant(
        name="requests that a client sent ahead begin in one turn of the loop",
        file="gateway/system/http_limits.py",
        old="        await started.take()\n",
        new="",
        tests=(f"{LIMITS}::{FLOOD}",),
    ),
    Mutant(
        name="a client may send ahead as many requests as it likes",
        file="gateway/system/http_limits.py",
        old="            protocol.close()  # after this answer; nothing more is read\n",
        new="            pass\n",
        tests=(f"{LIMITS}::{FLOOD}",),
    ),
    Mutant(
        name="whoever waited for a turn and left keeps everybody behind from theirs",
        file="gateway/system/http_limits.py",
        old="            if not turn.done():  # else the connection has gone meanwhile\n",
        new="            if turn is not None:\n",
        tests=(f"{LIMITS}::test_each_begins_in_a_turn_of_its_own_and_who_left_is_passed_over",),
    ),
    Mutant(
        name="a column that came later is not added to an older hub's database",
        file=COLUMNS,
        old='        "brand_keys": (sa.Column("vouched", sa.String(1000)),),\n',
        new="",
        tests=(f"{MIGRATIONS}::{UP_TO_DATE}",),
    ),
    Mutant(
        name="a retailer of an older database has events of one number twice",
        file=COLUMNS,
        old="    op.execute(_SET_EVENT_COUNTS)\n",
        new="",
        tests=(f"{MIGRATIONS}::{UP_TO_DATE}",),
    ),
    Mutant(
        name="an older hub's text column stays too short for a sealed secret",
        file=COLUMNS,
        old='    if getattr(secret["type"], "length", None) != 160:\n',
        new="    if secret is None:\n",
        tests=(f"{MIGRATIONS}::{UP_TO_DATE}",),
    ),
    Mutant(
        name="a database that no revision can bring up to date is opened all the same",
        file="gateway/hub/database/migrations.py",
        old="    missing = missing_columns(connection)\n    if missing:\n",
        new="    missing = missing_columns(connection)\n    if missing and before is None:\n",
        tests=(f"{MIGRATIONS}::test_a_database_from_before_is_refused_at_the_start_in_words_and_left_as_it_is",),
    ),
    Mutant(
        name="jobs that come at once are leased by a plan of the empty table",
        file="gateway/hub/database/postgresql.py",
        old='_REPLAN = "; SET LOCAL plan_cache_mode = force_custom_plan"',
        new='_REPLAN = "; SET LOCAL plan_cache_mode = auto"',
        tests=(f"{PLANS}::{BURST}",),
    ),
    Mutant(
        name="a job is deleted before the proof of its delivery",
        file="gateway/hub/deliveries/retention.py",
        old="(jobs.c.delivery.is_(None), jobs.c.expires < before,",
        new="(jobs.c.expires < before,",
        tests=(f"{RETENTION}::test_each_kind_of_data_is_deleted_after_its_own_time_and_not_a_day_before",),
    ),
    Mutant(
        name="a database of a newer hub is called damaged",
        file="gateway/hub/database/migrations.py",
        old="int(written) > int(newest_revision()):\n",
        new="int(written) > int(newest_revision()) + 9000:\n",
        tests=(f"{MIGRATIONS}::{UNKNOWN}",),
    ),
    Mutant(
        name="a hub says that it is ready with a database that has gone back to an older version",
        file="gateway/hub/database/store.py",
        old="            if revision is None or revision < newest_revision():",
        new="            if revision is None:",
        tests=(f"{MIGRATIONS}::{READYZ}",),
    ),
    Mutant(
        name="rows that name others that are not there are taken over",
        file="gateway/hub/database/migrations.py",
        old='exec_driver_sql("PRAGMA foreign_key_check")}\n',
        new='exec_driver_sql("SELECT 1 WHERE 1 = 2")}\n',
        tests=(f"{MIGRATIONS}::test_a_damaged_database_is_refused_in_words_that_name_what_is_damaged",),
    ),
    Mutant(
        name="a missing column passes for a database that is away for a moment",
        file="gateway/hub/database/store.py",
        old=("    if is_schema_fault(error):\n        return False\n"),
        new="",
        tests=(f"{MIGRATIONS}::test_a_column_that_is_gone_is_a_true_500_and_readyz_fails_until_it_is_back",),
    ),
    Mutant(
        name="a hub whose tables have faults says that it is ready",
        file="gateway/hub/database/store.py",
        old="            self._has_schema_fault = True\n            log.error(",
        new="            log.error(",
        tests=(f"{MIGRATIONS}::test_a_column_that_is_gone_is_a_true_500_and_readyz_fails_until_it_is_back",),
    ),
    Mutant(
        name="an endpoint of a sandbox that an older hub made counts as one that has answered",
        file="gateway/hub/database/alembic/versions/v0004_challenges_of_sandboxes.py",
        old="SET challenge = 'unsent' WHERE sandbox",
        new="SET challenge = 'unsent' WHERE FALSE",
        tests=(f"{MIGRATIONS}::{NEVER_ASKED}",),
    ),
    Mutant(
        name="an endpoint of a sandbox that an older hub made is never asked",
        file="gateway/hub/process.py",
        old=("                await issue_missing_challenges(tx, self.now())\n"),
        new="",
        tests=(f"{MIGRATIONS}::{NEVER_ASKED}",),
    ),
    Mutant(
        name="an endpoint that is given another address while it is switched off need not answer",
        file="gateway/hub/webhooks/queue.py",
        old=("    message = UNSENT_CHALLENGE\n    if row.enabled:\n"),
        new=("    message = None\n    if row.enabled:\n"),
        tests=(f"{CHALLENGE}::{SWITCHED_OFF}",),
    ),
    Mutant(
        name="the secrets of an older hub's endpoints stay readable in its database",
        file="gateway/hub/process.py",
        old="                await seal_plain_secrets(tx, self.key.seal)\n",
        new="                pass\n",
        tests=(f"{MIGRATIONS}::{UPGRADED}",),
    ),
    Mutant(
        name="whoever asks whether the store is well is answered for another who asks later",
        file="gateway/hub/database/store.py",
        old="        return asking.done() and asking.result()\n",
        new=(
            "        return self._health_query is not None and self._health_query.done() and "
            "self._health_query.result()\n"
        ),
        tests=(f"{STORE}::test_of_many_who_ask_at_once_whether_the_store_is_well_none_is_told_that_it_is_not",),
    ),
    Mutant(
        name="a stranger's reads have no ration",
        file="gateway/hub/api/dispatch.py",
        old="self.rate_limits.admit(self._address_of(request), authorization, kind)",
        new="pass",
        tests=(f"{DOOR}::{BEFORE}",),
    ),
    Mutant(
        name="an address that wrong keys come from shuts out the retailer whose key counts",
        file="gateway/hub/api/rate_limit.py",
        old=("        self._valid_credentials.pop(digest, None)\n        if are_valid:\n"),
        new=("        self._valid_credentials.pop(digest, None)\n        if False:\n"),
        tests=(f"{DOOR}::{BEFORE}",),
    ),
    Mutant(
        name="a flood of guesses shuts out a valid key of that address which was not used lately",
        file="gateway/hub/http/authentication.py",
        old="        return hmac.compare_digest(secret_digest(bearer[2]), self._list.get(bearer[1], bytes(32)))\n",
        new="        return False\n",
        tests=(f"{DOOR}::{REVOKED_FLOOD}",),
    ),
    Mutant(
        name="a key that is known by its id gets through whatever its secret is",
        file="gateway/hub/http/authentication.py",
        old="        return hmac.compare_digest(secret_digest(bearer[2]), self._list.get(bearer[1], bytes(32)))\n",
        new="        return bearer[1] in self._list\n",
        tests=(f"{DOOR}::{REVOKED_FLOOD}",),
    ),
    Mutant(
        name="the API's document is sent again to whoever has it",
        file="gateway/hub/api/openapi.py",
        old='        if known & {tag, "*"}:\n',
        new="        if known and not known:\n",
        tests=(f"{DOOR}::test_the_api_s_document_is_written_once_and_not_sent_again_to_who_has_it",),
    ),
    Mutant(
        name="a head of the hub's requests may have any size",
        file="gateway/hub/http/connection_limits.py",
        old="        if self._unparsed_bytes > MAX_HEAD_BYTES:\n",
        new="        if self._unparsed_bytes > MAX_HEAD_BYTES * 100:\n",
        tests=(f"{THRESHOLD}::test_a_head_without_end_is_refused_and_so_is_what_never_ends_after_a_body",),
    ),
    Mutant(
        name="the answer to a HEAD request is lost where its client has closed its sending side",
        file="gateway/hub/http/connection_limits.py",
        old="        if self._writes is not None:\n            self._writes.flush()\n",
        new="",
        tests=(f"{THRESHOLD}::test_who_says_at_once_that_it_sends_no_more_gets_its_answer",),
    ),
    Mutant(
        name="a connection to PostgreSQL that a firewall has long forgotten is used",
        file="gateway/hub/database/postgresql.py",
        old="time() - since < MAX_IDLE_S:",
        new="time() > since - MAX_IDLE_S:",
        tests=(f"{POSTGRESQL}::test_a_connection_that_was_idle_for_long_is_closed_instead_of_used",),
    ),
    Mutant(
        name="a transaction that could not be undone alone is committed with the others",
        file="gateway/hub/database/sqlite.py",
        old="            self._roll_back(connection)\n            self._end_group(error)\n            raise\n",
        new="            raise\n",
        tests=(f"{STORE}::{ALONE}",),
    ),
    Mutant(
        name="of what comes at once in several records of TLS the hub reads the first, and then what it read before",
        file="gateway/hub/http/connection_limits.py",
        old="        self._buffer = memoryview(bytearray(MAX_READ_BYTES))",
        new="        self._buffer = bytearray(MAX_READ_BYTES)",
        tests=(f"{TLS}::test_a_request_that_comes_at_once_in_several_records_is_read_as_it_was_sent",),
    ),
    Mutant(
        name="of what comes at once in several records of TLS a box reads the first, and then what it read before",
        file="gateway/system/http_limits.py",
        old="        self._buffer = memoryview(bytearray(MAX_READ_BYTES))",
        new="        self._buffer = bytearray(MAX_READ_BYTES)",
        tests=(f"{LIMITS}::test_what_comes_at_once_in_several_records_of_tls_is_read_as_it_was_sent",),
    ),
    Mutant(
        name="a client that leaves while it has sent a request ahead is a fault of the hub",
        file="gateway/hub/http/connection_limits.py",
        old="""
            self._served.disconnected = True
            self._served.message_event.set()
        super()""",
        new="""
            pass
        super()""",
        tests=(f"{TLS}::test_a_client_that_leaves_while_it_has_sent_a_request_ahead_is_no_fault_of_the_hub",),
    ),
    Mutant(
        name="while another process locks the file each request waits for it after those before",
        file="gateway/hub/database/sqlite.py",
        old="            if left_ms <= 0:\n                raise\n",
        new="            left_ms = BUSY_TIMEOUT_MS\n",
        tests=(f"{STORE}::test_while_another_process_locks_the_file_each_request_waits_its_own_ten_seconds_at_most",),
    ),
    Mutant(
        name="what follows a body is a header",
        file="gateway/hub/http/connection_limits.py",
        old="        if self._in_head:\n            super().on_header(name, value)\n",
        new="        super().on_header(name, value)\n",
        tests=(f"{THRESHOLD}::test_what_follows_a_body_is_no_header",),
    ),
    Mutant(
        name="the hub's connections may send ahead",
        file="gateway/hub/http/connection_limits.py",
        old="        if len(self.pipeline) >= MAX_WAITING_REQUESTS and self._served is not None:\n",
        new="        if self._served is None:\n",
        tests=(
            "tests/gateway/hub/http/test_connection_limits.py::test_five_thousand_requests_sent_at_once_hold_nobody_else_up",
        ),
    ),
    Mutant(
        name="of several who enrol a brand's last key at once each counts one fewer",
        file="gateway/hub/api/rows.py",
        old="wanted.with_for_update(key_share=True) if lock else wanted",
        new="wanted",
        tests=(f"{BRANDS}::test_of_six_that_enrol_the_tenth_key_at_once_one_does_and_no_brand_has_eleven",),
    ),
    Mutant(
        name="one home has as many events kept as it signs",
        file="gateway/hub/boxes/ingest.py",
        old='case "evt" if not self.rate_limits.allows(box.home.id, result.events, result.byte_count):',
        new='case "evt" if result.events < 0:',
        tests=(f"{HOME}::{FLOODS}",),
    ),
    Mutant(
        name="the bytes of a home's events are not counted",
        file="gateway/hub/boxes/home_limits.py",
        old="        return events < left.events and byte_count < left.byte_count\n",
        new="        return events < left.events\n",
        tests=(f"{HOME}::test_a_home_of_long_events_has_so_many_bytes_kept_in_an_hour",),
    ),
    Mutant(
        name="a home over its ration is reported with each event",
        file="gateway/hub/boxes/home_limits.py",
        old="        first, left.is_exceeded = not left.is_exceeded, True\n",
        new="        first, left.is_exceeded = True, True\n",
        tests=(f"{HOME}::{FLOODS}",),
    ),
    Mutant(
        name="the events of a home are kept without number",
        file="gateway/hub/boxes/ingest.py",
        old="await self.retention.prune(box.tx, box.home.id, box.seq)",
        new="pass",
        tests=(f"{HOME}::test_of_one_home_the_newest_events_are_kept_and_its_chain_goes_on",),
    ),
    Mutant(
        name="a home's newest event is forgotten and its next one follows nothing",
        file="gateway/hub/boxes/home_limits.py",
        old='home_events.c.at < bindparam("before"), home_events.c.seq < _SELECT_NEWEST',
        new='home_events.c.at < bindparam("before"), home_events.c.seq <= _SELECT_NEWEST',
        tests=(f"{HOME}::test_what_is_older_than_a_home_s_events_are_kept_goes_and_its_newest_stays",),
    ),
    Mutant(
        name="an event that is forgotten counts as forked when it comes again",
        file="gateway/hub/boxes/box_events.py",
        old="is_same = same is None or _digest_of",
        new="is_same = same is not None and _digest_of",
        tests=(f"{HOME}::test_of_one_home_the_newest_events_are_kept_and_its_chain_goes_on",),
    ),
    Mutant(
        name="on PostgreSQL whoever sends a request twice at once is answered a conflict",
        file="gateway/hub/api/dispatch.py",
        old="        with contextlib.suppress(IntegrityError):  # a concurrent",
        new="        with contextlib.nullcontext():  # a concurrent",
        tests=(f"{DOOR}::test_the_same_idempotency_key_gets_the_same_answer_and_does_it_once",),
    ),
    Mutant(
        name="a home's word of a version that was changed since is an event",
        file="gateway/protocol/delivery_state.py",
        old=("    return older and (result.state is None or result.state in _STATES_BEFORE_VISIT)\n"),
        new="    return older and newest < 0\n",
        tests=(f"{STANDINGS}::{SUPERSEDED}",),
    ),
    Mutant(
        name="a home's answer to a change is no event where an older word said the same",
        file="gateway/hub/boxes/box_events.py",
        old="after != before or is_answer or is_refusal or row.untold):",
        new="after != before or is_refusal):",
        tests=(f"{STANDINGS}::{SUPERSEDED}",),
    ),
    Mutant(
        name="what becomes of a visit is kept from its retailer while a change waits",
        file="gateway/protocol/delivery_state.py",
        old=("    return older and (result.state is None or result.state in _STATES_BEFORE_VISIT)\n"),
        new="    return older\n",
        tests=(f"{STANDINGS}::test_what_becomes_of_a_visit_is_an_event_also_while_a_change_waits_for_its_answer",),
    ),
    Mutant(
        name="an endpoint of a sandbox is sent events before it has answered its challenge",
        file="gateway/hub/webhooks/queue.py",
        old="    first = () if to.challenge is None else (messages.c.id == to.challenge,)\n",
        new="    first = ()\n",
        tests=(f"{CHALLENGE}::{NOTHING_BUT}",),
    ),
    Mutant(
        name="any answer of 2xx answers a challenge",
        file="gateway/hub/webhooks/connection.py",
        old="if result is WebhookResult.TAKEN and challenge is not None and not answers_challenge(shown, challenge):",
        new="if challenge is not None and shown is None:",
        tests=(f"{CHALLENGE}::{NOTHING_BUT}",),
    ),
    Mutant(
        name="a server that sends back all that it gets has answered a challenge",
        file="gateway/hub/webhooks/retry.py",
        old="    return said == challenge\n",
        new="    return said == challenge or challenge.encode() in body\n",
        tests=(f"{CHALLENGE}::test_a_challenge_is_answered_by_its_text_alone_and_not_by_an_echo_of_the_message",),
    ),
    Mutant(
        name="an endpoint of a sandbox that has another address is sent events there at once",
        file="gateway/hub/api/webhook_endpoints.py",
        old='    if row.sandbox and ("url" in then or ',
        new="    if row.sandbox and (",
        tests=(f"{CHALLENGE}::test_an_endpoint_that_has_another_address_has_to_answer_anew",),
    ),
    Mutant(
        name="an endpoint that never answered its challenge stays switched on",
        file="gateway/hub/webhooks/queue.py",
        old=('            await disable_endpoint(tx, to, "unverified", now)\n'),
        new="            pass\n",
        tests=(f"{CHALLENGE}::test_an_endpoint_that_never_answers_is_disabled_and_may_be_asked_again",),
    ),
    Mutant(
        name="sandboxes send to one host without bound",
        file="gateway/hub/webhooks/sender.py",
        old="                    if wait > 0:\n",
        new="                    if wait < 0:\n",
        tests=(f"{CHALLENGE}::test_all_sandboxes_together_send_so_much_to_one_host_and_nobody_else_waits_for_that",),
    ),
    Mutant(
        name="an endpoint of a sandbox is replayed as often as somebody likes",
        file="gateway/hub/api/webhook_endpoints.py",
        old=("    if row.sandbox and row.replayed is not None and now < row.replayed + MIN_REPLAY_INTERVAL:\n"),
        new="    if row.sandbox and row.replayed is not None and now < row.replayed:\n",
        tests=(f"{CHALLENGE}::test_an_endpoint_of_a_sandbox_has_one_replay_a_minute",),
    ),
    Mutant(
        name="a proof names parcels as missing that cannot be told",
        file="gateway/hub/deliveries/evidence.py",
        old="    return found if len(found) == told.statement.missing else None\n",
        new="    return found\n",
        tests=(f"{PROOF}::{NAMES}",),
    ),
    Mutant(
        name="perron verify believes whatever a proof names as missing",
        file="gateway/hub/deliveries/evidence.py",
        old="problem is None and named is not None and named != missing_parcels_of(",
        new="problem is None and named is not None and named is missing_parcels_of(",
        tests=(f"{PROOF}::{NAMES}",),
    ),
    Mutant(
        name="a transaction that fails undoes those that are committed together with it",
        file="gateway/hub/database/sqlite.py",
        old="            elif self._group is not None:  # a transaction that fails undoes its own changes only\n",
        new="            elif self._group is None:\n",
        tests=(f"{STORE}::{TOGETHER}",),
    ),
    Mutant(
        name="a transaction that SQLite has rolled back counts as kept if its caller did not raise the error",
        file="gateway/hub/database/sqlite.py",
        old=(
            '            error = sqlite3.OperationalError("SQLite has rolled the transaction back")\n'
            "            self._end_group(error)\n"
            '            raise _sqlalchemy_error("RELEASE", error)\n'
        ),
        new="            return self._group or _GroupCommit()\n",
        tests=(f"{STORE}::{BY_ITSELF}",),
    ),
    Mutant(
        name="a caller that is cancelled during a commit does not wait for it",
        file="gateway/hub/database/sqlite.py",
        old="            except asyncio.CancelledError as error:\n                cancelled = error\n",
        new="            except asyncio.CancelledError as error:\n                raise error\n",
        tests=(f"{STORE}::test_who_is_cancelled_during_a_commit_finds_it_committed",),
    ),
    Mutant(
        name="connections are kept though transactions wait for one",
        file="gateway/hub/database/postgresql.py",
        old="        if self._is_closed or self._waiting or len(",
        new="        if self._is_closed or len(",
        tests=(f"{POSTGRESQL}::{FREE}",),
    ),
    Mutant(
        name="a connection that the server has ended is used again",
        file="gateway/hub/database/postgresql.py",
        old="            if _is_open(connection):\n                if asyncio",
        new="            if connection is not None:\n                if asyncio",
        tests=(f"{POSTGRESQL}::{KEPT}",),
    ),
    Mutant(
        name="a piece of an answer waits for the next one",
        file="gateway/hub/http/connection_limits.py",
        old="            asyncio.get_running_loop().call_soon(self.flush)\n",
        new="            pass\n",
        tests=(f"{THRESHOLD}::test_who_waits_for_100_continue_before_it_sends_a_body_gets_it",),
    ),
    Mutant(
        name="all requests that wait begin in one turn of the loop",
        file="gateway/system/http_limits.py",
        old="        while self._waiting and granted < self._per_iteration:\n",
        new="        while self._waiting:\n",
        tests=(f"{LIMITS}::test_who_comes_in_the_turn_in_which_the_last_that_waited_begins_waits_for_the_next",),
    ),
    Mutant(
        name="an event of a home is stored once by each of two processes",
        file="gateway/hub/boxes/box_events.py",
        old="case((~_SAME_NUMBER, _NEW_EVENT",
        new="case((_SAME_NUMBER | ~_SAME_NUMBER, _NEW_EVENT",
        tests=("tests/gateway/hub/boxes/test_box_events.py::" + TWO_STORE,),
    ),
    Mutant(
        name="the robot of the sandbox stores after what was the newest event before it waited for the home",
        file="gateway/hub/sandbox/robot.py",
        old="            box.seq, box.head = await newest_event(tx, name)\n",
        new="",
        tests=(f"{ROBOT}::test_a_delivery_goes_on_if_another_process_stores_an_event_of_its_home_at_the_same_moment",),
    ),
)
