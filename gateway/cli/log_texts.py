"""The sentence of each event of the log, for a person at a terminal.

A sentence names what happened in words; `{field}` is a field of the event. `[...]` is left out where a field in it is
empty. An event's `why` and `todo` follow the sentence if it does not contain them.
"""

import re
from collections.abc import Mapping

LOG_TEXTS: Mapping[str, str] = {
    # ---- the gateway and its parts
    "accounts_not_made": "an accepted device has no account at the broker: {why}",
    "another_box": "another gateway signs in at the broker as this one, again and again",
    "delivery_refused_on_a_page": "{by} does not want the delivery {delivery}",
    "broker_down": "the connection to the broker has ended",
    "own_broker_ended": "the broker that this program runs has ended, and is started again",
    "broker_lost": "no connection to the broker at {host}:{port}",
    "certificate_renewed": "the pages have a new certificate, valid until {until}",
    "faults_not_written": "a fault could not be written to the disk",
    "key_made": "the box has a new key, with the fingerprint {fingerprint}",
    "key_replaced": "the box has another key than before, with the fingerprint {fingerprint}",
    "mark_not_written": "{file} cannot be written",
    "messages_missed": "messages were dropped unread, because too many came",
    "no_claim_code": "no code to claim the box can be made",
    "page_not_stored": "a page could not store what was asked for",
    "pages_not_served": "the pages cannot be opened on port {port}",
    "reload_applied": "{file} is read again, and counts",
    "reload_not_told": "how the reload ended cannot be written down",
    "reload_refused": "{file} is not taken",
    "reload_waits": "the reload waits until these are free: {busy}",
    "set_aside": "something failed in {worker}[, at {item},] and was set aside ({error} in {at}): {why}",
    "start_not_noted": "the start cannot be written to the log on the disk",
    "state_of_later_release": "{entrance}: a later release wrote its state, and this one cannot read it",
    "store_in_doubt": "the store cannot be trusted",
    "unexpected_topic": "the broker sent a message of a topic that nobody asked for: {topic}",
    "codes_left": "guests' codes may still be at {keypads}",
    "wipe_decided": "the owner decided to wipe this box",
    # ---- at an entrance
    "device_says": "{device}: {report}",
    "devices_flood": "{entrance}: too many messages from {devices}; they are asked again",
    "guard_not_believed": "a message that claims to come from the guard of {lock} is not accepted",
    "decision_rejected": "a decision of the supervisor {supervisor} is not accepted: {why}",
    "robot_identity_rejected": "the identity that the robot {robot} gave is not accepted: {why}",
    "robot_identity_unasked": "the robot {robot} gave an identity that nobody asked for",
    "supervisor_told": "a message to the supervisor {supervisor} ({about}): {result}",
    "robot_answered": "{entrance}: the robot {robot} is answered: {grant}",
    "order_without_device": "{entrance}: no device is known that could lock {closure}",
    "step_not_stored": "{entrance}: a decision could not be stored",
    "stored_wish_ignored": "{entrance}: a request that the broker had stored is ignored",
    "summary_not_stored": "{entrance}: a summary of readings could not be stored",
    "unlock_held_back": "{entrance}: the unlock was held back[ ({detail})]",
    "wish_not_understood": "{entrance}: a request was not understood",
    "code_not_stored": "the code at {keypad} could not be stored",
    "slot_taken": "{keypad} has another code in place {slot}; the code of the guest goes elsewhere",
    "keypad_full": "{keypad} has no place left for the code of a guest",
    "bookings_not_read": "the bookings of {source} were not read ({why}); nothing changes",
    "bookings_not_stored": "the bookings of {source} could not be stored",
    "bookings_not_ended": "{file} still has the former household's address or key of bookings",
    "bookings_not_told": "{source} had {most} messages about bookings today: what is new stands on the page Guests",
    "bookings_reader_not_started": "the program that reads bookings could not be started",
    "deadlines_not_stored": "{reception}: times that have passed could not be stored",
    "scan_not_stored": "{reception}: a scan could not be stored",
    # ---- deliveries and parcels
    "comment_not_stored": "a brand's comment could not be stored",
    "move_not_stored": "{delivery}: the move to another entrance could not be stored",
    "offer_not_stored": "a delivery could not be stored; its sender sends it again",
    "offers_flooded": "too many deliveries came at once; some were dropped",
    "question_not_stored": "{delivery}: the question for more time could not be stored",
    "parcel_not_closed": "a parcel that is over could not be closed",
    # ---- films and proofs
    "checkpoint_not_kept": "the newest checkpoint could not be kept beside the store",
    "clip_not_noted": "the film {path} could not be noted in the store",
    "clips_of_nobody": "films came of the visit {visit}, which no entrance knows: {clips}",
    "forgotten_film_erased": "the film {file} belongs to no visit that is kept, and was erased",
    "not_sealed": "the proof of the visit {visit} could not be sealed; it is tried again",
    "not_tidied": "what is older than its time could not be erased; it is tried again",
    "part_unknown": "the visit {visit} has no part {part} that could be sealed",
    # ---- messages to phones
    "former_phones": "{file} still has the phones of the former household",
    "not_noted": "that a message was sent could not be stored; it may be sent twice",
    "phone_gone": "phone {phone} ({scheme}) is told no longer: its browser has given the subscription up",
    "phone_not_reached": "a message did not reach phone {phone} ({scheme}: {heard}); it is tried again in {again_in} s",
    "phone_told": "phone {phone} ({scheme}) was told; messages: {messages}",
    "phones_not_enlisted": "the phones could not be stored",
    "phones_open_to_others": "{file} can be read by others",
    # ---- installation
    "addition_not_taken_out": "{name} could not be taken out of the house file again",
    "addition_taken_out": "{name} is taken out of the house file again",
    "device_not_forgotten": "{device} is out of the house file, but not all of it could be removed: {why}",
    "camera_tried": "the camera {name} was tried before it is added",
    "proposals_not_settled": "the proposals could not be brought up to date",
    "proposals_unreadable": "{file} cannot be read",
    "walk_not_minded": "{entrance}: the walk test could not be continued",
    "walk_not_written": "the walk test could not be written down",
    "walk_unreadable": "{entrance}: the walk test so far cannot be read",
    # ---- Home Assistant
    "home_assistant_floods": "{entrance}: Home Assistant sends too many requests",
    "home_assistant_not_recorded": "{file} cannot be written",
    "home_assistant_record_unreadable": "{file} cannot be read",
    "home_assistant_refused": "{entrance}: Home Assistant asked for {asked}, which was refused",
    "refusal_not_noted": "{entrance}: a refusal could not be stored",
    "stored_wish_of_home_assistant_ignored": "{entrance}: a request of Home Assistant that the broker had stored is"
    " ignored",
    # ---- the hub
    "request": "{method} {operation}: {status}[ {code}] in {ms} ms[, {retailer}]",
    "browsers_not_ended": "the access of remote browsers could not be ended",
    "events_renumbered": "the events for the hub after number {after} have new numbers",
    "hub_authority_followed": "the hub has another authority, which the former one signed; its words are: {words}",
    "hub_certificate_not_renewed": "the certificate for the hub could not be renewed",
    "hub_certificate_renewed": "the certificate for the hub is renewed, valid until {until}",
    "hub_cut_off": "the hub {url} has revoked this home",
    "hub_down": "the connection to the hub has ended",
    "hub_joined": "this house has joined the hub {url}",
    "hub_leaving": "this house leaves the hub {url}",
    "hub_left": "this house has left the hub",
    "hub_line_made_anew": "the connection to the hub is made anew",
    "hub_not_forgotten": "what the hub gave could not be erased",
    "hub_not_left": "{file} could not be erased",
    "hub_not_told_of_leaving": "the hub could not be told that this house leaves it",
    "hub_out_of_reach": "the hub cannot be reached",
    "hub_section_stays": "the hub could not be taken out of the house file",
    "hub_up": "connected to the hub {url}",
    "order_not_noted": "that an order from outside was carried out could not be stored; it is tried again",
    "ordered_from_afar": "order {number} of a remote browser was handled",
    "proof_not_sent": "the proof of the visit {visit} could not be sent whole: {why}",
    "phones_not_wiped": "{file} could not be wiped",
    "support_code_learnt": "the hub gave this house a support code",
    "taking_along_broken_off": "the download of the house's data was broken off",
    "wiped": "everything is wiped",
    "wiping": "{folder} is wiped",
    # ---- `perron guard`, `perron intercom` and `perron matter`
    "bell": "somebody rings at the intercom",
    "dropped": "a message of the topic {topic} is not for this process",
    "events_lost": "the intercom's events cannot be read",
    "guard": "{what}",
    "guard_begins": "guarding {lock}",
    "house_floods": "too many messages from the house's broker, topic {topic}",
    "house_found": "connected to the house's broker",
    "house_lost": "no connection to the house's broker",
    "intercom_begins": "speaking for {device}, the intercom at {url}",
    "intercom_found": "the intercom answers",
    "intercom_lost": "the intercom does not answer",
    "matter_begins": "speaking for the devices of the Matter server at {url}, base topic {base}",
    "matter_ends": "the Matter server ends",
    "matter_floods": "node {node} says too much: it counts as unreachable until it is quiet",
    "matter_found": "connected to the Matter server[ {software}], nodes: {nodes}",
    "matter_late": "a command to {at} that had been given up was answered after all; it is read now",
    "matter_lost": "no connection to the Matter server",
    "matter_silent": "{at} did not answer",
    "matter_took": "{at} has taken a command",
    "not_moved_by_matter": "{at} was not moved",
    "code_changed": "{at} has taken a change of its codes",
    "code_not_changed": "the codes of {at} were not changed",
    "ledger_not_kept": "the guard's own record cannot be written, so nothing is moved",
    "not_believed": "a message that claims to come from the gateway is not accepted",
    "not_moved": "the lock was not moved",
    "not_read": "a message of the topic {topic} cannot be read",
    "not_released": "the intercom did not release the door",
    "order_refused": "an order was refused",
    "order_taken": "the intercom has taken the order to release",
    "query_dropped": "a query was dropped",
    "radio_floods": "too many messages from the radio's broker, topic {topic}",
    "radio_found": "connected to the radio's broker",
    "radio_lost": "no connection to the radio's broker",
}


def log_sentence(event: Mapping[str, object]) -> str:
    """Return an event of the log as one sentence. An event without one is its name in words, with `why` and `todo`."""
    kind = str(event["event"])
    template = LOG_TEXTS.get(kind, kind.replace("_", " "))
    fields = {key: _words(value) for key, value in event.items()}
    parts = re.sub(
        r"\[([^\]]*)\]",
        lambda part: part[1] if all(fields.get(name) for name in re.findall(r"{(\w+)}", part[1])) else "",
        template,
    )
    text = re.sub(r"{(\w+)}", lambda field: fields.get(field[1], "unknown"), parts)
    why, todo = fields.get("why", ""), fields.get("todo", "")
    sentence = f"{text}: {why}" if why and why not in text else text
    return f"{sentence.rstrip('.')}. {todo[:1].upper()}{todo[1:]}" if todo else sentence


def _words(value: object) -> str:
    """Return a field's value as a person reads it."""
    match value:
        case None | True | False:
            return ""
        case str():
            return re.sub(r"\[Errno -?\d+\] ", "", value)
        case dict():
            return ", ".join(f"{key}: {_words(inner)}" for key, inner in value.items())
        case list() | tuple() | set() | frozenset():
            return ", ".join(map(_words, value))
        case _:
            return str(value)
