"""Faults in the devices of the ways in beside the front door: garage openers, strikes, compartments, key safes."""

from tests.mutants.mutant import Mutant

PAYLOADS = "tests/devices/vendors/test_payloads.py"
CAPABILITY = "tests/gateway/installation/test_capability.py"
GARAGE = "tests/gateway/runtime/adapters/test_garage.py"
OWN_WORDS = "tests/devices/vendors/test_own_words.py"
RIGHTS = "tests/gateway/config/test_broker_acl.py"

MUTANTS = (
    Mutant(
        name="a garage door is closed by an opener that cannot be asked about its beam",
        file="gateway/config/devices.py",
        old="if self.beam and not self.definition.answers_beam:",
        new="if self.beam and not self.definition.has_mqtt:",
        tests=(CAPABILITY,),
    ),
    Mutant(
        name="a cover whose position contradicts its state is closed",
        file="devices/vendors/zigbee2mqtt.py",
        old='elif state == "OPEN" or (position is not None and 0 < position <= 100):',
        new='elif state == "OPEN" or (state is None and position is not None and 0 < position <= 100):',
        tests=(PAYLOADS,),
    ),
    Mutant(
        name="nobody hears what a ratgdo board says of its beam",
        file="gateway/config/topics.py",
        old="PRODUCT_CHANNELS = (TopicSuffix.OPERATION, TopicSuffix.BOLT, TopicSuffix.LATCH, TopicSuffix.BEAM)",
        new="PRODUCT_CHANNELS = (TopicSuffix.OPERATION, TopicSuffix.BOLT, TopicSuffix.LATCH)",
        tests=(GARAGE,),
    ),
    Mutant(
        name="Home Assistant hears the orders to every device",
        file="gateway/config/broker_acl.py",
        old="section.definition.account == HOMEASSISTANT_ACCOUNT and section.kind in ORDERED_KINDS",
        new="section.kind in ORDERED_KINDS",
        tests=(RIGHTS,),
    ),
    Mutant(
        name="what a compartment's eye cannot tell is an empty compartment",
        file="devices/vendors/own_words.py",
        old="yield ContentReport(occupied=value if isinstance(value, bool) else None)",
        new="yield ContentReport(occupied=value is True)",
        tests=(OWN_WORDS, PAYLOADS),
    ),
    Mutant(
        name="a word that no hook has is a key that hangs there",
        file="devices/vendors/own_words.py",
        old="yield KeyReport(present=_KEYS.get(value) if isinstance(value, str) else None)",
        new='yield KeyReport(present=value != "absent")',
        tests=(OWN_WORDS, PAYLOADS),
    ),
    Mutant(
        name="ring to open is armed in place of the strike",
        file="devices/vendors/nukihub.py",
        old='_RELEASE = b"electricStrikeActuation"',
        new='_RELEASE = b"activateRTO"',
        tests=(OWN_WORDS, PAYLOADS),
    ),
    Mutant(
        name="a Zigbee relay is left on",
        file="devices/vendors/zigbee2mqtt.py",
        old='    if device_ref.keys.get("on_time") != "device":',
        new='    if device_ref.keys.get("on_time") == "device":',
        tests=(PAYLOADS,),
    ),
    Mutant(
        name="a sensor that cannot be asked may claim that it answers",
        file="gateway/config/devices.py",
        old="        if self.answers and not super().can_be_queried:",
        new="        if self.answers and not self.definition.has_mqtt:",
        tests=("tests/gateway/config/test_ways_in.py",),
    ),
)
