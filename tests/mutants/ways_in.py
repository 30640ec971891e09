"""Faults in the devices of the ways in beside the front door: garage openers, strikes, compartments, key safes."""

from tests.mutants.mutant import Mutant

PAYLOADS = "tests/devices/vendors/test_payloads.py"
CAPABILITY = "tests/gateway/installation/test_capability.py"
GARAGE = "tests/gateway/runtime/adapters/test_garage.py"
INTERCOM = "tests/gateway/integrations/intercom/test_process.py"
ORDERS = "tests/gateway/integrations/test_orders.py"
SIMULATED = "tests/devices/simulators/test_ways_in.py"
OWN_WORDS = "tests/devices/vendors/test_own_words.py"
RIGHTS = "tests/gateway/config/test_broker_acl.py"

MUTANTS = (
    Mutant(
        name="a garage door is closed by an opener that cannot be asked about its beam",
        file="gateway/config/devices/cover.py",
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
        file="devices/vendors/words.py",
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
        file="gateway/config/devices/section.py",
        old="        if self.answers and not super().can_be_queried:",
        new="        if self.answers and not self.definition.has_mqtt:",
        tests=("tests/gateway/config/test_ways_in.py",),
    ),
    Mutant(
        name="a second copy of an order is passed on to the intercom",
        file="gateway/integrations/orders.py",
        old="        if order.id in self._seen:",
        new="        if order.id in self._seen and busy:",
        tests=(ORDERS,),
    ),
    Mutant(
        name="an order to the process before this one is passed on",
        file="gateway/integrations/orders.py",
        old="        if order.issued_at < self.began:",
        new="        if order.expires_at < self.began:",
        tests=(ORDERS,),
    ),
    Mutant(
        name="an order by another process's uptime is passed on",
        file="gateway/integrations/orders.py",
        old="return (order.until_ms - now.uptime_ms) / 1000 if order.boot == self.boot else 0.0",
        new="return (order.until_ms - now.uptime_ms) / 1000",
        tests=(ORDERS,),
    ),
    Mutant(
        name="an order whose answer was lost is sent again by the library",
        file="gateway/integrations/intercom/line.py",
        old="        raise _AnswerLost(str(error)) from error",
        new="        raise",
        tests=(INTERCOM,),
    ),
    Mutant(
        name="an order is waited for beyond its life",
        file="gateway/integrations/intercom/process.py",
        old="        within_s = min(life_s, self._file.intercom.timeout)",
        new="        within_s = max(life_s, self._file.intercom.timeout)",
        tests=(INTERCOM,),
    ),
    Mutant(
        name="a stored order is obeyed",
        file="gateway/integrations/intercom/process.py",
        old="        if incoming.retain or not self._house_rate.take(self._mono()):",
        new="        if not self._house_rate.take(self._mono()):",
        tests=(INTERCOM,),
    ),
    Mutant(
        name="a bistable switch is toggled and stays on",
        file="gateway/integrations/intercom/twon.py",
        old="        if self._is_monostable is not True:",
        new="        if self._is_monostable is None:",
        tests=(INTERCOM,),
    ),
    Mutant(
        name="a wrong password is tried again and again",
        file="gateway/integrations/intercom/process.py",
        old="REFUSED_RETRY_S = 120.0",
        new="REFUSED_RETRY_S = 0.1",
        tests=(INTERCOM,),
    ),
    Mutant(
        name="a button that is held at the beginning of a stream is a ring",
        file="gateway/integrations/intercom/doorbird.py",
        old="            if before is None or before == on:",
        new="            if before == on:",
        tests=("tests/gateway/integrations/intercom/test_events.py",),
    ),
    Mutant(
        name="the account of an intercom is used though others may read it",
        file="gateway/integrations/intercom/file.py",
        old="& (stat.S_IRWXG | stat.S_IRWXO):",
        new="& (stat.S_IRWXG & stat.S_IRWXO):",
        tests=("tests/gateway/integrations/intercom/test_file.py",),
    ),
    Mutant(
        name="a simulated strike obeys a second copy of an order",
        file="devices/simulators/way_devices.py",
        old="        if command.id in self._seen:",
        new="        if command.id in self._seen and self.faults:",
        tests=(SIMULATED,),
    ),
    Mutant(
        name="a simulated lid that does not catch counts as caught",
        file="devices/simulators/thing.py",
        old='        if not self.faults & {"does_not_catch", "bounces"}:',
        new='        if not self.faults & {"bounces"}:',
        tests=(SIMULATED,),
    ),
    Mutant(
        name="two simulated devices behind one bridge throw each other out",
        file="devices/simulators/device.py",
        old="            if carrier is not self.link:",
        new="            if carrier is None:",
        tests=("tests/gateway/cli/test_simulation.py",),
    ),
    Mutant(
        name="a film replaces the answer of a compartment's sensor",
        file="gateway/domain/visit/closures/compartment.py",
        old='        if not view.fact("content").proven:\n            return Deposit.UNKNOWN\n',
        new='        if not view.fact("content").proven:\n            return Deposit.BY_FILM\n',
        tests=("tests/gateway/domain/visit/closures/test_answers_of_each_kind.py",),
    ),
)
