"""The visit's part of the log as a file: JSON lines, with the hash chain and the signed checkpoint of its end.

First line `{"after":{"hash","seq"}}`, then one line an entry, `{"body","hash","seq"}` or, where it is not this visit's,
`{"hash","hidden","seq"}`; last line `{"checkpoint"}`. Each line is canonical JSON.
"""

from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from types import MappingProxyType
from typing import Annotated, assert_never, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

from gateway.evidence.checkpoint import Checkpoint, LogProblem, Mismatch, check_log
from gateway.evidence.manifest import Manifest, Position
from gateway.evidence.verdict import Problem, Wrong
from gateway.protocol.hash_chain import Entry, Head, Hidden, Json, canonical, parse
from gateway.protocol.keys import PublicKey
from gateway.protocol.signed_document import Hash


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _After(_Line):
    after: Position


class _Told(_Line):
    seq: Annotated[int, Field(ge=1)]
    hash: Hash
    body: JsonValue


class _Untold(_Line):
    seq: Annotated[int, Field(ge=1)]
    hash: Hash
    hidden: Hash


class _End(_Line):
    checkpoint: Checkpoint


_LINE: TypeAdapter[_After | _Told | _Untold | _End] = TypeAdapter(_After | _Told | _Untold | _End)

MISMATCHES: Mapping[Mismatch, Problem] = MappingProxyType({
    Mismatch.CHANGED: Problem.LOG_CHANGED,
    Mismatch.MISSING: Problem.LOG_ENTRY_MISSING,
    Mismatch.OUT_OF_ORDER: Problem.LOG_OUT_OF_ORDER,
    Mismatch.REPEATED: Problem.LOG_REPEATED,
    Mismatch.TRUNCATED: Problem.LOG_TRUNCATED,
    Mismatch.REWRITTEN: Problem.LOG_REWRITTEN,
    Mismatch.WENT_BACK: Problem.LOG_WENT_BACK,
    Mismatch.FOREIGN: Problem.CHECKPOINT_FOREIGN,
})  # fmt: skip


def write_extract(after: Head, entries: Sequence[Entry], end: Checkpoint) -> bytes:
    """Write the file's bytes.

    Raises:
        ValueError: a body is not canonical JSON.
    """
    lines: list[Json] = [{"after": {"seq": after.seq, "hash": after.hash.hex()}}]
    for entry in entries:
        line: dict[str, Json] = {"seq": entry.seq, "hash": entry.hash.hex()}
        match entry.body:
            case bytes():
                line["body"] = parse(entry.body)
                if canonical(line["body"]) != entry.body:
                    raise ValueError(f"entry {entry.seq} is not canonical JSON")
            case Hidden():
                line["hidden"] = entry.body.digest.hex()
            case _:
                assert_never(entry.body)
        lines.append(line)
    text = b"".join(canonical(line) + b"\n" for line in lines)
    return text + b'{"checkpoint":' + end.to_json() + b"}\n"


def check_extract(
    data: bytes, manifest: Manifest, *, remembered: Sequence[Checkpoint], kin: Collection[PublicKey] = ()
) -> Wrong | None:
    """Find the first thing wrong with the file, in view of what the manifest and the remembered checkpoints say.

    `kin` are the keys that the box had before the manifest's own, or has since.
    """
    sealed = manifest.log
    read = _read(data, manifest)
    lines, torn = read
    if not lines or not isinstance(lines[0], _After) or lines[0].after != sealed.after:
        return Wrong(problem=Problem.LOG_CHANGED, where=f"{sealed.file}, line 1")
    entries = tuple(_entry(line) for line in lines[1:] if isinstance(line, _Told | _Untold))
    key = PublicKey.from_text(manifest.key)
    within = [point for point in remembered if point.seq <= max([sealed.after.seq, *(one.seq for one in entries)])]
    problem = check_log(entries, remembered=within, key=key, kin=kin, after=sealed.after.head)
    if problem is not None:
        return log_problem(problem, sealed.file)
    changed = _as_sealed(entries, manifest)
    if changed is not None:
        return changed
    if torn is not None:
        return torn
    last = entries[-1].seq if entries else sealed.after.seq
    if last < sealed.last.seq:
        where = f"{sealed.file} ends after entry {last}, sealed were entries to {sealed.last.seq}"
        return Wrong(problem=Problem.LOG_TRUNCATED, where=where)
    end = lines[-1]
    if not isinstance(end, _End) or len(lines) != len(entries) + 2:
        return Wrong(problem=Problem.LOG_TRUNCATED, where=f"{sealed.file}, its checkpoint at the end is missing")
    point = end.checkpoint
    if not point.is_signed_by(key) or (point.seq, point.hash) != (sealed.last.seq, sealed.last.hash):
        return Wrong(problem=Problem.LOG_CHANGED, where=f"{sealed.file}, its checkpoint at the end")
    if sha256(data).hexdigest() != sealed.sha256:
        return Wrong(problem=Problem.LOG_CHANGED, where=f"{sealed.file}, outside its entries")
    return None


def told_bodies(data: bytes) -> dict[int, JsonValue]:
    """What the entries say, by their numbers and in their order, as far as lines can be read.

    Nothing is checked here: what they say is proven only where `check_extract` found nothing wrong.
    """
    found: dict[int, JsonValue] = {}
    for text in data.split(b"\n")[:-1]:
        try:
            line = _LINE.validate_json(text)
        except ValueError:
            break
        if isinstance(line, _Told):
            found[line.seq] = line.body
    return found


def log_problem(problem: LogProblem, name: str) -> Wrong:
    """Put into a verdict's words."""
    where = f"{name}, entry {problem.seq}"
    if problem.remembered is not None:
        point = problem.remembered
        where += f" (remembered: entry {point.seq} at {point.at:%Y-%m-%d %H:%M} UTC)"
    return Wrong(problem=MISMATCHES[problem.mismatch], where=where)


def _read(data: bytes, manifest: Manifest) -> tuple[list[_After | _Told | _Untold | _End], Wrong | None]:
    """Read lines up to the first bad one, and what is wrong with it."""
    name, lines = manifest.log.file, list[_After | _Told | _Untold | _End]()
    texts = data.split(b"\n")
    for number, text in enumerate(texts[:-1], start=1):
        try:
            line = _LINE.validate_json(text)
            if canonical(parse(text)) != text:
                raise ValueError("not canonical")  # noqa: TRY301 - one answer to all that is wrong with a line
        except ValueError:
            where = f"{name}, line {number}"
            seq = manifest.log.after.seq + number - 1
            if manifest.log.after.seq < seq <= manifest.log.last.seq:
                where = f"{name}, entry {seq} (line {number})"
            return lines, Wrong(problem=Problem.LOG_CHANGED, where=where)
        lines.append(line)
    if texts[-1]:
        return lines, Wrong(problem=Problem.LOG_TRUNCATED, where=f"{name} ends within line {len(texts)}")
    return lines, None


def _entry(line: _Told | _Untold) -> Entry:
    body = canonical(cast("Json", line.body)) if isinstance(line, _Told) else Hidden(bytes.fromhex(line.hidden))
    return Entry(seq=line.seq, body=body, hash=bytes.fromhex(line.hash))


def _as_sealed(entries: Sequence[Entry], manifest: Manifest) -> Wrong | None:
    """Compare with the positions in the manifest: a chain that was linked anew agrees with itself, not with these."""
    sealed = manifest.log
    told = {entry.seq: entry for entry in entries}
    for position in (*manifest.decisions, sealed.last):
        entry = told.get(position.seq)
        where = f"{sealed.file}, entry {position.seq}"
        if entry is not None and entry.hash.hex() != position.hash:
            return Wrong(problem=Problem.LOG_CHANGED, where=where)
        if entry is not None and isinstance(entry.body, Hidden) and position in manifest.decisions:
            return Wrong(problem=Problem.LOG_CHANGED, where=f"{where}: what it said was taken out")
    if entries and entries[-1].seq > sealed.last.seq:
        return Wrong(problem=Problem.LOG_CHANGED, where=f"{sealed.file} goes on after entry {sealed.last.seq}")
    return None
