"""Reads the cold chain of a visit's items from its log, by docs/reference/proof-format.md alone."""

from typing import Any

from .proof_route import at, instant

Object = dict[str, Any]
MOST_POINTS = 120
ORDER = (
    "too_warm", "too_cold", "too_long", "no_door_scan", "not_stowed", "wrong_place", "no_air_before", "air_gap",
    "no_air_after", "left_open", "label_unreadable", "clock_untrusted",
)  # fmt: skip
OPEN = ("open", "ajar", "forced_open")


def stricter(*limits: Object) -> Object:
    lows = [one["min_c"] for one in limits if one["min_c"] is not None]
    highs = [one["max_c"] for one in limits if one["max_c"] is not None]
    return {"min_c": max(lows, default=None), "max_c": min(highs, default=None)}


def label_limits(label: Object) -> Object | None:
    """The limits on a label; None: they cannot be read."""
    found: Object = {}
    for name, (fahrenheit, celsius) in {"max_c": ("4330", "4331"), "min_c": ("4332", "4333")}.items():
        if fahrenheit in label and celsius in label:
            return None
        text = label.get(celsius, label.get(fahrenheit))
        if text is None:
            found[name] = None
            continue
        digits = text.removesuffix("-")
        if len(digits) != 6 or not (digits.isascii() and digits.isdigit()):
            return None
        value = int(digits) / 100 * (-1 if text.endswith("-") else 1)
        found[name] = value if celsius in label else round((value - 32) * 5 / 9, 2)
    low, high = found["min_c"], found["max_c"]
    return None if low is not None and high is not None and low > high else found


def sample(when: str, logged: Object) -> Object:
    """A point of the air, from a reading in the log."""
    value, door = logged.get("temp_c"), logged.get("door", "")
    good = isinstance(value, int | float) and not isinstance(value, bool) and -200 <= value <= 200
    known = None if door in ("", "unknown") else door in OPEN
    return {"at": when, "celsius": value if good else None, "open": known}


class Kitchen:
    """What the log says of the items and of the air, until the way in is secured."""

    def __init__(self, row: Object) -> None:
        route = row["route"]
        self.items, self.scanners = route["items"]["list"], route["items"]["scanners"]
        self.known = route["items"]["air"]
        self.began = self.ended = instant(row["at"])
        places = sorted({item["place"] for item in self.items})
        self.air = {place: [sample(self.began, self.known[place])] if place in self.known else [] for place in places}
        self.door: dict[str, str] = {}
        for item in self.items:
            if item["code"]["hmac"] in route["parcels"] or not item["is_parcel"]:
                self.door[item["code"]["hmac"]] = self.began
        self.stowed: dict[str, str] = {}
        self.elsewhere: set[str] = set()
        self.moved: set[str] = set()
        self.labels: dict[str, list[Object]] = {}
        self.unreadable: set[str] = set()
        self.trusted = self.opened = True

    def take(self, row: Object) -> bool:
        when, event = instant(row["at"]), row["event"]
        self.trusted &= bool(row["trusted"]) and at(when) >= at(self.ended)
        self.ended = max(self.ended, when, key=at)
        match event["event"]:
            case "FridgeHeard" if event["place"] in self.air:
                self.air[event["place"]].append(sample(when, event["cold"]))
            case "BrokerDown" | "BrokerUp" | "Restarted":
                for points in self.air.values():
                    points.append({"at": when, "celsius": None, "open": None})
            case "Scanned" if not event["retained"]:
                self.scan(event, when, any(one.get("word") == "no" for one in row["commands"]))
        houses = [one["house"] for one in row["commands"] if one["command"] == "HouseResult"]
        self.opened = "not_opened" not in houses
        return bool(houses)

    def scan(self, event: Object, when: str, refused: bool) -> None:
        code = event["code"]["hmac"]
        item = next((one for one in self.items if one["code"]["hmac"] == code), None)
        if item is None:
            return
        limits = label_limits(event.get("label", {}))
        if limits is None:
            self.unreadable.add(code)
        else:
            self.labels.setdefault(code, []).append(limits)
        place = self.scanners.get(event["scanner"])
        if code in self.stowed and place != item["place"]:
            self.moved.add(code)
        if place is None and not refused:
            self.door.setdefault(code, when)
        elif place == item["place"]:
            self.stowed.setdefault(code, when)
        elif place is not None:
            self.elsewhere.add(code)

    def passport(self, item: Object) -> Object:
        code = item["code"]["hmac"]
        label = stricter(item["label"], *self.labels.get(code, []))
        limits = stricter(item["order"], item["legal"], label)
        door, stowed = self.door.get(code), self.stowed.get(code)
        points = self.air[item["place"]]
        before = [one for one in points if door is not None and at(one["at"]) <= at(door)][-1:]
        counted = before + [one for one in points if door is None or at(one["at"]) > at(door)]
        values = [one["celsius"] for one in counted if one["celsius"] is not None]
        during = spread([one for one in counted if stowed is None or at(one["at"]) <= at(stowed)])
        after = None if stowed is None else spread([one for one in counted if at(one["at"]) > at(stowed)])
        seconds = None
        if door is not None and stowed is not None:
            seconds = max(0.0, (at(stowed) - at(door)).total_seconds())
        holds = {
            "too_warm": any(limits["max_c"] is not None and value > limits["max_c"] for value in values),
            "too_cold": any(limits["min_c"] is not None and value < limits["min_c"] for value in values),
            "too_long": seconds is not None and seconds > item["max_seconds"],
            "no_door_scan": door is None,
            "not_stowed": stowed is None and code not in self.elsewhere,
            "wrong_place": code in self.moved or (stowed is None and code in self.elsewhere),
            "no_air_before": not before or before[0]["celsius"] is None,
            "air_gap": any(one["celsius"] is None for one in counted[len(before) :]),
            "no_air_after": after is None,
            "left_open": bool(counted and counted[-1]["open"]),
            "label_unreadable": code in self.unreadable,
            "clock_untrusted": not self.trusted,
        }
        reasons = [word for word in ORDER if holds[word]]
        verdict = "unknown" if reasons else "conformant"
        if {"too_warm", "too_cold", "too_long"} & {*reasons}:
            verdict = "non_conformant"
        return {
            "code": code, "last": item["code"]["last"], "place": item["place"], "profile": item["profile"],
            "order": item["order"], "legal": item["legal"], "label": label, "limits": limits,
            "max_seconds": item["max_seconds"], "door_at": door, "stowed_at": stowed, "seconds": seconds,
            "before": before[0]["celsius"] if before else None, "during": during, "after": after,
            "verdict": verdict, "reasons": reasons,
        }  # fmt: skip


def spread(points: list[Object]) -> Object | None:
    values = [one["celsius"] for one in points if one["celsius"] is not None]
    return {"min_c": min(values), "max_c": max(values)} if values else None


def first_wrong(told: Object | None, rows: list[Any]) -> str | None:
    """Which part of the manifest's cold chain differs from the log; None: none does."""
    steps = [row for row in rows if isinstance(row, dict) and isinstance(row.get("event"), dict)]
    begun = next((n for n, row in enumerate(steps) if "items" in row.get("route", {})), None)
    if begun is None:
        return None if told is None else "cold_chain"
    kitchen = Kitchen(steps[begun])
    is_over = any(kitchen.take(row) for row in steps[begun:])
    if not is_over or not kitchen.opened:
        return None if told is None else "cold_chain"
    if told is None or (told["began"], told["ended"]) != (kitchen.began, kitchen.ended):
        return "cold_chain"
    if told["items"] != [kitchen.passport(item) for item in kitchen.items]:
        return "cold_chain: items"
    if [one["place"] for one in told["air"]] != [*kitchen.air]:
        return "cold_chain: air"
    good = all(same_air(one, kitchen) for one in told["air"])
    return None if good else "cold_chain: air"


def same_air(told: Object, kitchen: Kitchen) -> bool:
    points, known = kitchen.air[told["place"]], kitchen.known.get(told["place"], {})
    facts = (told["device"], told["silence_s"]) == (known.get("device"), known.get("silence_s"))
    if len(points) <= MOST_POINTS:
        return facts and told["points"] == points and told["left_out"] == 0
    kept = told["points"]
    values = [one["celsius"] for one in points if one["celsius"] is not None]
    shown = [one["celsius"] for one in kept if one["celsius"] is not None]
    whole = len(kept) + told["left_out"] == len(points) and len(kept) <= MOST_POINTS
    ends = (kept[0], kept[-1]) == (points[0], points[-1])
    extremes = (min(values), max(values)) == (min(shown), max(shown)) if values else not shown
    return facts and whole and ends and extremes and all(one in points for one in kept)
