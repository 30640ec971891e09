"""Faults in what stands around the door: who is home, the alarm panel."""

from tests.mutants.words import Mutant

RESIDENTS = "tests/gateway/visit/test_residents.py"
SURROUNDINGS = "tests/gateway/test_surroundings.py"

MUTANTS = (
    Mutant(
        name="who is not known to be away is away",
        file="gateway/visit/residents.py",
        old="state.presence.get(name, Presence.UNKNOWN) is not Presence.UNKNOWN",
        new="state.presence.get(name, Presence.AWAY) is not Presence.UNKNOWN",
        tests=(RESIDENTS,),
    ),
    Mutant(
        name="a panel that nobody has heard is disarmed",
        file="gateway/visit/residents.py",
        old="state.panel is Panel.DISARMED or",
        new="state.panel in (Panel.DISARMED, Panel.UNKNOWN) or",
        tests=(RESIDENTS,),
    ),
    Mutant(
        name="what was known of the household outlives a broken link",
        file="gateway/visit/residents.py",
        old="replace(step.state, presence={}, panel=Panel.UNKNOWN)",
        new="replace(step.state)",
        tests=(RESIDENTS,),
    ),
    Mutant(
        name="a retailer reads that the alarm is armed",
        file="gateway/visit/readiness.py",
        old="SHUT if word == PANEL else word for word in lacking",
        new="word for word in lacking",
        tests=(RESIDENTS,),
    ),
    Mutant(
        name="a stored disarmed counts",
        file="gateway/surroundings.py",
        old="if not (old and (panel in NEVER_OLD or panel in bypassed)):",
        new="if panel is not None:",
        tests=(SURROUNDINGS,),
    ),
    Mutant(
        name="a thermometer that fell silent is believed for ever",
        file="gateway/surroundings.py",
        old="and mono - at > found.silence",
        new="and mono - at > found.silence + 1e9",
        tests=(SURROUNDINGS,),
    ),
)
