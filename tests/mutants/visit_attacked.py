"""Faults in what an attacker at the door, or a lock that obeys late, may bring about."""

from tests.mutants.words import Mutant

VISIT = "tests/gateway/visit/"
LATE = f"{VISIT}test_late.py"
SEEDS = f"{VISIT}test_seeds.py"
CONFIG = "tests/gateway/test_config.py"

MUTANTS = (
    Mutant(
        name="a guarded lock is trusted to obey no unlock late",
        file="gateway/visit/film.py",
        old="if visit.opened or visit.unanswered or not step.state.rules.guarded:",
        new="if visit.opened or not step.state.rules.guarded:",
        tests=(LATE,),
    ),
    Mutant(
        name="the simulated lives never miss the watch over an unanswered unlock",
        file="gateway/visit/film.py",
        old="if visit.opened or visit.unanswered or not step.state.rules.guarded:",
        new="if visit.opened or not step.state.rules.guarded:",
        tests=(SEEDS,),
    ),
    Mutant(
        name="the watch over an unanswered unlock ends without a proof",
        file="gateway/visit/late.py",
        old="if watch is not None and watch.hold_over and locked(step.state) and closed(step.state):",
        new="if watch is not None and watch.hold_over:",
        tests=(LATE,),
    ),
    Mutant(
        name="a late unlock without a source passes for the household's hand",
        file="gateway/visit/household.py",
        old="""    if unlock_unanswered(step.state):
        return report.source in HANDS
""",
        new="",
        tests=(LATE,),
    ),
    Mutant(
        name="an opening is given back though its unlock was never answered",
        file="gateway/visit/passage.py",
        old="visit.unbroken and step.state.rules.door_answers and not visit.unanswered",
        new="visit.unbroken and step.state.rules.door_answers",
        tests=(LATE,),
    ),
    Mutant(
        name="a second unlock leaves while the first may still act",
        file="gateway/visit/rules.py",
        old=" and not state.safe_mode and not unlock_held(state)",
        new=" and not state.safe_mode",
        tests=(LATE,),
    ),
    Mutant(
        name="a restart shortens the watch over an unanswered unlock",
        file="gateway/visit/restart.py",
        old="        film.begin_watch(step)\n",
        new="        step.arm(Why.WATCH, state.rules.watch)\n",
        tests=(LATE,),
    ),
    Mutant(
        name="a lock that may obey late is not asked",
        file="gateway/visit/decide.py",
        old="if state.session is None or relocks or not (held or (matters and not good)):",
        new="if state.session is None or relocks or not matters or good:",
        tests=(LATE,),
    ),
    Mutant(
        name="a guard's radio is taken to hold a command no longer than any",
        file="gateway/equipment.py",
        old='LONG_HOLDING = frozenset({"zigbee2mqtt", "guard"})',
        new='LONG_HOLDING = frozenset({"zigbee2mqtt"})',
        tests=(CONFIG,),
    ),
)
