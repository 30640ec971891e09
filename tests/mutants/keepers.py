"""Faults in who may take the key of a key safe, and in who is named as its holder."""

from tests.mutants.mutant import Mutant

RULES = "tests/gateway/domain/visit/test_keepers.py"
SEEDS = "tests/gateway/domain/visit/test_seeds.py"
HOUSE = "tests/gateway/config/test_keepers.py"
STORE = "tests/gateway/storage/test_keepers.py"
RUNTIME = "tests/gateway/runtime/test_keepers.py"
PAGES = "tests/gateway/web/test_keeper_page.py"
SCAN, PREDICATES = "gateway/domain/visit/scan.py", "gateway/domain/visit/predicates.py"
KEPT = "gateway/storage/keepers.py"

MUTANTS = (
    Mutant(
        name="a safe of keepers opens for the parcel alone",
        file=SCAN,
        old="proven = keeper is not None if is_for_keeper else",
        new="proven = True if is_for_keeper else",
        tests=(RULES,),
    ),
    Mutant(
        name="a courier's token replaces a keeper's code",
        file=SCAN,
        old="    if is_for_keeper and match.kind is CodeKind.COURIER:",
        new="    if is_for_keeper and match.kind is CodeKind.KEEPER:",
        tests=(RULES,),
    ),
    Mutant(
        name="any keeper of the house may take any key",
        file=PREDICATES,
        old="return rules.holder is Holder.KEEPER and keeper.keeper in rules.keepers and not keeper.withdrawn",
        new="return rules.holder is Holder.KEEPER and not keeper.withdrawn",
        tests=(RULES,),
    ),
    Mutant(
        name="a withdrawn code continues to open",
        file=PREDICATES,
        old="return rules.holder is Holder.KEEPER and keeper.keeper in rules.keepers and not keeper.withdrawn",
        new="return rules.holder is Holder.KEEPER and keeper.keeper in rules.keepers",
        tests=(RULES,),
    ),
    Mutant(
        name="a keeper's code opens where couriers act",
        file=PREDICATES,
        old="return rules.holder is Holder.KEEPER and keeper.keeper in rules.keepers and not keeper.withdrawn",
        new="return keeper.keeper in rules.keepers and not keeper.withdrawn",
        tests=(RULES,),
    ),
    Mutant(
        name="an intent does not look whether its keeper counts",
        file=PREDICATES,
        old="    if state.visit is not None and (refusal := keeper_refusal(state.rules, state.visit.keeper))",
        new="    if state.stopped and (refusal := keeper_refusal(state.rules, None))",
        tests=(RULES, SEEDS),
    ),
    Mutant(
        name="a withdrawal waits until the visit that rings is over",
        file=SCAN,
        old="        step.visit = replace(visit, keeper=replace(visit.keeper, withdrawn=True))",
        new="        step.visit = replace(visit, keeper=replace(visit.keeper, withdrawn=visit.unlock_intent))",
        tests=(RULES,),
    ),
    Mutant(
        name="a withdrawn code that waits for a parcel continues to wait",
        file=SCAN,
        old="pending.keeper.code in codes:\n        expire_pending_scan(step)",
        new="pending.keeper.code not in codes:\n        expire_pending_scan(step)",
        tests=(RULES,),
    ),
    Mutant(
        name="a parcel of another version begins with a keeper's code",
        file=SCAN,
        old="    return _is_same_order(pending, delivery) or delivery.refusal is not None",
        new="    return True",
        tests=(RULES,),
    ),
    Mutant(
        name="while the key is out another keeper begins",
        file=SCAN,
        old="    elif step.state.visit is not None and is_known:",
        new="    elif step.state.visit is not None and scan.matches:",
        tests=(RULES,),
    ),
    Mutant(
        name="a locked-out scanner still accepts keepers",
        file=SCAN,
        old="    elif attempts.locked_out:\n"
        "        known = _choose_match(step, scan.matches).delivery.id if scan.matches else None\n"
        "        _answer_no(step, scan, Refusal.LOCKED_OUT, delivery=known)\n"
        "    elif scan.keeper is not None:",
        new="    elif attempts.locked_out and scan.keeper is None:\n"
        "        known = _choose_match(step, scan.matches).delivery.id if scan.matches else None\n"
        "        _answer_no(step, scan, Refusal.LOCKED_OUT, delivery=known)\n"
        "    elif scan.keeper is not None:",
        tests=(RULES,),
    ),
    Mutant(
        name="the log does not name the keeper who took the key",
        file="gateway/domain/visit/decide.py",
        old='step.emit(c.LogNote(what=f"{mark}:{holder}" if holder else mark))',
        new="step.emit(c.LogNote(what=mark))",
        tests=(RULES,),
    ),
    Mutant(
        name="the alarm of a late key names nobody",
        file="gateway/domain/visit/door_open.py",
        old="c.RaiseAlarm(code=overdue.alarm, detail=visit.holder, closure=step.named(step.here.id))",
        new="c.RaiseAlarm(code=overdue.alarm, closure=step.named(step.here.id))",
        tests=(RULES, RUNTIME),
    ),
    Mutant(
        name="the owner does not learn that the key is taken",
        file="gateway/domain/visit/decide.py",
        old="            if mark in closure.announced_marks:",
        new="            if mark not in closure.announced_marks:",
        tests=(RULES,),
    ),
    Mutant(
        name="the store does not check the code of a visit's keeper",
        file="gateway/storage/decisions.py",
        old="    if keeper is None or keepers.counts(db, keeper.code):",
        new="    if keeper is None or not keeper.withdrawn:",
        tests=(STORE, RUNTIME),
    ),
    Mutant(
        name="a withdrawn code is looked up as one that counts",
        file=KEPT,
        old="withdrawn=row.withdrawn is not None)",
        new="withdrawn=False)",
        tests=(STORE,),
    ),
    Mutant(
        name="a withdrawn code still counts in the store",
        file=KEPT,
        old="SELECT 1 FROM keeper_code WHERE id = ? AND withdrawn IS NULL",
        new="SELECT 1 FROM keeper_code WHERE id = ?",
        tests=(STORE,),
    ),
    Mutant(
        name="withdrawing one keeper leaves the links that were made for him",
        file=KEPT,
        old='    db.execute("DELETE FROM keeper_link WHERE keeper = ?", (keeper,))\n    return withdraw(',
        new="    return withdraw(",
        tests=(STORE,),
    ),
    Mutant(
        name="a restored copy of the store lets withdrawn keepers in",
        file=KEPT,
        old='withdraw(db, db.column("SELECT id FROM keeper_code WHERE withdrawn IS NULL"), now, by=None)',
        new='withdraw(db, db.column("SELECT id FROM keeper_code WHERE withdrawn IS NOT NULL"), now, by=None)',
        tests=(STORE,),
    ),
    Mutant(
        name="a link gives a second phone a code",
        file=KEPT,
        old='    db.execute("DELETE FROM keeper_link WHERE id = ?", (ident,))\n    return True',
        new="    return True",
        tests=(STORE, PAGES),
    ),
    Mutant(
        name="the house file lets a keeper be where no key is",
        file="gateway/config/validation.py",
        old="    if entrance.holder is Holder.KEEPER and not has_key:",
        new="    if entrance.holder is Holder.KEEPER and has_key and not entrance.closures:",
        tests=(HOUSE,),
    ),
    Mutant(
        name="an unknown keeper is taken as it is",
        file="gateway/config/validation.py",
        old="        if keeper not in home.keepers:",
        new="        if not keeper:",
        tests=(HOUSE,),
    ),
    Mutant(
        name="a courier has to prove himself beside the keeper",
        file="gateway/config/home.py",
        old="return self.courier_proof and self.holder is Holder.COURIER",
        new="return self.courier_proof",
        tests=(HOUSE,),
    ),
    Mutant(
        name="a phone draws whatever code its cookie has",
        file="gateway/web/auth/keepers.py",
        old="return cookie if hmac.compare_digest(kept.value, courier_token_value(row.code.hex())) else None",
        new="return cookie",
        tests=(PAGES,),
    ),
    Mutant(
        name="a withdrawn phone stays signed in",
        file="gateway/web/auth/keepers.py",
        old="if known is None or (withdrawn and not self._has_key(row.keeper)):",
        new="if known is None:",
        tests=(PAGES,),
    ),
    Mutant(
        name="a keeper who has the key is signed out before he brings it back",
        file="gateway/web/auth/keepers.py",
        old="if known is None or (withdrawn and not self._has_key(row.keeper)):",
        new="if known is None or withdrawn:",
        tests=(PAGES,),
    ),
    Mutant(
        name="a keeper's page shows the parcels of every entrance",
        file="gateway/web/server/keeper_view.py",
        old="if section.holder is Holder.KEEPER and keeper in {None, *section.keepers}",
        new="if section.holder is Holder.KEEPER",
        tests=(PAGES,),
    ),
    Mutant(
        name="a keeper's link never expires",
        file="gateway/web/auth/keepers.py",
        old="is_over = self._clock.latest(now, row.made) - row.made >= LINK_LIFETIME",
        new="is_over = self._clock.latest(now, row.made) < row.made",
        tests=(PAGES,),
    ),
)
