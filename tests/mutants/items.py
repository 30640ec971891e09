"""Faults of items with limits of their own: what opens, what is judged, and what a scan inside does."""

from tests.mutants.mutant import Mutant

_CONDITION = "gateway/domain/visit/conditions/cold_chain.py"
_VERDICT = "gateway/domain/delivery/cold_verdict.py"
_READER = "gateway/protocol/cold_chain.py"
_SCAN = "gateway/domain/visit/scan.py"
_LIMITS = "tests/gateway/domain/delivery/test_temperature.py"
_JUDGED = "tests/gateway/domain/delivery/test_cold_verdict.py"
_DOOR = "tests/gateway/domain/visit/test_items.py"
_READ = "tests/gateway/protocol/test_cold_chain.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="the looser of two maxima counts",
        file="gateway/domain/delivery/temperature.py",
        old="return Limits(min_c=max(minima, default=None), max_c=min(maxima, default=None))",
        new="return Limits(min_c=max(minima, default=None), max_c=max(maxima, default=None))",
        tests=(_LIMITS,),
    ),
    Mutant(
        name="a minus sign on a label is read over",
        file="gateway/domain/delivery/temperature.py",
        old='return -value if text.endswith("-") else value',
        new="return value",
        tests=(_LIMITS,),
    ),
    Mutant(
        name="a limit of 0 °C is no limit",
        file="gateway/domain/delivery/features.py",
        old="return value is not None and value is not False and value not in ([], {})",
        new="return value not in (None, False, [], {})",
        tests=("tests/gateway/domain/delivery/test_features.py",),
    ),
    Mutant(
        name="air that is too cold opens",
        file=_CONDITION,
        old="elif limits.is_too_cold(celsius):",
        new="elif False:",
        tests=(_DOOR,),
    ),
    Mutant(
        name="what the household counted does not count",
        file=_CONDITION,
        old="if place in view.full_places:",
        new="if False:",
        tests=(_DOOR,),
    ),
    Mutant(
        name="a basket for which there is just room finds the fridge full",
        file="gateway/domain/delivery/candidate.py",
        old="if things > room.get(place, things)",
        new="if things >= room.get(place, things + 1)",
        tests=("tests/gateway/storage/test_free_room.py",),
    ),
    Mutant(
        name="what was brought is taken off at each result",
        file="gateway/storage/decisions.py",
        old="SELECT 1 FROM visit WHERE id = ? AND house IS NULL AND intent = 'spent'",
        new="SELECT 1 FROM visit WHERE id = ? AND intent = 'spent'",
        tests=("tests/gateway/storage/test_free_room.py",),
    ),
    Mutant(
        name="a visit that opened nothing takes room",
        file="gateway/storage/decisions.py",
        old="SELECT 1 FROM visit WHERE id = ? AND house IS NULL AND intent = 'spent'",
        new="SELECT 1 FROM visit WHERE id = ? AND house IS NULL",
        tests=("tests/gateway/storage/test_free_room.py",),
    ),
    Mutant(
        name="a place of which nobody knows whether it is full has room",
        file=_CONDITION,
        old="return isinstance(report, RoomReported) and report.full is False",
        new="return not (isinstance(report, RoomReported) and report.full)",
        tests=(_DOOR,),
    ),
    Mutant(
        name="the label of the first code is forgotten when the courier's code comes",
        file=_SCAN,
        old="delivery = delivery.with_labels(pending.label_limits)",
        new="pass",
        tests=(_DOOR,),
    ),
    Mutant(
        name="a scan at the fridge begins a visit",
        file=_SCAN,
        old="is_inside = scan.scanner in step.state.rules.place_scanners",
        new="is_inside = False",
        tests=(_DOOR,),
    ),
    Mutant(
        name="an item with a gap is conformant",
        file=_VERDICT,
        old="return ColdVerdict.UNKNOWN if reasons else ColdVerdict.CONFORMANT",
        new="return ColdVerdict.CONFORMANT",
        tests=(_JUDGED,),
    ),
    Mutant(
        name="air that was unknown for a time is no gap",
        file=_VERDICT,
        old="any(sample.celsius is None for sample in relevant if sample is not before)",
        new="False",
        tests=(_JUDGED,),
    ),
    Mutant(
        name="air from before the item was stowed counts as air after it",
        file=_VERDICT,
        old="_range(sample for sample in relevant if sample.at > stowed_at)",
        new="_range(sample for sample in relevant)",
        tests=(_JUDGED,),
    ),
    Mutant(
        name="a scan at another place counts",
        file=_READER,
        old="elif place == item.place:",
        new="elif place:",
        tests=(_READ,),
    ),
    Mutant(
        name="a lost broker leaves the air known",
        file=_READER,
        old="elif event.event in _OBSERVATION_ENDS:",
        new="elif False:",
        tests=(_READ,),
    ),
    Mutant(
        name="a reading that says the same again is no evidence",
        file="gateway/runtime/entrance.py",
        old="return is_repeated or isinstance(event, e.UnlockPublished)",
        new="return isinstance(event, e.UnlockPublished)",
        tests=("tests/gateway/runtime/test_log_limits.py",),
    ),
    Mutant(
        name="the manifest has no cold chain",
        file="gateway/evidence/route.py",
        old="cold_chain=read_cold_chain(bodies),",
        new="cold_chain=None,",
        tests=("tests/gateway/evidence/test_cold_chain.py",),
    ),
    Mutant(
        name="an item goes to a place that the owner does not permit",
        file="gateway/domain/delivery/permission.py",
        old="places = {order.place, *(item.place for item in order.items)}",
        new="places = {order.place}",
        tests=("tests/gateway/domain/delivery/test_permission.py",),
    ),
    Mutant(
        name="in a life, a time without a broker or a gateway is no gap",
        file=_READER,
        old='_OBSERVATION_ENDS = frozenset({"BrokerDown", "BrokerUp", "Restarted"})',
        new="_OBSERVATION_ENDS: frozenset[str] = frozenset()",
        tests=("tests/gateway/evidence/test_baskets_of_lives.py",),
    ),
    Mutant(
        name="in a life, an item that came late is conformant",
        file=_VERDICT,
        old="seconds is not None and seconds > max_seconds,",
        new="seconds is not None and seconds > 10 * max_seconds,",
        tests=("tests/gateway/evidence/test_baskets_of_lives.py",),
    ),
    Mutant(
        name="in a life, warm air is conformant",
        file=_VERDICT,
        old="ColdReason.TOO_WARM: any(map(limits.is_too_warm, measured)),",
        new="ColdReason.TOO_WARM: False,",
        tests=("tests/gateway/evidence/test_baskets_of_lives.py",),
    ),
)
