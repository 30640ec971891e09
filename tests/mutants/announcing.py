"""Faults of deliveries and events at the hub."""

from tests.mutants.words import Mutant

_API = "tests/gateway/hub/api/"
MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="one retailer reads another's deliveries",
        file="gateway/hub/api/deliveries.py",
        old="return and_(deliveries.c.retailer == call.who.retailer, deliveries.c.sandbox == call.who.sandbox)",
        new="return and_(deliveries.c.sandbox == call.who.sandbox)",
        tests=(f"{_API}test_roles.py",),
    ),
    Mutant(
        name="a key of the sandbox reads real deliveries",
        file="gateway/hub/api/deliveries.py",
        old="return and_(deliveries.c.retailer == call.who.retailer, deliveries.c.sandbox == call.who.sandbox)",
        new="return and_(deliveries.c.retailer == call.who.retailer)",
        tests=(f"{_API}test_roles.py",),
    ),
    Mutant(
        name="what the hub signs is of the brands' type",
        file="gateway/hub/unsigned.py",
        old='TYPE = "perron-hub-delivery+jwt"',
        new='TYPE = "perron-delivery+jwt"',
        tests=(f"{_API}test_deliveries.py::test_no_box_takes_what_the_hub_signed_for_a_brand_s_own_word",),
    ),
    Mutant(
        name="a version that the home refused counts",
        file="gateway/hub/deliveries.py",
        old="promised = (mine, delivery_versions.c.refused.is_(False),",
        new="promised = (mine, delivery_versions.c.version > 0,",
        tests=(f"{_API}test_standings.py::test_a_change_that_came_too_late_leaves_what_was_promised_before",),
    ),
    Mutant(
        name="what nobody has let in is sent",
        file="gateway/hub/api/deliveries.py",
        old='held, id_, promise = home.state == "pending",',
        new="held, id_, promise = False,",
        tests=(f"{_API}test_deliveries.py::test_what_waits_for_a_permission_is_sent_once_it_is_given",),
    ),
    Mutant(
        name="a stream goes on under a revoked key",
        file="gateway/hub/streams.py",
        old="if not counts or streams.ended:",
        new="if streams.ended:",
        tests=(f"{_API}test_happenings.py::test_a_revoked_key_s_stream_ends",),
    ),
    Mutant(
        name="a proof tells more than a retailer may know",
        file="gateway/hub/evidence.py",
        old="if not coarse or said.state not in ENDS",
        new="if said.state not in ENDS",
        tests=(f"{_API}test_proof.py::test_a_proof_tells_nothing_of_the_household",),
    ),
    Mutant(
        name="a proof's plain words are not held against what was signed",
        file="gateway/hub/evidence.py",
        old="if told != (body.entrance,",
        new="if not told and () != (body.entrance,",
        tests=(f"{_API}test_proof.py::test_nothing_in_a_proof_can_be_changed",),
    ),
)
