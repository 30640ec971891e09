"""Reads the way in from the log of a visit and checks the rules, by docs/reference/proof-format.md alone."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from . import proof_permits

Object = dict[str, Any]
Wrong = tuple[str, str]
FIELDS = ("route", "evidence", "holder", "marks", "custody", "place")
OPEN, CLOSED, LOCKED = {"open", "ajar", "forced_open"}, {"closed"}, {"locked"}
MOST_OPENED = 100
LONGEST_AGE = 86_400  # seconds
LONGEST_LIFE = 3600  # seconds in which an order to open may act


@dataclass(frozen=True)
class Kind:
    """The answers with which a kind is secured, those with which it is open, and whether a key opens it."""

    needs: dict[str, set[str]]
    opens: dict[str, set[str]]
    by_key: bool = False


KINDS = {
    "bolted_door": Kind({"lock": LOCKED, "door": CLOSED}, {"door": OPEN}),
    "garage_door": Kind({"door": CLOSED}, {"door": OPEN}),
    "strike": Kind({"door": CLOSED}, {"door": OPEN}),
    "compartment": Kind({"latch": LOCKED, "lid": CLOSED}, {"lid": OPEN}),
    "key_safe": Kind({"flap": CLOSED, "key": {"present"}}, {"flap": OPEN, "key": {"absent"}}),
    "keyed_door": Kind({"door": CLOSED}, {"door": OPEN}, by_key=True),
    "car_boot": Kind({"boot": CLOSED, "locked": LOCKED}, {"boot": OPEN}),
}


@dataclass
class Standing:
    """An answer that stands: its value in the manifest, and the place of its query in the log."""

    told: Object
    asked_in: int | None


@dataclass
class Closure:
    """One closure while the log is read."""

    logged: Object
    kind: Kind
    values: dict[str, str] = field(default_factory=dict)
    standing: dict[str, Standing] = field(default_factory=dict)
    heard: dict[str, tuple[str | None, int]] = field(default_factory=dict)
    told: Object = field(default_factory=dict)
    intents: int = 0
    orders: list[tuple[str, float]] = field(default_factory=list)  # when, and its life
    last_order: int = -1
    is_open: bool = False

    def proof(self) -> dict[str, Standing]:
        """The answers that stand; of a sensor that is not needed, only one queried since the last order."""
        return {
            role: one for role, one in self.standing.items()
            if role in self.kind.needs or (one.asked_in is not None and one.asked_in > self.last_order)
        }  # fmt: skip

    def lacking(self, answers: dict[str, Object]) -> str | None:
        """The first sensor whose answer does not prove the closure secured."""
        return next((
            role for role, good in self.kind.needs.items() if role not in answers or answers[role]["value"] not in good
        ), None)  # fmt: skip


def plain(proof: dict[str, Standing]) -> dict[str, Object]:
    return {role: one.told for role, one in proof.items()}


class Reading:
    """The log, read entry by entry."""

    def __init__(self, rows: list[Any], part: int) -> None:
        self.part = part
        self.route: Object | None = None
        self.here: Closure | None = None
        self.closures: dict[str, Closure] = {}
        self.session: int | None = None
        self.queries: dict[tuple[int, int], tuple[str, int]] = {}
        self.claimed: tuple[str, dict[str, dict[str, Standing]]] | None = None
        self.incomplete, self.restarted = False, False
        self.gaps: list[str] = []
        self.ages: list[Object] = []
        self.marks: list[Object] = []
        self.unexplained: str | None = None
        self.too_early: list[tuple[str, str, str]] = []  # closure, what was ordered then, why it was too early
        self.entry = 0
        for row in rows:
            if isinstance(row, dict) and row.get("kind") == "step" and isinstance(row.get("event"), dict):
                self.row(row)
        self.holder = holder_of(self.route)
        keeper = (self.holder or "").partition("keeper:")[2]
        parcels, keys = list(parcel_steps(rows)), list(key_steps(rows, keeper or None))
        self.custody = parcels or (keys if any(step["step"] != "key_offered" for step in keys) else [])
        self.parcels = bool(parcels)

    def row(self, row: Object) -> None:
        at = instant(row["at"])
        self.entry += 1
        if self.route is None and row.get("route"):
            self.route = row["route"]
            for one in row["route"]["closures"]:
                closure = self.closures[one["closure"]] = Closure(one, KINDS[one["kind"]], told={"opened": []})
                for role, value in one["basic"].items():
                    told = {"value": value, "query": None, "asked": None, "answered": at}
                    closure.values[role], closure.standing[role] = value, Standing(told, None)
        self.event(row["event"], at)
        for command in row.get("commands", ()):
            self.entry += 1
            self.command(command, at)
        if row.get("phase") == "locked_again" != row.get("phase_before"):
            used = {name: closure for name, closure in self.closures.items() if self.used(closure)}
            self.claimed = at, {name: closure.proof() for name, closure in used.items()}
        elif row.get("phase") not in ("locked_again", "ready"):
            self.claimed = None

    def used(self, closure: Closure) -> bool:
        return bool(closure.orders) or (closure.kind.by_key and self.here is not None)

    def find(self, name: str) -> tuple[Closure, str] | None:
        before, slash, role = name.rpartition("/")
        closure = self.closures.get(before if slash else "door")
        return (closure, role) if closure is not None and role in closure.logged["sensors"] else None

    def event(self, event: Object, at: str) -> None:
        what = event.get("event")
        if what in ("BrokerUp", "BrokerDown", "ReportsMissed", "Restarted"):
            self.session = event["session"] if what == "BrokerUp" else self.session
            self.restarted = self.restarted or what == "Restarted"
            for closure in self.closures.values():
                closure.standing.clear()
        elif what == "DeviceLost" and (lost := self.find(event["device"])):
            lost[0].standing.pop(lost[1], None)
        elif what == "DiskChanged":
            self.incomplete |= not (event["ok"] and self.restarted)
            self.restarted = False
        elif what == "DeviceSpoke":
            self.news(event["device"], event["heard"])
        elif what == "SensorReported":
            self.report(event, at)
        elif what == "UnlockPublished":
            ordered = self.closures.get(event["closure"])
            if ordered is not None and ordered.orders:
                ordered.told.setdefault("published", instant(event["at"]))

    def news(self, name: str, heard: Object) -> bool:
        """Whether a message is of this session, no stored copy, and not older than the one before."""
        found = self.find(name)
        if found is None or heard["retained"] or self.session not in (None, heard["session"]):
            return False
        closure, role = found
        boot, seq = closure.heard.get(role, (None, -1))
        if heard["seq"] is not None and heard["boot"] == boot and heard["seq"] <= seq:
            return False
        closure.heard[role] = heard["boot"], seq if heard["seq"] is None else heard["seq"]
        return True

    def report(self, event: Object, at: str) -> None:
        found, heard = self.find(event["sensor"]), event["heard"]
        if found is None or not self.news(event["sensor"], heard):
            return
        closure, role = found
        value = event["value"] if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", event["value"]) else "unknown"
        before, closure.values[role] = closure.values.get(role, "unknown"), value
        query = self.queries.get((heard["session"], heard["answers"])) if heard["answers"] is not None else None
        if query is not None or role in closure.logged["basic"]:
            asked, asked_in = query or (None, None)
            told = {"value": value, "query": heard["answers"] if query else None, "asked": asked, "answered": at}
            closure.standing[role] = Standing(told, asked_in)
        elif value != before:
            closure.standing.pop(role, None)
        was_open = closure.is_open
        closure.is_open = any(closure.values.get(one) in says for one, says in closure.kind.opens.items())
        if closure.is_open and not was_open and self.used(closure):
            closure.told["opened"] = [*closure.told["opened"], at][:MOST_OPENED]

    def command(self, command: Object, at: str) -> None:
        closure = self.closures.get(command.get("closure", ""))
        match command["command"]:
            case "Query":
                self.session = command["session"]
                self.queries[command["session"], command["number"]] = at, self.entry
            case "Reserve" if closure is not None:
                closure.intents += 1
                closure.told.setdefault("intent", at)
            case "Unlock" if closure is None:
                self.unexplained = self.unexplained or command["closure"]
            case "Unlock" if closure is not None:
                self.order(closure, command, at)
            case "Lock" | "Close" if closure is not None:
                closure.last_order = self.entry
            case "Answer" if command["word"] == "go" and self.here is not None:
                self.here.told.setdefault("passable", at)
            case "Note" if (mark := command["what"].partition(":"))[0] in ("key_taken", "key_returned"):
                self.marks.append({"mark": mark[0], "at": at})
            case "Seal" if command["part"] == self.part:
                self.gaps = list(dict.fromkeys(command["gaps"]))

    def order(self, closure: Closure, command: Object, at: str) -> None:
        for earlier in self.closures.values():
            if earlier is closure:
                break
            if not earlier.kind.by_key:
                self.too_early += [(earlier.logged["closure"], command["closure"], why) for why in early(earlier)]
        if self.here is not None and self.here is not closure:
            self.here.told["passed"] = {"at": at, "answers": plain(self.here.proof())}
        closure.told.setdefault("ordered", at)
        closure.orders.append((at, command["life"]))
        names = ("sensor", "value", "age_s", "max_age_s")
        self.ages += ({"closure": command["closure"], **{name: one[name] for name in names}}
                      for one in command.get("ages", ()))  # fmt: skip
        closure.last_order, self.here = self.entry, closure
        if closure.is_open and not closure.told["opened"]:
            closure.told["opened"] = [at]

    def told(self) -> Object:
        """What the manifest must contain."""
        at, proofs = self.claimed or (None, {})
        route = []
        for name, closure in self.closures.items():
            answers = plain(proofs.get(name, {}))
            claimed = name in proofs and not (self.incomplete and closure.lacking(answers))
            route.append({
                "closure": name, "kind": closure.logged["kind"], "guarded": closure.logged["guarded"],
                **{what: closure.told.get(what) for what in ("intent", "ordered", "published", "passable", "passed")},
                "opened": closure.told["opened"], "secured": at if claimed else None,
                "answers": answers if claimed else {},
            })  # fmt: skip
        gaps = [*self.gaps, *(["log_incomplete"] if self.incomplete and self.route else [])]
        place = self.route and {"id": self.route["place"], "alternative": self.route["alternative"]}
        return {
            "route": route, "evidence": {"required": self.route and self.route["evidence"], "gaps": gaps},
            "holder": "receiver" if self.parcels else self.holder,
            "marks": self.marks, "custody": self.custody, "place": place,
        }  # fmt: skip


def collected(rows: list[Any]) -> Object | None:
    """What the log says of the parcels that the courier took with him."""
    ends: dict[str, str] = {}
    for row in rows:
        if not isinstance(row, dict) or row.get("kind") != "step":
            continue
        event, commands = row.get("event"), row.get("commands", [])
        if not isinstance(event, dict):
            continue
        is_one = event["event"] == "Scanned" and any(match["kind"] == "collect" for match in event.get("matches", []))
        if is_one and any(one["command"] == "Answer" and one["word"] == "go" for one in commands):
            ends.setdefault(event["code"]["hmac"], event["code"]["last"])
        for one in commands:
            if one["command"] == "ParcelResult" and one.get("collected") is not None:
                return {"result": one["collected"], "scanned": sorted(ends.values()), "unlisted": "not_provable"}
    return None


def is_absurd(row: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Whether an entry, or an order in it, does not follow the page."""
    if not isinstance(row, dict) or row.get("kind") != "step" or not isinstance(row.get("commands"), list):
        return False
    orders = [
        one for one in row["commands"] if isinstance(one, dict) and one.get("command") in ("Unlock", "Lock", "Close")
    ]
    lives = [one.get("life") for one in orders if one["command"] == "Unlock" or "life" in one]
    good = all(isinstance(life, int | float) and not isinstance(life, bool) and 0 < life <= LONGEST_LIFE
               for life in lives)  # fmt: skip
    good = good and all(is_age(one) for order in orders for one in order.get("ages", ()))
    shaped = isinstance(row.get("event"), dict) and isinstance(row.get("phase"), str)
    return bool(orders) and not (good and shaped)


def is_age(one: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Whether this says how old a value was when it counted."""
    seconds = [one.get("age_s"), one.get("max_age_s")] if isinstance(one, dict) else [None]
    return all(isinstance(one.get(name), str) for name in ("sensor", "value") if isinstance(one, dict)) and all(
        isinstance(many, int | float) and not isinstance(many, bool) and 0 <= many <= LONGEST_AGE for many in seconds
    )


def is_incomplete(rows: list[Any]) -> bool:
    """Whether the log declares that the disk failed, so that entries are missing."""
    restarted, failed = False, False
    for row in rows:
        told = row.get("event") if isinstance(row, dict) and row.get("kind") == "step" else None
        event = told if isinstance(told, dict) else {}
        what = event.get("event")
        failed |= what == "DiskChanged" and not (event["ok"] and restarted)
        restarted = what != "DiskChanged" and (restarted or what == "Restarted")
    return failed


def holder_of(route: Object | None) -> str | None:
    return None if route is None else str(route.get("holder", "courier"))


def early(closure: Closure) -> Iterator[str]:
    """Why a closure was not secured yet; a time before its order's end counts only if times can be compared."""
    proof = closure.proof()
    if role := closure.lacking(plain(proof)):
        yield f"lacks {role}"
        return
    if not closure.orders:
        yield "it had not been ordered open"
        return
    ordered, life = closure.orders[-1]
    for role in closure.kind.needs:
        one = proof[role]
        if one.told["query"] is None:
            continue
        if one.asked_in is None or one.asked_in <= closure.last_order:
            yield f"{role} is older than the last order"
        elif at(one.told["asked"]) - at(ordered) < timedelta(seconds=life):
            yield f"time: {role} was queried before the order's end"


def instant(text: str) -> str:
    """An instant as a manifest writes it: the log writes a fraction of a second also where it is 0."""
    return text.replace(".000000Z", "Z")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def parcel_steps(rows: list[Any]) -> Iterator[Object]:
    for row in rows:
        if isinstance(row, dict) and row.get("kind") == "custody" and row["stage"] != row["stage_before"]:
            yield {
                "step": row["stage"], "at": instant(row["at"]),
                "by": None if row["stage"] == "confirmed" else row["receiver"],
                "parcel": row["code"]["last"][-4:],
                "reason": row["reason"],
            }  # fmt: skip


def key_steps(rows: list[Any], holder: str | None) -> Iterator[Object]:
    offered, out = False, False
    for row in rows:
        for command in row.get("commands", ()) if isinstance(row, dict) and row.get("kind") == "step" else ():
            word, _, name = str(command.get("what") or command.get("code") or "").partition(":")
            if command["command"] not in ("Note", "Alarm"):
                lost = command["command"] == "HouseResult" and command["house"] == "handed_to_owner"
                word, name = "key_offered" if command["command"] == "Unlock" else "key_lost" if lost else "", ""
            if word not in ("key_offered", "key_taken", "key_reminded", "key_late", "key_returned", "key_lost"):
                continue
            holder = name or holder
            ends = word in ("key_returned", "key_lost")
            if not ((word == "key_offered" and offered) or (word == "key_taken" and out) or (ends and not out)):
                yield {
                    "step": word,
                    "at": instant(row["at"]),
                    "by": holder and holder[:64],
                    "parcel": None,
                    "reason": None,
                }
            offered = offered or word == "key_offered"
            out = (out or word == "key_taken") and not ends


def descents(told: Object) -> Iterator[str]:
    """The times that lie before one which they have to follow."""
    pairs: list[tuple[str, str | None, str | None]] = []
    for one in told["route"]:
        name, proofs = one["closure"], [(one["secured"], one["answers"])]
        proofs += [(one["passed"]["at"], one["passed"]["answers"])] if one["passed"] else []
        later = [one["published"], one["passable"], *one["opened"], one["secured"]]
        pairs += [(name, one["intent"], one["ordered"]), *((name, one["ordered"], other) for other in later)]
        pairs += [(name, *pair) for pair in pairwise(one["opened"])]
        for end, answers in proofs:
            for answer in answers.values():
                pairs += [(name, answer["asked"], answer["answered"]), (name, answer["answered"], end)]
    for steps in ([one["ordered"] for one in told["route"] if one["ordered"]],
                  [one["at"] for one in told["marks"]], [one["at"] for one in told["custody"]]):  # fmt: skip
        pairs += [("in their order", *pair) for pair in pairwise(steps)]
    for name, before, after in pairs:
        if before is not None and after is not None and at(after) < at(before):
            yield f"{name}: {after} is before {before}"


def first_wrong(told: Object, rows: list[Any]) -> Wrong | None:
    """The first defect in the way in of a manifest of version 3: its word, and its place."""
    unknown = [one["kind"] for one in told["route"] if one["kind"] not in KINDS]
    if unknown:
        return "manifest_newer", unknown[0]
    if any(map(is_absurd, rows)):
        return "route_order", "an order is not as the page says"
    reading = Reading(rows, told["part"])
    if reading.unexplained is not None:
        return "route_differs", reading.unexplained
    stepped, read = "clock_stepped" in told["evidence"]["gaps"], reading.told()
    said = {name: told[name] for name in FIELDS}
    gaps = [gap for gap in told["evidence"]["gaps"] if gap != "clock_stepped"]
    said["evidence"] = {**told["evidence"], "gaps": gaps}
    if told.get("collected") != collected(rows):
        return "route_differs", "collected"
    for name in FIELDS:
        if said[name] != read[name]:
            return "route_differs", name
    if told.get("ages", []) != reading.ages:
        return "route_differs", "ages"
    if not stepped and (where := next(descents(told), None)):
        return "route_times", where
    for name, closure in reading.closures.items():
        if len(closure.orders) > min(1, closure.intents):
            return "route_order", name
    if (old := next((one for one in reading.ages if one["age_s"] > one["max_age_s"]), None)) is not None:
        return "route_order", f"{old['closure']}: {old['sensor']} is too old"
    for name, later, why in reading.too_early:
        counts = not (stepped if why.startswith("time:") else reading.incomplete and why.startswith("lacks"))
        if counts:
            return "route_order", f"{later}, and {name}: {why}"
    permits, faults = proof_permits.read(rows, told.get("box"))
    if [{"key_sha256": None, **one} for one in told.get("permits", [])] != permits:
        return "route_differs", "permits"
    for closure_name, why, excuse in faults:
        if not (excuse == "missing" and reading.incomplete) and not (excuse == "time" and stepped):
            return "opening_unpermitted", f"{closure_name}: {why}"
    for one in told["route"]:
        closure = reading.closures[one["closure"]]
        if one["secured"] is None or reading.claimed is None:
            continue
        if role := closure.lacking(one["answers"]):
            return "route_unproven", f"{one['closure']}: {role}"
        for role, answer in reading.claimed[1][one["closure"]].items():
            since = -1 if answer.asked_in is None else answer.asked_in
            if answer.told["query"] is not None and since <= closure.last_order:
                return "route_stale", f"{one['closure']}: {role}"
    return None
