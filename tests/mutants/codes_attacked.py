"""Faults of parcel codes, of what strangers' devices and announcements say, and of the courier's code."""

from tests.mutants.mutant import Mutant

_CODES = "tests/gateway/domain/delivery/test_barcodes.py"
_LINES = "tests/gateway/cli/test_lines.py"
_EXPOSES = "tests/devices/vendors/test_zigbee2mqtt_exposes.py"
_NEIGHBOURS = "tests/devices/vendors/test_neighbours.py"
_DISCOVERY = "tests/gateway/installation/test_discovery.py"
_CARRIERS = "tests/gateway/domain/delivery/test_carriers.py"
_ATTACKED = "tests/gateway/test_codes_attacked.py"
_PASTED = f"{_DISCOVERY}::test_a_line_that_is_pasted_into_a_shell_says_to_perron_what_is_offered_and_does_nothing_else"
_OLDER = (
    "tests/gateway/hub/api/test_proof.py"
    "::test_a_proof_of_an_older_release_that_has_the_whole_label_for_the_parcel_still_holds"
)
MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="a code that is read otherwise the second time is taken",
        file="gateway/domain/delivery/barcodes.py",
        old="    if _parse(code.value) != code:",
        new="    if _parse(code.value) is None:",
        tests=(
            f"{_CODES}::test_a_code_that_would_be_read_otherwise_the_second_time_is_none",
            f"{_CODES}::test_a_code_that_is_read_again_is_the_same_code_whatever_stands_before_it",
        ),
    ),
    Mutant(
        name="two labels with brackets get one writing",
        file="gateway/domain/delivery/barcodes.py",
        old='    if any("(" in field or ")" in field for _, field in pairs):',
        new='    if any("(" in field and ")" not in field for _, field in pairs):',
        tests=(f"{_CODES}::test_two_labels_with_brackets_in_a_field_are_never_one_code",),
    ),
    Mutant(
        name="a stored delivery is validated again",
        file="gateway/hub/deliveries/orders.py",
        old="return model.model_construct(**{name: fields[name] for name in fields if name not in V2_FIELDS})",
        new="return model.model_validate({name: fields[name] for name in fields if name not in V2_FIELDS})",
        tests=(
            f"{_ATTACKED}::test_a_stored_delivery_whose_code_is_no_code_today_does_not_end_the_hub",
            f"{_ATTACKED}::test_a_held_delivery_whose_code_is_no_code_today_does_not_end_the_hub",
        ),
    ),
    Mutant(
        name="a carrier's number that fits GS1's check digit is a product",
        file="gateway/domain/delivery/barcodes.py",
        old="    if aim.startswith(_EAN_SYMBOLOGY):",
        new='    if aim.startswith(_EAN_SYMBOLOGY) or (re.fullmatch(r"[0-9]{8}|[0-9]{12,14}", text) '
        "and gs1_checks(text)):",
        tests=(f"{_CARRIERS}::test_no_carriers_number_is_refused_for_its_check_digit",),
    ),
    Mutant(
        name="all parcels of a shipment are one code",
        file="gateway/domain/delivery/carriers.py",
        old='r"[0-9]{2}([0-9]{8})0101[0-9]{12}"',
        new='r"[0-9]{2}([0-9]{8})[0-9]{16}"',
        tests=(f"{_CARRIERS}::test_a_bar_code_that_no_rule_fits_exactly_is_never_shortened",),
    ),
    Mutant(
        name="a label is shortened though its check digit is wrong",
        file="gateway/domain/delivery/carriers.py",
        old="if match is not None and (label.checks is None or label.checks(match.expand(label.checked))):",
        new="if match is not None:",
        tests=(f"{_CARRIERS}::test_a_bar_code_that_no_rule_fits_exactly_is_never_shortened",),
    ),
    Mutant(
        name="of two readings of a label one is taken",
        file="gateway/domain/delivery/carriers.py",
        old="    return found.pop() if len(found) == 1 else None",
        new="    return found.pop() if found else None",
        tests=(f"{_CARRIERS}::test_a_label_that_two_rules_read_differently_stays_what_it_is",),
    ),
    Mutant(
        name="a stored label is not written anew",
        file="gateway/storage/sql/0010.sql",
        old="SET value = parcel_code(value)",
        new="SET value = value",
        tests=(
            "tests/gateway/storage/test_schema.py::test_a_label_that_an_old_database_stored_whole_still_matches_its_scan",
        ),
    ),
    Mutant(
        name="a product's number and a parcel's are one code",
        file="gateway/domain/delivery/barcodes.py",
        old='    return ParcelCode(BarcodeKind.GTIN, f"(01){text:0>14}")',
        new="    return ParcelCode(BarcodeKind.GTIN, text)",
        tests=(f"{_CODES}::test_every_writing_of_a_products_number_is_one_and_no_parcels_number_equals_it",),
    ),
    Mutant(
        name="the courier's digest is of the text",
        file="gateway/domain/delivery/barcodes.py",
        old="    return sha256(secret).hexdigest()",
        new="    return sha256(new_courier_token(secret).encode()).hexdigest()",
        tests=(f"{_CODES}::test_a_couriers_code_is_known_by_its_digest_alone_in_both_writings",),
    ),
    Mutant(
        name="the API's document does not say what the courier's digest is of",
        file="gateway/hub/api/delivery_models.py",
        old="CourierDigest = Annotated[promise.Digest | None, _COURIER_FIELD]",
        new="CourierDigest = promise.Digest | None",
        tests=(
            "tests/gateway/hub/api/test_openapi.py::test_the_api_s_own_document_tells_the_same_of_the_courier_s_code",
        ),
    ),
    Mutant(
        name="a stranger's host name is offered as it comes",
        file="gateway/installation/discovery.py",
        old='vendor="rtsp", url=valid_stream_url(url)',
        new='vendor="rtsp", url=url',
        tests=(f"{_DISCOVERY}::test_a_camera_whose_host_is_none_of_the_house_file_s_is_shown_without_a_command",),
    ),
    Mutant(
        name="a line to be pasted is not quoted",
        file="gateway/installation/discovery.py",
        old='shlex.join(("perron", *self.add_arguments))',
        new='" ".join(("perron", *self.add_arguments))',
        tests=(_PASTED,),
    ),
    Mutant(
        name="one part of a payload that cannot be read hides all",
        file="devices/vendors/parts.py",
        old="            wrong.append(str(error))",
        new="            return (UnreadablePayload(why=str(error)),)",
        tests=(
            f"{_NEIGHBOURS}::test_a_somfy_lock_that_is_unlocked_says_so_whatever_stands_beside_it",
            f"{_NEIGHBOURS}::test_an_alexa_lock_that_is_unlocked_says_so_whatever_stands_beside_it",
        ),
    ),
    Mutant(
        name="of a state that stands twice the better counts",
        file="devices/vendors/somfy.py",
        old="for bolt in (LockState.UNLOCKED, LockState.UNKNOWN, LockState.LOCKED) if",
        new="for bolt in (LockState.LOCKED, LockState.UNKNOWN, LockState.UNLOCKED) if",
        tests=(f"{_NEIGHBOURS}::test_of_a_state_that_stands_twice_the_worse_value_counts",),
    ),
    Mutant(
        name="a lock's own word for open and closed is a door",
        file="devices/vendors/somfy.py",
        old="if device_ref.kind == DOOR and _is_contact_event(states) else ()",
        new="if _is_contact_event(states) else ()",
        tests=(
            (
                f"{_NEIGHBOURS}"
                "::test_a_contact_that_knows_only_open_and_closed_is_a_door_and_a_lock_s_own_word_for_it_never"
            ),
        ),
    ),
    Mutant(
        name="a contact that only sends can be asked",
        file="devices/vendors/somfy.py",
        old="    answers_queries=_answers,\n",
        new="",
        tests=(f"{_NEIGHBOURS}::test_a_contact_that_only_sends_is_a_basic_door_whatever_the_house_file_says",),
    ),
    Mutant(
        name="a Z-Wave latch that is open is not heard",
        file="devices/vendors/zwave.py",
        old='{"closed": None, "open": LockState.UNLATCHED}',
        new='{"closed": None, "open": None}',
        tests=("tests/devices/vendors/test_payloads.py::test_what_a_device_sends_means_what_its_maker_says",),
    ),
    Mutant(
        name="the gateway does not listen where a Z-Wave lock tells its bolt",
        file="devices/vendors/words.py",
        old="PRODUCT_CHANNELS = (TopicSuffix.OPERATION, TopicSuffix.BOLT, TopicSuffix.LATCH, TopicSuffix.BEAM)",
        new="PRODUCT_CHANNELS = (TopicSuffix.OPERATION, TopicSuffix.BEAM)",
        tests=("tests/gateway/config/test_topics.py::test_where_a_z_wave_lock_tells_its_bolt_and_latch_is_heard",),
    ),
    Mutant(
        name="a contact that says ON for closed is taken for an ordinary one",
        file="devices/vendors/zigbee2mqtt_exposes.py",
        old='    return MappingProxyType({CLOSED: "ON"}) if (on, off) == ("ON", "OFF") else None',
        new='    return _NO_KEYS if (on, off) == ("ON", "OFF") else None',
        tests=(f"{_EXPOSES}::test_a_contact_that_says_it_the_other_way_round_or_in_words_is_a_door",),
    ),
    Mutant(
        name="a contact turned round is a door though nobody says which way",
        file="devices/vendors/zigbee2mqtt_exposes.py",
        old="    if not (isinstance(said, str) and _CLOSED in said):",
        new="    if said is _CLOSED:",
        tests=(f"{_EXPOSES}::test_a_contact_of_which_nobody_says_which_word_is_closed_is_none",),
    ),
    Mutant(
        name="a printed command lacks the house in use",
        file="gateway/cli/lines.py",
        old='        return f"`{program_name()} {name}{rest}{home_option(home)}`"',
        new='        return f"`{program_name()} {name}{rest}`"',
        tests=(f"{_LINES}::test_a_command_in_a_text_names_the_house_in_use_and_nothing_else_is_touched",),
    ),
    Mutant(
        name="a command in the log names no house",
        file="gateway/cli/console.py",
        old='    return {**event, "todo": expand_commands(todo)} if isinstance(todo, str) else event',
        new="    return event",
        tests=(f"{_LINES}::test_run_names_its_house_in_the_commands_that_it_prints[log]",),
    ),
    Mutant(
        name="a report takes names from whatever house file lies there",
        file="gateway/cli/owner.py",
        old="    return PublicKey.from_text(key) in known",
        new="    return bool(known)",
        tests=(f"{_LINES}::test_a_report_takes_no_names_from_a_house_whose_box_has_another_key",),
    ),
    Mutant(
        name="a proof of an older release no longer holds",
        file="gateway/hub/deliveries/evidence.py",
        old="    if not same or [renormalise(one) for one in evidence.parcels] != [renormalise(one) for one in named]:",
        new="    if not same or list(evidence.parcels) != [renormalise(one) for one in named]:",
        tests=(_OLDER,),
    ),
)
