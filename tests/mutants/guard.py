"""Faults in the guard: each rule once without."""

from tests.mutants.mutant import Mutant

RULES = "gateway/integrations/lock_guard/decide.py"
TESTS = "tests/gateway/integrations/lock_guard/test_decide.py"
ORDER = "tests/gateway/integrations/lock_guard/test_any_order.py"
ENVELOPE = "tests/gateway/protocol/test_guard_message.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="the guard takes an order of an earlier boot",
        file=RULES,
        old="if command.boot != self.state.boot or command.until_ms is None:",
        new="if command.until_ms is None:",
        tests=(TESTS,),
    ),
    Mutant(
        name="the guard takes an order whose time is over",
        file=RULES,
        old="if not self.uptime_ms <= command.until_ms <= self.uptime_ms + longest:",
        new="if not command.until_ms <= self.uptime_ms + longest:",
        tests=(TESTS,),
    ),
    Mutant(
        name="the guard takes an order that is good for ever",
        file=RULES,
        old="if not self.uptime_ms <= command.until_ms <= self.uptime_ms + longest:",
        new="if not self.uptime_ms <= command.until_ms:",
        tests=(TESTS,),
    ),
    Mutant(
        name="the guard's challenge serves twice",
        file=RULES,
        old="waiting=waiting, nonces=left)",
        new="waiting=waiting)",
        tests=(TESTS,),
    ),
    Mutant(
        name="the guard's challenge never dies",
        file=RULES,
        old="if nonce.until_mono > self.mono))",
        new="if nonce.until_mono))",
        tests=(TESTS,),
    ),
    Mutant(
        name="the guard takes any counter",
        file=RULES,
        old="elif claims.counter != state.counter + 1:",
        new="elif claims.counter is None:",
        tests=(TESTS,),
    ),
    Mutant(
        name="the guard obeys an intent twice",
        file=RULES,
        old="elif command.intent in state.intents:",
        new="elif command.intent in state.intents[:0]:",
        tests=(TESTS,),
    ),
    Mutant(
        name="the guard moves first and keeps then",
        file=RULES,
        old=("        self.write_ledger()\n        self.commands.append(command)\n"),
        new=("        self.commands.append(command)\n        self.write_ledger()\n"),
        tests=(TESTS, ORDER),
    ),
    Mutant(
        name="the guard takes an order for another lock",
        file=RULES,
        old="if claims.lock != self.state.settings.lock:",
        new="if not claims.lock:",
        tests=(TESTS,),
    ),
    Mutant(
        name="the guard does not ask again whether an order is late once the radio has answered",
        file=RULES,
        old=(
            "        why = self.lateness_reason(command, nonce)\n        if why is not None:\n"
            "            self.refuse(command.id, r.OperationError.EXPIRED, why)\n            return\n"
        ),
        new="",
        tests=(TESTS,),
    ),
    Mutant(
        name="the guard locks on the first answer of closed",
        file=RULES,
        old=(
            "            elif query is not None and self.is_at_step(m.SecuringStep.DOOR, query.number):\n"
            "                until = self.mono + self.state.settings.timing.stable\n"
        ),
        new=(
            "            elif query is not None and self.is_at_step(m.SecuringStep.DOOR, query.number):\n"
            "                self.throw_bolt()\n"
            "                until = self.mono + self.state.settings.timing.stable\n"
        ),
        tests=(TESTS,),
    ),
    Mutant(
        name="the guard locks on news of a closed door",
        file=RULES,
        old=(
            "            elif query is not None and self.is_at_step(m.SecuringStep.DOOR_AGAIN, query.number):\n"
            "                self.throw_bolt()\n"
        ),
        new=(
            "            elif self.is_at_step(m.SecuringStep.DOOR_AGAIN, self.state.last_query_number):\n"
            "                self.throw_bolt()\n"
        ),
        tests=(TESTS,),
    ),
    Mutant(
        name="a door that opens meanwhile does not stop the guard's own locking",
        file=RULES,
        old=("if report.door is not r.DoorState.CLOSED:\n                self.try_later"),
        new=("if report.door is r.DoorState.ERROR:\n                self.try_later"),
        tests=(TESTS, ORDER),
    ),
    Mutant(
        name="the guard locks what a hand unlocked",
        file=RULES,
        old="if not (state.owes_locking and state.is_radio_connected and state.settings.has_door):",
        new="if not (state.is_radio_connected and state.settings.has_door):",
        tests=(TESTS,),
    ),
    Mutant(
        name="an old beat keeps the gateway alive for the guard",
        file=RULES,
        old="        if nonce is not None:\n            self.state = replace(self.state, heard=self.mono)",
        new=("        if claims.nonce is not None:\n            self.state = replace(self.state, context=self.mono)"),
        tests=(TESTS,),
    ),
    Mutant(
        name="the guard takes news for an answer",
        file=RULES,
        old="must_echo and event.query_number != asked.number",
        new="event.query_number is not None and event.query_number != asked.number",
        tests=(TESTS,),
    ),
    Mutant(
        name="between gateway and guard a signature is read in any spelling",
        file="gateway/protocol/guard_message.py",
        old="    if _canonical(claims) != payload:\n",
        new="    if not payload:\n",
        tests=(ENVELOPE,),
    ),
    Mutant(
        name="between gateway and guard a message's own header is read",
        file="gateway/protocol/jws.py",
        old='    if token.partition(b".")[0] != kind.header(kid):\n',
        new="    if not parts.header:\n",
        tests=(ENVELOPE,),
    ),
    Mutant(
        name="the gateway believes an answer of the guard that is long in coming",
        file="gateway/runtime/guard_client.py",
        old="answered = asked if asked is not None and now - asked.at <= ANSWER_TIMEOUT_S else None",
        new="answered = asked",
        tests=("tests/gateway/integrations/lock_guard/test_guarded.py",),
    ),
    Mutant(
        name="the broker says which question a guard's message answers",
        file="gateway/runtime/guard_client.py",
        old=("            correlation=None if answered is None else answered.correlation,\n        )\n"),
        new=("            correlation=incoming.correlation,\n        )\n"),
        tests=("tests/gateway/integrations/lock_guard/test_guarded.py",),
    ),
    Mutant(
        name="the guard takes a bridge's memory for an answer",
        file=RULES,
        old="if asked is None or not is_settled or (",
        new="if asked is None or (",
        tests=(TESTS,),
    ),
    Mutant(
        name="the guard takes a move as it happens for an answer",
        file=RULES,
        old="                    self.on_bolt_report(report, None)  # a move",
        new="                    self.on_bolt_report(report, self.match_query(event))  # a move",
        tests=(TESTS,),
    ),
    Mutant(
        name="the gateway believes a guard's message twice",
        file="gateway/runtime/guard_client.py",
        old="if claims.seq <= guard.seqs.get(claims.part, 0):",
        new="if claims.seq < 0:",
        tests=("tests/gateway/integrations/lock_guard/test_guarded.py",),
    ),
    Mutant(
        name="the gateway believes a boot of the guard that nobody asked after",
        file="gateway/runtime/guard_client.py",
        old=(
            "        if claims.boot != guard.boot:\n"
            "            if answered is None:  # perhaps it began anew, perhaps it is an old "
            "tale: it is asked\n"
        ),
        new=(
            "        if claims.boot != guard.boot:\n"
            "            if False:  # perhaps it began anew, perhaps it is an old tale: it is asked\n"
        ),
        tests=("tests/gateway/integrations/lock_guard/test_guarded.py",),
    ),
)
