"""A second verifier of proofs, by docs/reference/proof-format.md: standard library and `cryptography` only.

    python -m tests.foreign.proof_verifier FOLDER [PUBLIC_KEY_TEXT] [CHECKPOINTS]

It prints `ok` and ends with 0, or the word of the first wrong thing and where, and ends with 1.
"""

import json
import math
import re
import stat
import sys
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from . import proof_cold_chain, proof_result, proof_route

Object = dict[str, Any]
ZEROS = bytes(32)
CLOCK_SLACK, HELD_PERIOD = timedelta(seconds=1), timedelta(minutes=1)
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z")
HASH = re.compile(r"[0-9a-f]{64}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
MAX_FILE_BYTES = 2**26  # bytes of a file that is read whole
FIRST_KEYS = frozenset({
    "box", "cameras", "clips", "clock_trusted", "decisions", "delivery", "entrance", "film", "gaps", "house", "key",
    "kind", "log", "notes", "outcome", "part", "previous_sha256", "sealed_at", "version", "visit",
})  # fmt: skip
ROUTE = frozenset({*proof_route.FIELDS, "moved_from"})
NAMES = frozenset({"brand", "entrances", "house", "language", "places", "timezone"})
CHECKPOINT = frozenset({"at", "box", "clock_trusted", "hash", "key", "kind", "sealed", "seq", "signature"})
RECEIPT = frozenset({
    "box", "came", "carrier", "entrance", "key", "kind", "left", "outcome", "parcels", "signature", "visit",
})  # fmt: skip
TOMBSTONE = frozenset({"at", "box", "key", "kind", "parts", "signature", "visit", "who", "why"})
SUCCESSION = frozenset({"agreed", "at", "box", "clock_trusted", "key", "kind", "new", "signature"})
CLIP = frozenset({"camera", "end", "file", "fragments", "sha256", "sidecar", "sidecar_sha256", "start"})


class WrongError(Exception):
    """The first wrong thing: its word, and where."""

    def __init__(self, word: str, where: str) -> None:
        super().__init__(f"{word}: {where}")
        self.word = word


# ---- canonical JSON (RFC 8785) ---------------------------------------------------------------------------------------


def number(value: float) -> str:
    """ECMAScript's text of a double: the shortest digits that read back as it."""
    if not math.isfinite(value):
        raise ValueError("no number of JSON")
    if value == 0:
        return "0"
    sign, digits, exponent = value < 0, *_shortest(abs(value))
    point = len(digits) + exponent
    if 0 < point <= 21:
        text = digits.ljust(point, "0") if exponent >= 0 else f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = f"0.{'0' * -point}{digits}"
    else:
        rest = f".{digits[1:]}" if len(digits) > 1 else ""
        text = f"{digits[0]}{rest}e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return f"-{text}" if sign else text


def _shortest(value: float) -> tuple[str, int]:
    """The shortest decimal digits of a positive double, and the power of ten of the last one."""
    mantissa, _, power = repr(value).partition("e")
    whole, _, part = mantissa.partition(".")
    part = part.rstrip("0")
    digits = (whole + part).lstrip("0")
    exponent = int(power or 0) - len(part)
    short = digits.rstrip("0")
    return short, exponent + len(digits) - len(short)


def canonical(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """The one text of a value."""
    match value:
        case None | bool() | str():
            text = json.dumps(value, ensure_ascii=False)
            text.encode()  # a lone surrogate has no UTF-8
            return text
        case int():
            if abs(value) >= 2**53:
                raise ValueError("an integer that not every reader reads")
            return str(value)
        case float():
            return number(value)
        case list():
            return "[" + ",".join(map(canonical, value)) + "]"
        case dict():
            keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
            return "{" + ",".join(f"{canonical(key)}:{canonical(value[key])}" for key in keys) + "}"
        case _:
            raise ValueError("no value of JSON")


def parse_json(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Read JSON that says each thing once."""

    def once(pairs: list[tuple[str, Any]]) -> Object:
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a key stands twice")
        return dict(pairs)

    def never(name: str) -> None:
        raise ValueError(f"{name} is no JSON")

    try:
        return json.loads(data.decode(), object_pairs_hook=once, parse_constant=never)
    except RecursionError as failure:
        raise ValueError("nested too deeply") from failure


def read_canonical(data: bytes, keys: frozenset[str]) -> Object:
    """Read an object with exactly these keys, written canonically."""
    value = parse_json(data)
    if not isinstance(value, dict) or set(value) != keys or canonical(value).encode() != data:
        raise ValueError("not such an object in its canonical form")
    return value


# ---- keys and signatures ---------------------------------------------------------------------------------------------


def signed(key: str, signature: bytes, data: bytes) -> bool:
    """Whether a key (its text) signed exactly these bytes."""
    raw = urlsafe_b64decode(key + "=")
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def without(document: Object, *names: str) -> bytes:
    return canonical({name: value for name, value in document.items() if name not in names}).encode()


def is_signed_by(document: Object, keys: frozenset[str]) -> bool:
    """Whether a signed document is signed by its key, which is one of these."""
    good = signed(document["key"], b64decode(document["signature"]), without(document, "signature"))
    return good and document["key"] in keys


def instant(text: str) -> datetime:
    if not INSTANT.fullmatch(text):
        raise ValueError("not an instant")
    return datetime.fromisoformat(text)


# ---- files -----------------------------------------------------------------------------------------------------------


def read(path: Path, missing: str, unreadable: str = "unreadable") -> bytes:
    """Read a plain file whole."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        raise WrongError(missing, path.name) from None
    if not stat.S_ISREG(found.st_mode):
        raise WrongError("not_plain", path.name)
    if found.st_size > MAX_FILE_BYTES:
        raise WrongError(unreadable, path.name)
    return path.read_bytes()


def exists(path: Path) -> bool:
    return path.is_symlink() or path.exists()


@dataclass(frozen=True)
class ProofCase:
    """What is checked against what; `line`: the changes of the key."""

    folder: Path
    known: str | None
    remembered: tuple[Object, ...]
    line: tuple[Object, ...]

    def kin(self, key: str) -> frozenset[str]:
        keys = {name for change in self.line for name in (change["key"], change["new"])}
        return frozenset(keys) if key in keys else frozenset({key})

    def accepts(self, key: str) -> bool:
        return self.known is None or key in self.kin(self.known)

    def replaced(self, key: str) -> datetime | None:
        ends = (instant(one["at"]) for one in self.line if one["key"] == key and one["clock_trusted"])
        return next(ends, None)


def succession(folder: Path) -> tuple[Object, ...]:
    path = folder / "succession.jsonl"
    if not exists(path):
        return ()
    changes: list[Object] = []
    try:
        for text in read(path, "succession_wrong").splitlines():
            one = read_canonical(text, SUCCESSION)
            both = is_signed_by(one, frozenset({one["key"]})) and signed(
                one["new"], b64decode(one["agreed"]), without(one, "signature", "agreed")
            )
            follows = not changes or (changes[-1]["new"], changes[-1]["box"]) == (one["key"], one["box"])
            if one["kind"] != "perron succession 1" or not both or not follows:
                raise WrongError("succession_wrong", path.name)
            instant(one["at"])
            changes.append(one)
    except (ValueError, TypeError, KeyError) as failure:
        raise WrongError("succession_wrong", str(failure)) from failure
    return tuple(changes)


# ---- a part ----------------------------------------------------------------------------------------------------------


def named(stem: str, part: int, suffix: str) -> str:
    return f"{stem}.{suffix}" if part == 1 else f"{stem}-{part}.{suffix}"


def manifest(case: ProofCase, part: int) -> tuple[Object, str]:
    """Read a part's manifest and check who signed it; also its SHA-256."""
    name = named("manifest", part, "json")
    data = read(case.folder / name, "no_proof" if part == 1 else "part_missing")
    signature = read(case.folder / named("manifest", part, "sig"), "unsigned")
    if not signature:
        raise WrongError("unsigned", name)
    mine = case.known is not None and any(signed(one, signature, data) for one in case.kin(case.known))
    try:
        found = parse_json(data)
        version = found.get("version")
        if found.get("kind") == "perron manifest" and isinstance(version, int) and version > 7:
            raise WrongError("manifest_newer", f"{name} is of version {version}")
        keys = FIRST_KEYS | ({"receipt_sha256"} if version in (2, 3, 4, 5, 6, 7) else set())
        keys |= (ROUTE if version in (3, 4, 5, 6, 7) else set()) | ({"names"} if version in (4, 5, 6, 7) else set())
        keys |= {"collected", "cold_chain"} if version in (5, 6, 7) else set()
        keys |= {"permits", "ages"} if version in (6, 7) else set()
        found = read_canonical(data, frozenset(keys))
        well_formed(found)
    except (ValueError, TypeError, KeyError, AttributeError) as failure:
        raise WrongError("manifest_malformed" if mine else "signature_wrong", name) from failure
    if not signed(found["key"], signature, data):
        raise WrongError("signature_wrong", name)
    if not case.accepts(found["key"]):
        raise WrongError("foreign_key", name)
    end = case.replaced(found["key"])
    if end is not None and found["clock_trusted"] and instant(found["sealed_at"]) > end + HELD_PERIOD:
        raise WrongError("key_replaced", name)
    if found["part"] != part or found["log"]["file"] != named("log", part, "jsonl"):
        raise WrongError("part_foreign", name)
    return found, sha256(data).hexdigest()


def well_formed(found: Object) -> None:
    """Raise ValueError where a manifest is not as the page says, as far as the checks below rest on it."""
    spans = [found["film"], *found["clips"], *found["gaps"]]
    files = [name for clip in found["clips"] for name in (clip["file"], clip["sidecar"]) if name is not None]
    good = (
        found["kind"] == "perron manifest"
        and found["version"] in (1, 2, 3, 4, 5, 6, 7)
        and names_keys(found)
        and 1 <= found["part"] <= 1000
        and (found["part"] == 1) == (found["previous_sha256"] is None)
        and (found.get("receipt_sha256") is None or found["part"] == 1)
        and all(set(clip) == CLIP and HASH.fullmatch(clip["sha256"]) for clip in found["clips"])
        and all(instant(one["start"]) <= instant(one["end"]) for one in spans)
        and len(set(files)) == len(files)
        and all(NAME.fullmatch(name) for name in files)
        and (found.get("names") is None or set(found["names"]) == NAMES)
    )
    instant(found["sealed_at"])
    if not good:
        raise ValueError("not as the page says")


def names_keys(found: Object) -> bool:
    """Whether each permit of version 7 names its key, and none of an earlier version."""
    permits = found.get("permits", [])
    if found["version"] < 7:
        return all("key_sha256" not in one for one in permits)
    keys = [one["key_sha256"] for one in permits if one["by"] is not None]
    return bool(keys) and None not in keys and all("key_sha256" in one for one in permits)


def check_predecessor(case: ProofCase, found: Object, earlier: tuple[Object, str] | None) -> None:
    if earlier is None:
        return
    same = all(found[name] == earlier[0][name] for name in ("box", "visit", "entrance"))
    kin = found["key"] in case.kin(earlier[0]["key"])
    if not same or not kin or found["previous_sha256"] != earlier[1]:
        raise WrongError("part_foreign", named("manifest", found["part"], "json"))


def link(previous: bytes, seq: int, digest: bytes) -> bytes:
    return sha256(b"perron log 1\0" + previous + seq.to_bytes(8, "big") + digest).digest()


def log(case: ProofCase, found: Object) -> None:
    """Check the extract's chain, the manifest's places in it, and what is remembered of it."""
    told = found["log"]
    data = read(case.folder / told["file"], "log_missing")
    *texts, rest = data.split(b"\n")
    try:
        lines = [parse_json(text) for text in texts]
        if rest or any(canonical(line).encode() != text for line, text in zip(lines, texts, strict=True)):
            raise WrongError("log_truncated" if rest else "log_changed", told["file"])
        first, *entries, last = lines
        if first != {"after": told["after"]}:
            raise WrongError("log_changed", f"{told['file']}, line 1")
        places = dict(chain(entries, told))
        ends(found, entries, last)
    except (ValueError, TypeError, KeyError, AttributeError) as failure:
        raise WrongError("log_changed", f"{told['file']}: {failure}") from failure
    for point in case.remembered:
        if point["seq"] in places and places[point["seq"]] != point["hash"]:
            raise WrongError("log_rewritten", f"entry {point['seq']}")
    if sha256(data).hexdigest() != told["sha256"]:
        raise WrongError("log_changed", told["file"])
    route(found, [entry["body"] for entry in entries if "body" in entry])


def route(found: Object, rows: list[Any]) -> None:
    """Compare the way in and the visit's end in the manifest with the log."""
    try:
        if (where := proof_result.first_wrong(found, rows, incomplete=proof_route.is_incomplete(rows))) is not None:
            raise WrongError("route_differs", where)
        wrong = proof_route.first_wrong(found, rows) if found["version"] >= 3 else None
        if wrong is None and (what := proof_cold_chain.first_wrong(found.get("cold_chain"), rows)) is not None:
            wrong = "route_differs", what
    except (ValueError, TypeError, KeyError, AttributeError) as failure:
        raise WrongError("route_differs", f"an entry or the manifest is not as the page says: {failure}") from failure
    if wrong is not None:
        raise WrongError(*wrong)


def chain(entries: list[Object], told: Object) -> Iterator[tuple[int, str]]:
    """Follow the chain from one entry to the next; give each place."""
    seq, head = told["after"]["seq"], bytes.fromhex(told["after"]["hash"])
    yield seq, head.hex()
    for entry in entries:
        if set(entry) not in ({"body", "hash", "seq"}, {"hash", "hidden", "seq"}):
            raise WrongError("log_truncated", told["file"])
        if entry["seq"] != seq + 1:
            word = "log_repeated" if entry["seq"] <= seq else "log_entry_missing"
            raise WrongError(word, f"{told['file']}, entry {seq + 1}")
        digest = sha256(canonical(entry["body"]).encode()).digest() if "body" in entry else None
        head = link(head, seq + 1, bytes.fromhex(entry["hidden"]) if digest is None else digest)
        if head.hex() != entry["hash"]:
            raise WrongError("log_changed", f"{told['file']}, entry {seq + 1}")
        seq += 1
        yield seq, head.hex()


def ends(found: Object, entries: list[Object], last: Object) -> None:
    """Compare the extract with the places in the manifest, and check the checkpoint at its end."""
    told = found["log"]
    there = {entry["seq"]: entry["hash"] for entry in entries if "body" in entry}
    for place in found["decisions"]:
        if there.get(place["seq"]) != place["hash"]:
            raise WrongError("log_changed", f"{told['file']}, entry {place['seq']}")
    end = {"seq": entries[-1]["seq"], "hash": entries[-1]["hash"]} if entries else told["after"]
    if end != told["last"]:
        raise WrongError("log_truncated" if end["seq"] < told["last"]["seq"] else "log_changed", told["file"])
    if set(last) != {"checkpoint"} or set(last["checkpoint"]) != CHECKPOINT:
        raise WrongError("log_truncated", told["file"])
    point = last["checkpoint"]
    if (
        not is_signed_by(point, frozenset({found["key"]}))
        or {"seq": point["seq"], "hash": point["hash"]} != told["last"]
    ):
        raise WrongError("log_changed", f"{told['file']}, its checkpoint")


def checkpoints(case: ProofCase, found: Object, digest: str) -> None:
    """What is remembered outside the box of this part."""
    place = found["log"]["last"]
    for point in case.remembered:
        if not is_signed_by(point, case.kin(found["key"])) or point["box"] != found["box"]:
            raise WrongError("checkpoint_foreign", f"entry {point['seq']}")
        sealed = point["sealed"]
        ours = sealed is not None and (sealed["visit"], sealed["part"]) == (found["visit"], found["part"])
        if ours and sealed["manifest_sha256"] != digest:
            raise WrongError("manifest_replaced", named("manifest", found["part"], "json"))
        trusted = point["clock_trusted"] and found["clock_trusted"]
        if trusted and point["seq"] > place["seq"] and instant(point["at"]) < instant(found["sealed_at"]):
            raise WrongError("log_went_back", f"entry {point['seq']}")


# ---- films -----------------------------------------------------------------------------------------------------------


def films(case: ProofCase, found: Object) -> None:
    for clip in found["clips"]:
        film(case.folder, clip)
    start, end = instant(found["film"]["start"]), instant(found["film"]["end"])
    for camera in found["cameras"]:
        spans = [one for one in found["clips"] if one["camera"] == camera]
        spans += [one for one in found["gaps"] if one["camera"] in (camera, None)]
        at = start
        for span in sorted(spans, key=lambda one: instant(one["start"])):
            if min(instant(span["start"]), end) - at > CLOCK_SLACK:
                raise WrongError("hole_undeclared", camera)
            at = max(at, instant(span["end"]))
        if end - at > CLOCK_SLACK:
            raise WrongError("hole_undeclared", camera)


def film(folder: Path, clip: Object) -> None:
    path = folder / clip["file"]
    if not exists(path):
        raise WrongError("film_missing", clip["file"])
    if not stat.S_ISREG(path.lstat().st_mode):
        raise WrongError("not_plain", clip["file"])
    if clip["sidecar"] is not None:
        data = read(folder / clip["sidecar"], "chain_missing")
        if sha256(data).hexdigest() != clip["sidecar_sha256"]:
            raise WrongError("chain_changed", clip["sidecar"])
        fragments(path, data)
    with path.open("rb") as file:
        whole = sha256()
        while piece := file.read(1 << 20):
            whole.update(piece)
    if whole.hexdigest() != clip["sha256"]:
        raise WrongError("film_changed", clip["file"])


def fragments(path: Path, sidecar: bytes) -> None:
    """Follow the film's own chain; what stands behind its end is not read."""
    head, at, size = ZEROS, 0, path.stat().st_size
    with path.open("rb") as file:
        for text in sidecar.split(b"\n"):
            line = json.loads(text) if text else {}
            if line.get("kind") != "link":
                continue
            fragment = file.read(line["end_byte"] - at)
            head = sha256(head + sha256(fragment).digest()).digest()
            if line["end_byte"] > size:
                raise WrongError("film_cut", path.name)
            if head.hex() != line["chain"]:
                raise WrongError("film_changed", f"{path.name}, bytes {at} to {line['end_byte'] - 1}")
            at = line["end_byte"]
    if at and size > at:
        raise WrongError("film_longer", path.name)


# ---- the whole folder ------------------------------------------------------------------------------------------------


def receipt(case: ProofCase, first: Object, key: str) -> None:
    path, wanted = case.folder / "receipt.json", first.get("receipt_sha256")
    if not exists(path):
        if wanted is not None:
            raise WrongError("receipt_missing", path.name)
        return
    data = read(path, "receipt_missing")
    try:
        found = read_canonical(data, RECEIPT)
        good = is_signed_by(found, case.kin(key)) and found["kind"] == "perron receipt 1"
    except (ValueError, TypeError) as failure:
        raise WrongError("receipt_wrong", path.name) from failure
    same = (found["box"], found["visit"]) == (first["box"], first["visit"])
    as_named = first["version"] == 1 or sha256(data).hexdigest() == wanted
    if not good or not same or not as_named:
        raise WrongError("receipt_wrong", path.name)


def parts(case: ProofCase, *, with_films: bool = True) -> dict[int, str]:
    """Check all parts; their manifests' SHA-256."""
    found: list[tuple[Object, str]] = []
    later = re.compile(r"(?:manifest|log)-([1-9]\d{0,2})\.(?:json|sig|jsonl)")
    numbers = [int(match[1]) for path in case.folder.iterdir() if (match := later.fullmatch(path.name))]
    for part in range(1, max([1, *numbers]) + 1):
        one = manifest(case, part)
        check_predecessor(case, one[0], found[-1] if found else None)
        log(case, one[0])
        checkpoints(case, *one)
        if with_films:
            films(case, one[0])
        found.append(one)
    first, last = found[0][0], found[-1][0]
    for point in case.remembered:
        sealed = point["sealed"]
        if sealed is not None and sealed["visit"] == last["visit"] and sealed["part"] > last["part"]:
            raise WrongError("part_missing", f"part {sealed['part']}")
    receipt(case, first, last["key"])
    return {one["part"]: digest for one, digest in found}


def check_tombstone(case: ProofCase) -> None:
    """Check a folder in which a tombstone stands."""
    path = case.folder / "erased.json"
    try:
        stone = read_canonical(read(path, "tombstone_wrong"), TOMBSTONE)
        good = is_signed_by(stone, frozenset({stone["key"]})) and stone["kind"] == "perron tombstone 1"
        end, at = case.replaced(stone["key"]), instant(stone["at"])
    except (ValueError, TypeError) as failure:
        raise WrongError("tombstone_wrong", path.name) from failure
    if not case.accepts(stone["key"]):
        raise WrongError("foreign_key", path.name)
    request = stone["why"] == "request"
    if (
        not good
        or (end is not None and at > end + HELD_PERIOD)
        or (request and case.folder.resolve().name != stone["visit"])
    ):
        raise WrongError("tombstone_wrong", path.name)
    hashes = {one["part"]: one["manifest_sha256"] for one in stone["parts"] if one["visit"] == stone["visit"]}
    for point in case.remembered:
        if not is_signed_by(point, case.kin(stone["key"])):
            raise WrongError("checkpoint_foreign", f"entry {point['seq']}")
        sealed = point["sealed"]
        mine = sealed is not None and sealed["visit"] == stone["visit"]
        if mine and hashes.get(sealed["part"]) != sealed["manifest_sha256"]:
            raise WrongError("manifest_replaced", path.name)
    stays = r"erased\.json|succession\.jsonl"
    stays += "" if request else r"|manifest(-\d+)?\.(json|sig)|log(-\d+)?\.jsonl|receipt\.json"
    left = [one.name for one in case.folder.iterdir() if not re.fullmatch(stays, one.name)]
    if left:
        raise WrongError("erasure_unfinished", left[0])
    if not request and parts(case, with_films=False) != hashes:
        raise WrongError("tombstone_wrong", path.name)


def verify(folder: Path, known: str | None = None, remembered: bytes = b"") -> None:
    """Check a visit's folder.

    Raises:
        WrongError: with the first wrong thing.
    """
    try:
        points = tuple(read_canonical(text, CHECKPOINT) for text in remembered.splitlines() if text.strip())
    except ValueError as failure:
        raise WrongError("checkpoint_unreadable", str(failure)) from failure
    case = ProofCase(folder=folder, known=known, remembered=points, line=succession(folder))
    if exists(folder / "erased.json"):
        check_tombstone(case)
    else:
        parts(case)


if __name__ == "__main__":
    _, where, *given = sys.argv
    try:
        verify(Path(where), given[0] if given else None, Path(given[1]).read_bytes() if given[1:] else b"")
    except WrongError as wrong:
        sys.exit(str(wrong))
    sys.stdout.write("ok\n")
