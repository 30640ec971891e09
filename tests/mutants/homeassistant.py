"""Faults in what Home Assistant is shown and may ask."""

from tests.mutants.mutant import Mutant

SNAPSHOT = "tests/gateway/integrations/homeassistant/test_state.py"
ENTITIES = "tests/gateway/integrations/homeassistant/test_discovery.py"
ASSISTANT = "tests/gateway/integrations/homeassistant/test_bridge.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="Home Assistant shows a bolt locked whose door nobody has proven closed",
        file="gateway/integrations/homeassistant/state.py",
        old="if summary.is_locked(state):",
        new='if summary.bolt_state(state) == "locked":',
        tests=(f"{SNAPSHOT}::test_without_proof_the_lock_is_unknown",),
    ),
    Mutant(
        name="Home Assistant takes a lock's mere word for locked",
        file="gateway/integrations/homeassistant/state.py",
        old="if summary.is_locked(state):",
        new="if not predicates.unsecured_closures(state):",
        tests=(f"{ASSISTANT}::test_a_lock_that_only_says_so_is_not_shown_locked",),
    ),
    Mutant(
        name="Home Assistant's unlock is taken for a lock",
        file="gateway/integrations/homeassistant/commands.py",
        old=(
            "            return CommandRefusal(command, NEVER_REASON)\n"
            '        case HomeAssistantCommand.LOCK if "lock_now" in section.may:\n'
        ),
        new=(
            '            return owner_requests.OwnerLockRequest(id=id_, do="lock")\n'
            '        case HomeAssistantCommand.LOCK if "lock_now" in section.may:\n'
        ),
        tests=(f"{ASSISTANT}::test_unlocking_moves_nothing_and_is_told_and_noted",),
    ),
    Mutant(
        name="Home Assistant may stop where the house file does not say so",
        file="gateway/integrations/homeassistant/commands.py",
        old='case HomeAssistantCommand.STOP if "stop" in section.may:',
        new="case HomeAssistantCommand.STOP if section:",
        tests=(f"{ASSISTANT}::test_what_the_house_file_does_not_name_is_refused",),
    ),
    Mutant(
        name="Home Assistant's stored wishes are obeyed",
        file="gateway/integrations/homeassistant/bridge.py",
        old="        elif incoming.retain:\n",
        new="        elif incoming.retain and entrance is None:\n",
        tests=(f"{ASSISTANT}::test_a_stored_wish_is_never_obeyed",),
    ),
    Mutant(
        name="a flood of Home Assistant's is heard whole",
        file="gateway/system/token_bucket.py",
        old="        return self.count <= self.limit",
        new="        return True",
        tests=(f"{ASSISTANT}::test_a_flood_is_rationed_and_delays_nothing",),
    ),
    Mutant(
        name="Home Assistant's own birth leaves what it showed before",
        file="gateway/integrations/homeassistant/discovery.py",
        old=(
            '                "payload_available": UNUSED_PAYLOAD,\n'
            '                "payload_not_available": "online",\n'
            "            },\n"
            "        ],\n"
        ),
        new=(
            '                "payload_available": UNUSED_PAYLOAD, "payload_not_available": UNUSED_PAYLOAD},\n'
            "        ],\n"
        ),
        tests=(f"{ASSISTANT}::test_a_broker_that_comes_back_without_the_gateway_shows_no_old_locked_door",),
    ),
    Mutant(
        name="the broker keeps what Home Assistant is shown",
        file="gateway/integrations/homeassistant/bridge.py",
        old="topic, payload, expiry",
        new="topic, payload, retain=True, expiry",
        tests=(f"{ASSISTANT}::test_nothing_but_what_there_is_stays_in_the_broker",),
    ),
    Mutant(
        name="what is gone stays in Home Assistant",
        file="gateway/integrations/homeassistant/bridge.py",
        old="for topic, message in discovery.removal_messages(before, self._messages)",
        new="for topic, message in discovery.removal_messages({}, self._messages)",
        tests=(f"{ASSISTANT}::test_an_entrance_that_is_gone_goes_from_home_assistant",),
    ),
    Mutant(
        name="a camera inside goes to Home Assistant",
        file="gateway/integrations/homeassistant/discovery.py",
        old='picture == "last_visit" and not indoors',
        new='picture == "last_visit"',
        tests=(f"{ENTITIES}::test_no_picture_goes_out_unless_the_owner_says_so_and_never_one_of_the_inside",),
    ),
)
