"""The invariants of safety, held against what physically happened and not against the gateway's word.

The numbers are those of the safety reference: I1 one withdrawal an intent, I2 openings bounded, I3 filmed, I5 never
twice, I6 nothing uncertain, I7 ends locked or handed over, I8 "locked" needs a fresh answer, I9 nothing after a stop,
I10 never lock an open door, I11 what is safe goes on without a store, I16 wrong codes bounded.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from typing import TYPE_CHECKING

from devices.reports import BatteryLevel, DoorReport, DoorState, LockReport, LockState
from gateway.domain.delivery.result import CollectResult, DoorResult
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.closures.bolted_door import NOT_LOCKED
from gateway.domain.visit.state import CodeKind, Entrance, Phase
from tests.house.door import is_closed, is_locked
from tests.house.rules import door_answers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.house.house import SimulatedHome as SimulatedHouse
    from tests.house.promise import SimulatedDelivery

NEVER_S = -1e9
MAX_WRONG_CODES_PER_WINDOW = 3 * 4  # three labels of at most four codes
# And one more after each quarter of an hour for which that locked the scanner out
MAX_DIFFERENT_CODES_PER_HOUR = 20 + 4
PREFLIGHT_INTERVAL_S = 62.0


class Oracle:
    """Looks on; asserts; counts what was seen, so that a run in which nothing happened does not pass."""

    def __init__(self, house: SimulatedHouse) -> None:
        self.house = house
        self.seen: Counter[str] = Counter()
        self.published: dict[str, float] = {}
        self.released: set[str] = set()
        self.claimed: set[str] = set()  # "locked again" was said of the visit
        self.proven_parts: set[tuple[str, int]] = set()  # and while this part of its film ran
        self.results: Counter[str] = Counter()
        self.lock_asked = self.lock_made = NEVER_S  # the newest "locked" answer: asked, and made by the lock
        self.locked_answers: deque[tuple[float, float]] = deque(maxlen=50)  # (asked, heard)
        self.door_asked = self.door_made = NEVER_S
        self.locked_sent = NEVER_S
        self.scanned_at: dict[str, float] = {}
        self.scan_times: dict[str, tuple[dict[str, float], e.Scanned]] = {}
        self.begun_at: dict[str, float] = {}
        self.rang: set[str] = set()
        self.answered_at = NEVER_S
        self.yes: set[str] = set()
        self.unknown: dict[str, dict[str, float]] = {}
        self.hour: dict[str, dict[str, float]] = {}
        self.clears: Counter[str] = Counter()
        self.alarmed_at = NEVER_S
        self.held: set[str] = set()  # visits whose unlock a radio held
        self.late_at: float | None = None  # since when the bolt is back by a held unlock, after "locked again" was said
        self.late_told = False  # and the owner was alarmed since
        self.taken = defaultdict[str, set[str]](set)  # visit -> the returns that were scanned inside
        self.lost_cameras: set[tuple[str, int, str]] = set()  # (visit, part, camera)

    # ---- what reaches the gateway -----------------------------------------------------------------------------------

    def matches(self, code: str) -> Iterator[e.CodeMatch]:
        """Whose code it is: the store's index."""
        for promise in self.house.promises.values():
            if code in promise.parcels:
                on_label = {code: limits} if (limits := promise.label_limits.get(code)) is not None else {}
                yield e.CodeMatch(kind=CodeKind.PARCEL, delivery=promise.facts().with_labels(on_label))
            elif code in promise.collect:
                yield e.CodeMatch(kind=CodeKind.COLLECT, delivery=promise.facts())
            elif code == promise.courier:
                yield e.CodeMatch(kind=CodeKind.COURIER, delivery=promise.facts())

    def feeds(self, event: e.Event) -> None:
        """Remember what a later intent needs."""
        match event:
            case e.Scanned(id=scan):
                self.begun_at.setdefault(scan, self.house.t)
            case e.BellConfirmed(visit=visit):
                self.rang.add(visit)
            case e.HouseholdAnswered() | e.HomeChanged(somebody_home=True):
                self.answered_at = self.house.t
            case e.OwnerDecided(visit=visit, yes=yes):
                (self.yes.add if yes else self.yes.discard)(visit)
            case _:
                pass

    def scans(self, scan: e.Scanned) -> None:
        """Remember who scanned what and when, to judge the courier's proof."""
        visit = self.house.mem.visit
        if visit is not None and scan.code in visit.delivery.collect and self._was_open_in(visit.id):
            self.taken[visit.id].add(scan.code)
        if not scan.retained:
            self.scanned_at[scan.code] = self.house.t
            self.scan_times[scan.id] = (dict(self.scanned_at), scan)

    def _was_open_in(self, visit: str) -> bool:
        """Whether the leaf stood open since the visit's order to open left the box."""
        ordered = self.published.get(visit, float("inf"))
        return self.house.premises.door_open or self.house.premises.last_leaf >= ordered

    def _check_collected(self, told: c.ReportParcelResult) -> None:
        """What is called collected was scanned inside: after the door of this visit had stood open."""
        due = next(x.collect for x in self.house.promises.values() if x.id == told.delivery)
        if told.collected is None:
            return
        self.seen[f"with it {told.collected}"] += 1
        lacking = due - self.taken[told.visit]
        assert told.collected is not CollectResult.COLLECTED or not lacking, "a return is called collected unscanned"
        assert told.collected is CollectResult.NOT_COLLECTED or self.taken[told.visit], "collected without any scan"

    def hears_lock(self, report: LockReport, heard: e.ReportContext, made: float) -> None:
        """Keep the newest "locked" that answers a question."""
        current = heard.session == self.house.session
        if report.bolt is LockState.LOCKED and heard.answers is not None and current:
            asked = self.house.asked[heard.answers]
            self.locked_answers.append((asked, self.house.t))
            if asked > self.lock_asked:
                self.lock_asked, self.lock_made = asked, made

    def hears_door(self, report: DoorReport, heard: e.ReportContext, made: float) -> None:
        """Keep the newest "closed" that answers a question; a basic door's live word counts too."""
        current = heard.session == self.house.session
        basic = not door_answers(self.house.rules)
        if report.door is DoorState.CLOSED and current and (basic or heard.answers is not None):
            asked = made if heard.answers is None else self.house.asked[heard.answers]
            if asked >= self.door_asked:
                self.door_asked, self.door_made = asked, made

    # ---- what the gateway commits -----------------------------------------------------------------------------------

    def intends(self, reserve: c.ReserveOpening, new: Entrance, promise: SimulatedDelivery) -> None:
        """At the moment of an intent everything must hold, in truth."""
        house = self.house
        assert promise.refusal is None, "I9 intent after a cancellation or revocation"
        assert not house.stopped, "I9 intent after the owner's stop"
        is_own = promise.errand.for_household
        assert is_own or not house.paused(), "I9 intent in a pause"
        stay = house.stay_now()
        is_admitted = stay is None or (stay.admits_deliveries and not house.rules.is_filmed)
        assert is_own or is_admitted, "I31 a courier comes in while guests stay"
        assert not house.faults.untrusted, "I1 intent with an untrusted clock"
        assert promise.start <= house.t < promise.end, "I1 intent outside the window"
        assert promise.entrance == "front", "I1 intent at the wrong entrance"
        assert promise.used < promise.allowance, "I2 more openings reserved than allowed"
        assert promise.withdrawals < 2 * promise.allowance, "I2 more withdrawals reserved than allowed"
        assert reserve.visit not in house.intents, "I5 an intent's id twice"
        assert house.session is not None, "I6 no broker"
        assert not house.faults.disk, "I6 no disk"
        if promise.errand.is_filmed and stay is None:
            self._check_film(reserve.visit)
        assert house.faults.battery is not BatteryLevel.CRITICAL, "I6 the lock's battery is nearly empty"
        assert house.premises.bolt_out or house.premises.last_bolt >= self.lock_made, "I6 the bolt was not locked"
        door_moved = house.premises.last_leaf >= self.door_made
        assert not house.premises.door_open or door_moved, "I6 the door was not closed"
        assert not new.safe_mode, "I6 intent in safe mode"
        assert not (promise.cold and house.faults.warm), "a warm fridge for a cold chain"
        assert is_own or not new.somebody_home, "intent though somebody is home"
        may_open = house.followed.may_open()
        assert is_own or may_open, "I6 intent though somebody who is followed is home, or a siren would answer"
        if promise.errand.rings:
            rung_for = house.t - self.begun_at[reserve.visit]
            assert rung_for > house.rules.timing.ring - 0.001, "nobody had the time to say no"
            assert reserve.visit in self.rang, "the bell never rang"
        assert is_own or self.answered_at <= self.begun_at[reserve.visit], "somebody answered"
        assert reserve.visit in self.yes or not promise.needs_yes, "nobody said yes"
        self._check_codes(reserve.visit, promise)
        self.seen["intent"] += 1

    def _check_film(self, visit: str) -> None:
        """Every camera films this visit, and sees the courier move."""
        house = self.house
        assert not house.faults.camera, "I6 a camera is down"
        assert not house.faults.still, "I6 the courier is not seen moving"
        assert house.clip == visit, "I3 no film of this visit runs"
        recording = all(house.camera_state(name).recording for name in house.rules.cameras)
        assert recording, "I3 the first fragment is not on disk"

    def _check_privacy(self) -> None:
        """I31, by what the cameras do: nothing is filmed in a stay, nor an errand that is not filmed, ever."""
        house = self.house
        private = {visit for visit, of in house.intents.items() if not house.promises[of].errand.is_filmed}
        running = house.mem.visit
        if running is not None and not running.delivery.errand.is_filmed:
            private.add(running.id)
        assert private.isdisjoint(house.clips), "I31 a private errand is filmed"
        if house.stay_now() is not None and not house.faults.untrusted and house.stay_now(house.mem) is not None:
            assert not house.clips, f"I31 filmed in a stay: {house.clips}"
            self.seen["stay"] += 1

    def _check_codes(self, visit: str, promise: SimulatedDelivery) -> None:
        """The visit began with a code of this delivery, and with the courier's proof near it where that is asked."""
        times, scan = self.scan_times[visit]
        assert scan.code in promise.parcels | {promise.courier}, "I1 another delivery's code, or one of a return"
        if promise.alone:
            return  # its courier's code is the one that began it
        parcel = max((times[code] for code in promise.parcels if code in times), default=NEVER_S)
        assert parcel > NEVER_S, "I1 no parcel was scanned"
        if promise.needs_courier:
            courier = times.get(promise.courier, NEVER_S)
            assert abs(parcel - courier) <= self.house.rules.timing.courier + 1, "I1 courier not proven"

    def releases(self, release: c.ReleaseOpening) -> None:
        """An opening comes back only if nobody can have used it."""
        visit = release.visit
        assert visit not in self.released, "I5 given back twice"
        self.released.add(visit)
        if release.withdrawal:
            assert visit not in self.published, "I5 given back as unsent, though it was published"
        elif self.house.guarded:
            used = [at for at, by in self.house.premises.openings if by == visit]
            assert not used, "I5 given back though the door was opened"
        self.seen["release unsent" if release.withdrawal else "release never entered"] += 1

    def moved(
        self,
        event: e.Event,
        old: Entrance,
        new: Entrance,
        commands: tuple[c.Command, ...],
    ) -> None:
        """Every step from one state to the next."""
        for command in commands:  # a claim counts even when it could not be stored and is not told
            if isinstance(command, c.ReportDoorResult) and command.door_result is DoorResult.LOCKED_AGAIN:
                assert old.visit is not None
                self.proven_parts.add((command.visit, old.visit.recording.part))
                self._check_locked_again(command.visit)
        before = old.visit.phase if old.visit else "ready"
        after = new.visit.phase if new.visit else "ready"
        if before != after:
            self.seen[f"phase {after}"] += 1
        if isinstance(event, e.Scanned) and event.retained:
            answered = [x for x in commands if isinstance(x, c.AnswerScan) and x.scan == event.id]
            begun = new.visit is not None and new.visit.id == event.id
            kept = new.pending_scan is not None and new.pending_scan.scan == event.id
            assert not any((answered, begun, kept)), "a retained scan was acted on"
        if old.visit is not None and old.visit.unlock_intent and new.visit is None:
            unsent = any(isinstance(x, c.ReleaseOpening) and x.withdrawal for x in commands)
            ended = old.visit.door_result in (DoorResult.LOCKED_AGAIN, DoorResult.HANDED_TO_OWNER)
            assert unsent or ended, "I7 a visit ended without a house result"
        if before == after == Phase.HANDED_TO_OWNER and not isinstance(event, e.Restarted):
            assert self.house.t - self.alarmed_at <= PREFLIGHT_INTERVAL_S, "I7 the alarm does not go on"

    # ---- what the gateway does --------------------------------------------------------------------------------------

    def publishes(self, visit: str) -> None:
        """An unlock leaves the box."""
        assert visit not in self.published, "I5 an unlock sent twice"
        assert visit in self.house.intents, "I1 an unlock without a durable intent"
        self.published[visit] = self.house.t
        self.seen["unlock published"] += 1

    def performs(self, command: c.Command) -> None:
        """Everything else that it does."""
        match command:
            case c.AnswerScan(refusal=refusal):
                if refusal is not None:
                    self.seen[f"refusal {refusal}"] += 1
                elif command.answer is c.ScanAnswer.WAIT:  # it may excuse its own label, once
                    self.unknown.pop(command.scanner, None)
                self._check_guess_limit(command)
            case c.RaiseAlarm(code=code, detail=detail):
                self.seen[f"alarm {code}"] += 1
                if code in (c.AlarmCode.NOT_LOCKED, c.AlarmCode.BOLT_IN_THE_AIR, c.AlarmCode.ROBOT_STRANDED):
                    self.alarmed_at = self.house.t
                if code in (c.AlarmCode.LATE_UNLOCK, c.AlarmCode.UNEXPECTED_UNLOCK):
                    self.late_told = True
                visit_now = self.house.mem.visit
                if code is c.AlarmCode.CAMERA_LOST and visit_now is not None:
                    self.lost_cameras.add((visit_now.id, visit_now.recording.part, detail))
            case c.Lock():
                self._check_lock()
            case c.LogNote(what=what):
                self.seen["LogNote"] += 1
                self.seen[what] += 1
                if what == "lockup_proven":
                    self._check_lock_request()
            case c.ReportParcelResult(visit=visit, outcome=outcome):
                self.results[visit] += 1
                assert self.results[visit] == 1, "a parcel's result told twice"
                self.seen[f"outcome {outcome}"] += 1
                self._check_collected(command)
            case c.StopRecording(visit=visit, part=part, keep=keep):
                assert keep or visit not in self.published, "I3 film of an opening thrown away"
                if visit in self.house.intents and keep and self.house.stay_now() is None:
                    assert (visit, part) in self.proven_parts, "I3 the film ended before the door was proven locked"
            case c.SealProof(visit=visit, part=part, gaps=gaps):
                lost = {camera for of, number, camera in self.lost_cameras if (of, number) == (visit, part)}
                assert lost <= set(gaps), f"I3 a gap is not declared: {lost}"
                self.seen["sealed"] += 1
            case c.NotifyOwner(notification=saying):
                self.seen[f"saying {saying}"] += 1
                is_private = self.house.stay_now() is not None and self.house.stay_now(self.house.mem) is not None
                assert not (command.picture and is_private), "I31 a picture in a message in a stay"
            case _:
                self.seen[type(command).__name__] += 1

    def _check_lock(self) -> None:
        """Never against an open door: its newest word must be fresh, and true when it was made."""
        house = self.house
        assert is_closed(house.mem), "I10 lock sent while the door is not affirmatively closed"
        if door_answers(house.rules):
            assert house.t - self.door_asked <= house.rules.latency + 0.01, "I10 the door was not asked afresh"
        moved_since = house.premises.last_leaf >= self.door_made
        assert not house.premises.door_open or moved_since, "I10 lock sent at an open door"
        self.locked_sent = house.t
        self.seen["Lock"] += 1

    def _check_locked_again(self, visit: str) -> None:
        """ "Locked again" is said: door closed, then bolt, both asked after the last command."""
        house, premises = self.house, self.house.premises
        self.claimed.add(visit)
        self.seen["locked again"] += 1
        last_command = max(self.published.get(visit, NEVER_S), self.locked_sent)
        answers = [heard for asked, heard in self.locked_answers if asked >= last_command]
        assert answers, "I8 the bolt was not asked after the last command"
        if not door_answers(house.rules):
            return  # a basic door cannot be asked: a bolt in the air may pass for locked, so no living space has one
        assert self.door_asked >= min(answers), "I7 the door was not asked after the bolt"
        assert not premises.in_air or premises.last_leaf >= self.door_made, "I7 locked again with the bolt in the air"
        assert not premises.door_open or premises.last_leaf >= self.door_made, "I7 locked again with an open door"
        if house.guarded and not premises.bolt_out:
            assert premises.last_hand >= self.lock_made, "I7 locked again, and nobody locked"

    def _check_lock_request(self) -> None:
        """A lock-up is called proven: bolt and door were asked after the last command, and it is true."""
        house, premises = self.house, self.house.premises
        assert is_locked(house.mem), "I8 locked up without an answer asked after the last command"
        assert is_closed(house.mem), "I7 locked up though the door is not affirmatively closed"
        if not door_answers(house.rules):
            return
        assert not premises.in_air or premises.last_leaf >= self.door_made, "I7 locked up with the bolt in the air"
        assert not premises.door_open or premises.last_leaf >= self.door_made, "I7 locked up with an open door"
        if house.guarded and not premises.bolt_out:
            assert premises.last_hand >= self.lock_made, "I7 locked up, and nobody locked"

    def _check_guess_limit(self, answer: c.AnswerScan) -> None:
        """However somebody guesses, only so many codes are tried."""
        house = self.house
        scan = self.scan_times.get(answer.scan)
        if answer.refusal is None or scan is None or answer.refusal != "unknown_code":
            return
        tried = self.unknown.setdefault(answer.scanner, {})
        tried.setdefault(scan[1].code, house.t)
        recent = [code for code, at in tried.items() if house.t - at < house.rules.timing.lockout]
        assert len(recent) <= MAX_WRONG_CODES_PER_WINDOW, "I16 wrong codes without an end"
        hour = self.hour.setdefault(answer.scanner, {})
        hour.setdefault(scan[1].code, house.t)
        different = [code for code, at in hour.items() if house.t - at < house.rules.tried_period]
        assert len(different) <= MAX_DIFFERENT_CODES_PER_HOUR + self.clears[answer.scanner], (
            "I16 more codes in an hour than allowed"
        )

    def shows(self, mem: Entrance) -> None:
        """What may be shown as locked, and what may be filmed."""
        self._check_privacy()
        if is_locked(mem):
            last = max(self.published.values(), default=NEVER_S)
            assert self.lock_asked >= last, "I8 locked shown without an answer asked after the last unlock"
        self._check_late_unlock(mem)

    def _check_late_unlock(self, mem: Entrance) -> None:
        """A lock that obeyed after its visit: the visit or its watch goes on until somebody was told of it."""
        if self.late_at is None or self.house.premises.bolt_out:
            self.late_at, self.late_told = None, False
        elif not self.late_told:
            assert mem.visit is not None or mem.grace_visit is not None, (
                "a door stands unlocked after its visit, untold"
            )
            known = mem.facts["lock"].value in NOT_LOCKED
            assert not known or self.hand_since_late(), "a lock obeyed late, it is known, and nobody was told"
        elif mem.visit is None:
            assert mem.incident is not None or mem.facts["lock"].value not in NOT_LOCKED, (
                "a late unlock is not locked again"
            )

    def hand_since_late(self) -> bool:
        """Whether a hand has moved the bolt since: then it is the household's."""
        return self.late_at is not None and self.house.premises.last_hand >= self.late_at

    def forgiven(self, scanner: str) -> None:
        """The owner cleared a lock-out."""
        self.unknown.pop(scanner, None)
        self.clears[scanner] += 1

    def killed(self) -> None:
        """The process died; what its cameras' gaps were is the video process's to declare now."""
        self.lost_cameras.clear()

    def unstored(self) -> None:
        """Nothing could be stored: what is only in memory may be forgotten by the next restart."""
        self.unknown.clear()
        self.hour.clear()
        self.seen["step without a store"] += 1

    # ---- what physically happens ------------------------------------------------------------------------------------

    def withdrawn(self, visit: str) -> None:
        """The bolt obeyed an unlock of ours."""
        house = self.house
        assert visit in house.intents, "I1 a withdrawal without a durable intent"
        if not house.guarded:
            return
        assert visit not in self.claimed or visit in self.held, "I7 our unlock acts after locked again was said"
        times = [by for _, by in house.premises.withdrawals if by == visit]
        assert len(times) == 1, "I4 one unlock acted twice"
        delivery = house.intents[visit]
        count = sum(house.intents[by] == delivery for _, by in house.premises.withdrawals)
        assert count <= 2 * house.promises[delivery].allowance, "I2 more withdrawals than allowed"

    def moved_the_bolt(self, visit: str) -> None:
        """An unlock of ours withdrew a bolt that was thrown; a visit that runs on sees to it in any case."""
        running = self.house.mem.visit
        quiet = running is None or running.phase is Phase.LOCKED_AGAIN
        if visit in self.held and visit in self.claimed and quiet:
            self.late_at, self.late_told = self.house.t, False
            self.seen["late unlock"] += 1

    def opened(self) -> None:
        """The door opened; under a withdrawal of ours it must be filmed, and within the allowance."""
        house, openings = self.house, self.house.premises.openings
        if not openings or openings[-1][0] != house.t:
            return
        visit = openings[-1][1]
        self.seen["opening"] += 1
        if not house.guarded:
            return
        delivery = house.intents[visit]
        count = sum(house.intents[by] == delivery for _, by in openings)
        assert count <= house.promises[delivery].allowance, "I2 more openings than allowed"
        unseen = visit in self.held and visit in self.claimed  # late: nobody films what no report has told yet
        is_private = not house.promises[delivery].errand.is_filmed or house.stay_now() is not None
        assert visit in house.clips or unseen or is_private, "I3 an opening that is not filmed"
