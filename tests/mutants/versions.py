"""Faults of both versions of an order, of the rules on a label, and of what a box states."""

from tests.mutants.mutant import Mutant

_FEATURES = "gateway/domain/delivery/features.py"
_LABEL = "gateway/domain/delivery/label.py"
_MESSAGE = "gateway/protocol/delivery_message.py"
_OFFERS = "tests/gateway/storage/test_offers_of_version_2.py"
_VERSIONS = "tests/gateway/protocol/test_delivery_versions.py"
_STATED = "tests/gateway/hub/api/test_versions.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="a message of version 2 is signed as one of version 1",
        file="gateway/protocol/jws.py",
        old='DELIVERY_2 = TokenKind("perron-delivery-2+jwt", _BY_ENROLLED_KEY)',
        new='DELIVERY_2 = TokenKind("perron-delivery+jwt", _BY_ENROLLED_KEY)',
        tests=("tests/gateway/protocol/test_golden_versions.py",),
    ),
    Mutant(
        name="a feature that is used and not listed is read over",
        file=_FEATURES,
        old="return tuple(sorted((listed - SUPPORTED_FEATURES) | (used - listed)))",
        new="return tuple(sorted(listed - SUPPORTED_FEATURES))",
        tests=("tests/gateway/domain/delivery/test_features.py",),
    ),
    Mutant(
        name="a word that nobody knows is read over",
        file=_FEATURES,
        old="return tuple(sorted((listed - SUPPORTED_FEATURES) | (used - listed)))",
        new="return tuple(sorted(used - listed))",
        tests=(f"{_OFFERS}::test_what_the_box_does_not_understand_is_refused_whole_with_the_words",),
    ),
    Mutant(
        name="a brand speaks for another one by a need that nobody knows",
        file=_MESSAGE,
        old="RejectionCode.UNSUPPORTED, why, head.announced_by, named.id, named.version, head.jti, words",
        new="RejectionCode.UNSUPPORTED, why, head.iss, named.id, named.version, head.jti, words",
        tests=(f"{_VERSIONS}::test_what_the_hub_passes_on_of_an_unknown_need_names_the_brand_that_asked",),
    ),
    Mutant(
        name="a message of version 1 drops the limits of an order of version 2",
        file="gateway/storage/offers.py",
        old="if order.message_version < old.message_version:",
        new="if order.message_version > old.message_version + 9:",
        tests=(f"{_OFFERS}::test_no_message_of_version_1_drops_the_limits_of_an_order_of_version_2",),
    ),
    Mutant(
        name="only a 0 forbids to leave a parcel",
        file=_LABEL,
        old='label.get(LabelRule.AUTHORITY_TO_LEAVE, "1") != "1"',
        new='label.get(LabelRule.AUTHORITY_TO_LEAVE, "1") == "0"',
        tests=("tests/gateway/domain/delivery/test_label.py",),
    ),
    Mutant(
        name="a rule that was not read is taken for a good one",
        file=_LABEL,
        old="if set(required) - label.keys():",
        new="if set(required) - set(required):",
        tests=(f"{_OFFERS}::test_the_courier_s_code_is_no_label",),
    ),
    Mutant(
        name="a label's hours are held against UTC",
        file="gateway/storage/deliveries.py",
        old="local = now.utc.astimezone(self._context.zone).replace(tzinfo=None)",
        new="local = now.utc.replace(tzinfo=None)",
        tests=(f"{_OFFERS}::test_a_label_that_forbids_it_is_why_the_door_stays_closed",),
    ),
    Mutant(
        name="the rules of a label are lost between the scanner and the store",
        file="gateway/runtime/entrance.py",
        old="return replace(scan, matches=self._matches(scan.code, now, scan.label))",
        new="return replace(scan, matches=self._matches(scan.code, now, {}))",
        tests=("tests/gateway/runtime/test_label_rules.py",),
    ),
    Mutant(
        name="the hub keeps what a box stated for another home",
        file="gateway/protocol/box_statement.py",
        old="if statement.iss != home:",
        new="if statement.iss == home + home:",
        tests=(f"{_STATED}::test_the_hub_keeps_nothing_that_the_box_did_not_sign_for_this_home_and_time",),
    ),
    Mutant(
        name="an older statement replaces a newer one",
        file="gateway/hub/boxes/box_events.py",
        old="if known is not None and (known.token == token.decode() or known.statement.iat > statement.iat):",
        new="if known is not None and known.token == token.decode():",
        tests=(f"{_STATED}::test_an_older_statement_replaces_no_newer_one_and_none_is_shown_once_it_has_ended",),
    ),
    Mutant(
        name="a brand is told of entrances that it may not use",
        file="gateway/integrations/hub_client/session.py",
        old="return {brand: entrances & self._home.entrances.keys() for brand, entrances in permitted.items()}",
        new="return {brand: frozenset(self._home.entrances) for brand in permitted}",
        tests=(
            (
                "tests/gateway/integrations/hub_client/test_statements.py"
                "::test_a_brand_that_came_through_the_hub_is_told_and_no_other"
            ),
        ),
    ),
    Mutant(
        name="the hub sends plain JSON without its features",
        file="gateway/hub/deliveries/orders.py",
        old='    further["needs"] = used_features(further)\n',
        new='    further["needs"] = ()\n',
        tests=(f"{_STATED}::test_plain_json_is_sent_in_the_lowest_version_that_says_it",),
    ),
)
