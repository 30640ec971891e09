"""Faults of deliveries and events at the hub."""

from tests.mutants.mutant import Mutant

_ACCOUNT = (
    "tests/gateway/storage/test_delivery_records.py"
    "::test_parcels_the_door_and_how_cold_it_was_are_told_and_nothing_of_the_household"
)
_API = "tests/gateway/hub/api/"
_TRANSACTION = "tests/gateway/hub/database/test_transaction.py"
MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="one retailer reads another's deliveries",
        file="gateway/hub/api/rows.py",
        old="return and_(table.c.retailer == retailer, table.c.sandbox == sandbox)",
        new="return and_(table.c.sandbox == sandbox)",
        tests=(f"{_API}test_roles.py",),
    ),
    Mutant(
        name="a carrier's key sees the deliveries of another carrier",
        file="gateway/hub/api/rows.py",
        old="return and_(mine, brought) if table is deliveries else false()",
        new="return mine if table is deliveries else false()",
        tests=(f"{_API}test_carrier_keys.py",),
    ),
    Mutant(
        name="the items of a batch are not counted",
        file="gateway/hub/api/rate_limit.py",
        old="items * item.seconds / item.amount",
        new="0 * item.seconds / item.amount",
        tests=(f"{_API}test_batches.py",),
    ),
    Mutant(
        name="what a refused item of a batch would still have written is tried and spoils the others",
        file="gateway/hub/database/savepoint.py",
        old="    except undone_by:\n        tx.forget_waiting()\n        await tx.execute(_UNDO)\n",
        new="    except undone_by:\n        await tx.execute(_UNDO)\n",
        tests=(f"{_TRANSACTION}::test_what_waits_in_a_block_that_is_undone_is_not_done",),
    ),
    Mutant(
        name="what a refused item of a batch wrote is kept",
        file="gateway/hub/database/savepoint.py",
        old="""
    except undone_by:
        tx.forget_waiting()
        await tx.execute(_UNDO)
        await tx.execute(_KEEP)
        raise
""",
        new="""
    except undone_by:
        tx.forget_waiting()
        await tx.execute(_KEEP)
        raise
""",
        tests=(f"{_API}test_batches.py",),
    ),
    Mutant(
        name="the owner is told each minute when the courier comes",
        file="gateway/storage/arrivals.py",
        old="MIN_TOLD_SHIFT = timedelta(minutes=30)",
        new="MIN_TOLD_SHIFT = timedelta(0)",
        tests=("tests/gateway/storage/test_arrivals.py",),
    ),
    Mutant(
        name="a home is sent each change of the time when the courier comes",
        file="gateway/hub/api/couriers.py",
        old="MIN_SHIFT = timedelta(minutes=5)",
        new="MIN_SHIFT = timedelta(0)",
        tests=("tests/gateway/hub/test_versions_through_hub.py",),
    ),
    Mutant(
        name="the box takes an order for another address",
        file="gateway/storage/offers.py",
        old="if refusal is None and is_other_address(self.context.told_address.address, order.expected_address):",
        new="if False:",
        tests=("tests/gateway/storage/test_addresses.py",),
    ),
    Mutant(
        name="the page of an earlier courier's code is shown",
        file="gateway/hub/courier/page.py",
        old='row.promise.get("courier_sha256") != row.page_code',
        new="row.page_code is None",
        tests=(f"{_API}test_couriers.py",),
    ),
    Mutant(
        name="a carrier reads the retailer's metadata in the answer about a new code",
        file="gateway/hub/api/deliveries.py",
        old="shown = _shown_facts(row, None if is_carrier else row.metadata)",
        new="shown = _shown_facts(row, row.metadata)",
        tests=(f"{_API}test_couriers.py",),
    ),
    Mutant(
        name="a key of the sandbox reads real deliveries",
        file="gateway/hub/api/rows.py",
        old="return and_(table.c.retailer == retailer, table.c.sandbox == sandbox)",
        new="return and_(table.c.retailer == retailer)",
        tests=(f"{_API}test_roles.py",),
    ),
    Mutant(
        name="what the hub signs is of the brands' type",
        file="gateway/protocol/jws.py",
        old='HUB_DELIVERY = TokenKind("perron-hub-delivery+jwt", _BY_ENROLLED_KEY)',
        new='HUB_DELIVERY = TokenKind("perron-delivery+jwt", _BY_ENROLLED_KEY)',
        tests=(f"{_API}test_deliveries.py::test_no_box_takes_what_the_hub_signed_for_a_brand_s_own_word",),
    ),
    Mutant(
        name="a version that the home refused counts",
        file="gateway/hub/deliveries/orders.py",
        old="promised = (mine, delivery_versions.c.refused.is_(False),",
        new="promised = (mine, delivery_versions.c.version > 0,",
        tests=(f"{_API}test_standings.py::test_a_change_that_came_too_late_leaves_what_was_promised_before",),
    ),
    Mutant(
        name="what nobody has let in is sent",
        file="gateway/hub/api/deliveries.py",
        old='held, id_, promise = connection.state == "pending",',
        new="held, id_, promise = False,",
        tests=(f"{_API}test_deliveries.py::test_what_waits_for_a_permission_is_sent_once_it_is_given",),
    ),
    Mutant(
        name="a stream goes on under a revoked key",
        file="gateway/hub/api/sse.py",
        old="if await tx.scalar(valid) is not None:",
        new="if await tx.scalar(valid) is not False:",
        tests=(f"{_API}test_events.py::test_a_revoked_key_s_stream_ends",),
    ),
    Mutant(
        name="a proof tells more than a retailer may know",
        file="gateway/hub/deliveries/evidence.py",
        old="if statement.reason is not None and statement.reason not in PUBLIC_REASONS:",
        new="if statement.reason is not None and statement.reason in PUBLIC_REASONS:",
        tests=(f"{_API}test_proof.py::test_a_proof_tells_nothing_of_the_household_of_others_or_of_a_film",),
    ),
    Mutant(
        name="a proof's plain words are not held against what was signed",
        file="gateway/hub/deliveries/evidence.py",
        old="if not same or [renormalise(one)",
        new="if [renormalise(one)",
        tests=(f"{_API}test_proof.py::test_nothing_in_a_proof_can_be_changed",),
    ),
    Mutant(
        name="any message of a version stands for the one that the home took",
        file="gateway/hub/deliveries/evidence.py",
        old="if token_digest(message.token.encode()) == digest]",
        new="if message.token]",
        tests=(f"{_API}test_proof.py::test_another_message_under_the_same_key_is_not_the_one_that_the_home_took",),
    ),
    Mutant(
        name="the account of a change's bytes names the first promise's",
        file="gateway/storage/offers.py",
        old='        " signed_by = excluded.signed_by, message = excluded.message,"\n',
        new='        " signed_by = excluded.signed_by,"\n',
        tests=(
            "tests/gateway/storage/test_delivery_records.py::test_it_names_the_bytes_of_the_message_that_was_taken_last",
        ),
    ),
    Mutant(
        name="a line of an account may be left out at the end",
        file="gateway/protocol/delivery_record.py",
        old="if found is None and len(lines) != statement.lines:",
        new="if found is None and len(lines) > statement.lines:",
        tests=(
            "tests/gateway/protocol/test_delivery_record.py::test_a_line_that_was_left_out_is_named_in_the_middle_and_at_the_end",
        ),
    ),
    Mutant(
        name="an account tells of the door what is the household's",
        file="gateway/protocol/delivery_record.py",
        old="        if self._house is None:",
        new="        if True:",
        tests=(_ACCOUNT,),
    ),
    Mutant(
        name="an account lacks the parcel that was read before the courier's code",
        file="gateway/storage/delivery_records.py",
        old='    steps = [row for row in rows if row["kind"] == "step"]\n',
        new="    steps = list[object]()\n",
        tests=(_ACCOUNT,),
    ),
)
