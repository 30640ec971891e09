"""Faults in the yes for each opening, and in what keeps a door from closing on a robot."""

from tests.mutants.mutant import Mutant

RULES = "tests/gateway/domain/visit/test_supervision.py"
LIVES = "tests/gateway/domain/visit/test_supervised_lives.py"
ZONES = "tests/gateway/domain/test_robot_zone.py"
TOKENS = "tests/gateway/protocol/test_robot_token.py"
ZONE, TOKEN = "gateway/domain/robot_zone.py", "gateway/protocol/robot_token.py"
CONDITIONS = "tests/gateway/domain/visit/conditions/test_any_condition.py"
SUPERVISION, PREDICATES = "gateway/domain/visit/supervision.py", "gateway/domain/visit/predicates.py"
TRANSITIONS, DECIDE = "gateway/domain/visit/transitions.py", "gateway/domain/visit/decide.py"
STATE, FIT = "gateway/domain/visit/state.py", "gateway/domain/visit/conditions/robot_fit.py"

PERMITS, PERMIT_TESTS = "gateway/evidence/permits.py", "tests/gateway/evidence/test_permits.py"

DOORS, DOOR_TESTS = "gateway/runtime/robot_door.py", "tests/gateway/runtime/test_robot_door.py"

MUTANTS = (
    Mutant(
        name="a robot gets a challenge for each request",
        file=DOORS,
        old="if now.mono - self._challenged.get(key.robot, -math.inf) < CHALLENGE_INTERVAL_S:",
        new="if now.mono - self._challenged.get(key.robot, -math.inf) < -CHALLENGE_INTERVAL_S:",
        tests=(DOOR_TESTS,),
    ),
    Mutant(
        name="a robot that stands still counts as out",
        file=DOORS,
        old="is_fit=says_zones and drives_by_itself(report))",
        new="is_fit=says_zones)",
        tests=(DOOR_TESTS,),
    ),
    Mutant(
        name="a stored message of a robot counts",
        file=DOORS,
        old="        if retained or robot not in self._robots:",
        new="        if robot not in self._robots:",
        tests=(DOOR_TESTS,),
    ),
    Mutant(
        name="a wrong token costs a robot its challenge",
        file=DOORS,
        old="found.code is RejectionCode.WRONG_CLAIMS:",
        new="found.code is RejectionCode.TOO_LARGE:",
        tests=(DOOR_TESTS,),
    ),
    Mutant(
        name="a supervisor decides on a picture that another browser got",
        file="gateway/runtime/supervision.py",
        old="        if claims.yes and not self._was_served(who.session, claims):",
        new="        if claims.yes and not any(self._was_served(one, claims) for one in self._served):",
        tests=(DOOR_TESTS,),
    ),
    Mutant(
        name="a yes that another key signed permits an opening",
        file=TOKEN,
        old='        return RejectedMessage(payload, "the key did not sign it")',
        new="        payload = jws.split(token).payload",
        tests=(PERMIT_TESTS,),
    ),
    Mutant(
        name="a yes that was signed for another opening permits this one",
        file=PERMITS,
        old="claims.sub, claims.visit, claims.closure, claims.yes, claims"
        ".picture_sha256, claims.issued, claims.expires,\n            sha256(token)",
        new="claims.sub, claims.visit, found.closure, claims.yes, claims."
        "picture_sha256, claims.issued, claims.expires,\n            sha256(token)",
        tests=(PERMIT_TESTS,),
    ),
    Mutant(
        name="a yes that was signed on another picture permits the opening",
        file=PERMITS,
        old="claims.picture_sha256, claims.issued, claims.expires,\n            sha256(token)",
        new="found.picture_sha256, claims.issued, claims.expires,\n            sha256(token)",
        tests=(PERMIT_TESTS,),
    ),
    Mutant(
        name="a yes that was signed for another box permits the opening",
        file="gateway/evidence/route_check.py",
        old="        if box not in (None, signed_for):",
        new="        if box is None and signed_for:",
        tests=(PERMIT_TESTS,),
    ),
    Mutant(
        name="a manifest of version 7 may leave the keys out",
        file="gateway/evidence/manifest.py",
        old="        if are_signed(self.permits) != (self.version >= SIGNED_PERMITS_VERSION):",
        new="        if are_signed(self.permits) > (self.version >= SIGNED_PERMITS_VERSION):",
        tests=(PERMIT_TESTS,),
    ),
    Mutant(
        name="a proof may use a yes to another opening",
        file=PERMITS,
        old="if (found.visit, found.closure) != (reserve.visit, closure):",
        new="if found.visit != reserve.visit:",
        tests=(PERMIT_TESTS,),
    ),
    Mutant(
        name="a proof may use a yes twice",
        file=PERMITS,
        old="if reserve.permit in self.used:",
        new="if closure in self.used:",
        tests=(PERMIT_TESTS,),
    ),
    Mutant(
        name="a proof may use a yes that a no took back",
        file=PERMITS,
        old="if found.message_sha256 in self.withdrawn:",
        new="if closure in self.withdrawn:",
        tests=(PERMIT_TESTS,),
    ),
    Mutant(
        name="a verifier does not look at the yes",
        file="gateway/evidence/route_check.py",
        old="        if not is_excused:",
        new="        if not is_excused and fault.is_missing and fault.is_time:",
        tests=(PERMIT_TESTS,),
    ),
    Mutant(
        name="a yes counts for ever",
        file=SUPERVISION,
        old="permit is not None and now.mono < permit.until",
        new="permit is not None",
        tests=(RULES, LIVES),
    ),
    Mutant(
        name="the age of a yes is not counted",
        file=SUPERVISION,
        old="    left_s = min(yes_life_s - age_s,",
        new="    left_s = min(yes_life_s,",
        tests=(RULES, LIVES),
    ),
    Mutant(
        name="a yes counts longer than its message says",
        file=SUPERVISION,
        old="left_s = min(yes_life_s - age_s, (event.expires - step.now.utc).total_seconds())",
        new="left_s = yes_life_s - age_s",
        tests=(RULES,),
    ),
    Mutant(
        name="a yes to another opening is kept for it",
        file=SUPERVISION,
        old="    elif event.closure == question(step.state) and not",
        new="    elif event.closure and not",
        tests=(RULES,),
    ),
    Mutant(
        name="an intent does not name its yes",
        file=TRANSITIONS,
        old='permit="" if permit is None else permit.message_sha256',
        new='permit=""',
        tests=(RULES, LIVES),
    ),
    Mutant(
        name="a courier's delivery opens for a robot, and a robot's for a courier",
        file=PREDICATES,
        old="    if delivery.for_robot != (robot is not None) or not",
        new="    if not",
        tests=(RULES,),
    ),
    Mutant(
        name="any robot may come in",
        file=PREDICATES,
        old=" or not (robot is None or robot in state.rules.robots):",
        new=":",
        tests=(RULES,),
    ),
    Mutant(
        name="a door is locked while the robot is inside",
        file=STATE,
        old="return self.opened or (bool(self.entry.obeyed) and not self.entry.observed_throughout)",
        new="return False",
        tests=(RULES,),
    ),
    Mutant(
        name="the bell speaks for the robot",
        file=DECIDE,
        old="    if step.state.visit is None or step.visit.robot is None:",
        new="    if step.state.visit is not None:",
        tests=(RULES,),
    ),
    Mutant(
        name="another robot speaks for the robot",
        file=SUPERVISION,
        old="visit.robot != event.holder or visit.holder_left or visit.holder_astray",
        new="visit.holder_left or visit.holder_astray",
        tests=(RULES,),
    ),
    Mutant(
        name="a robot that says that it left is believed against the light beam",
        file=SUPERVISION,
        old="    if step.visit.courier_left:\n",
        new="    if step.visit.robot:\n",
        tests=(RULES,),
    ),
    Mutant(
        name="a stopped robot counts as fit",
        file=FIT,
        old="is_stopped = report.emergency_stop is not False or report.field_violation is not False",
        new="is_stopped = report.field_violation is not False",
        tests=(CONDITIONS,),
    ),
    Mutant(
        name="an old good state of a robot counts",
        file=FIT,
        old="if not (old and is_fit):",
        new="if device:",
        tests=(CONDITIONS,),
    ),
    Mutant(
        name="a lost robot inside raises no alarm",
        file=FIT,
        old=" and _fitness(view) in (RobotFitness.UNFIT, RobotFitness.LOST)",
        new=" and _fitness(view) is RobotFitness.UNFIT",
        tests=(CONDITIONS,),
    ),
    Mutant(
        name="a restart locks a door on a robot",
        file="gateway/domain/visit/securing.py",
        old="    if step.visit.awaits_exit:",
        new="    if step.visit.awaits_exit and step.visit.courier_left:",
        tests=(RULES, LIVES),
    ),
    Mutant(
        name="a robot is let in as soon as somebody says yes",
        file=ZONE,
        old="PASSABLE_PHASES = frozenset({Phase.UNLOCKED, Phase.INSIDE})",
        new="PASSABLE_PHASES = frozenset({Phase.APPROVING, Phase.UNLOCKING, Phase.UNLOCKED, Phase.INSIDE})",
        tests=(ZONES,),
    ),
    Mutant(
        name="a stop revokes nothing",
        file=ZONE,
        old="        if visit.phase in PASSABLE_PHASES and not is_withdrawn:",
        new="        if visit.phase in PASSABLE_PHASES:",
        tests=(ZONES,),
    ),
    Mutant(
        name="a robot that says that it is revoked counts as out",
        file=ZONE,
        old="    return robot not in zone.strayed and all(key.robot != robot for key in zone.requests)",
        new="    return all(one.status is not ZoneStatus.GRANTED for one in zone.requests.values())",
        tests=(ZONES,),
    ),
    Mutant(
        name="a robot that a person drives counts as out",
        file=ZONE,
        old="zone.strayed if is_driving else zone.strayed | {robot}",
        new="zone.strayed if is_driving else zone.strayed - {robot}",
        tests=(ZONES,),
    ),
    Mutant(
        name="a robot that drives again without a request counts as out",
        file=ZONE,
        old="    if is_driving and reported:",
        new="    if is_driving:",
        tests=(ZONES,),
    ),
    Mutant(
        name="a request while a person drives ends the doubt where the robot is",
        file=ZONE,
        old="    if is_driving and reported:",
        new="    if reported:",
        tests=(ZONES,),
    ),
    Mutant(
        name="a restart forgets that nobody knows where the robot is",
        file=ZONE,
        old="    return Zone(strayed=frozenset({visit.robot}))",
        new="    return Zone()",
        tests=(ZONES,),
    ),
    Mutant(
        name="the entrance believes that a robot left of which nobody knows where it is",
        file=SUPERVISION,
        old="or visit.holder_left or visit.holder_astray:",
        new="or visit.holder_left:",
        tests=(RULES,),
    ),
    Mutant(
        name="a robot that may have gone in unseen is not waited for",
        file=STATE,
        old=" or (bool(self.entry.obeyed) and not self.entry.observed_throughout)",
        new="",
        tests=(RULES,),
    ),
    Mutant(
        name="the doubt where the robot is, is not stored",
        file=SUPERVISION,
        old="visit = step.visit = replace(visit, holder_astray=event.is_astray)",
        new="visit = step.visit = replace(visit, holder_astray=False)",
        tests=(LIVES,),
    ),
    Mutant(
        name="a token answers any challenge",
        file=TOKEN,
        old="claims.sub != robot or claims.nonce != nonce",
        new="claims.sub != robot",
        tests=(TOKENS,),
    ),
    Mutant(
        name="the key of another operator proves a robot",
        file=TOKEN,
        old="    if claims.iss != key.brand:",
        new="    if not claims.iss:",
        tests=(TOKENS,),
    ),
    Mutant(
        name="a yes needs no picture",
        file=TOKEN,
        old="    if claims.yes and claims.picture_sha256 is None:",
        new="    if claims.yes and claims.picture_sha256 == '':",
        tests=(TOKENS,),
    ),
    Mutant(
        name="a state that says nothing of requests says that the robot left",
        file=DOORS,
        old="is_fit=says_zones and drives_by_itself(report))",
        new="is_fit=drives_by_itself(report))",
        tests=(DOOR_TESTS,),
    ),
    Mutant(
        name="a zone of that id counts in any zone set",
        file=DOORS,
        old="and self._section.zone_set in (None, request.zone_set)",
        new="and True",
        tests=(DOOR_TESTS,),
    ),
)
