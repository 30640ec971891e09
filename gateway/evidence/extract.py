"""Writes a visit's part of the log as JSON lines with hash chain and signed checkpoint.

First line `{"after":{"hash","seq"}}`, then one line an entry, `{"body","hash","seq"}` or, where it is not this visit's,
`{"hash","hidden","seq"}`; last line `{"checkpoint"}`. Each line is canonical JSON.
"""

from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from types import MappingProxyType
from typing import Annotated, assert_never, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

from gateway.evidence.checkpoint import Checkpoint, LogProblem, Mismatch, check_log
from gateway.evidence.manifest import LogPosition, Manifest
from gateway.evidence.verdict import ProofDefect, ProofProblem
from gateway.protocol.hash_chain import ChainEntry, ChainHead, HiddenBody, Json, canonical_json, parse_json
from gateway.protocol.keys import PublicKey
from gateway.protocol.signed_document import Hash


class _ExtractLine(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _StartLine(_ExtractLine):
    after: LogPosition


class _EntryLine(_ExtractLine):
    seq: Annotated[int, Field(ge=1)]
    hash: Hash
    body: JsonValue


class _HiddenEntryLine(_ExtractLine):
    seq: Annotated[int, Field(ge=1)]
    hash: Hash
    hidden: Hash


class _CheckpointLine(_ExtractLine):
    checkpoint: Checkpoint


_LINE_ADAPTER: TypeAdapter[_StartLine | _EntryLine | _HiddenEntryLine | _CheckpointLine] = TypeAdapter(
    _StartLine | _EntryLine | _HiddenEntryLine | _CheckpointLine
)

MISMATCH_PROBLEMS: Mapping[Mismatch, ProofProblem] = MappingProxyType({
    Mismatch.CHANGED: ProofProblem.LOG_CHANGED,
    Mismatch.MISSING: ProofProblem.LOG_ENTRY_MISSING,
    Mismatch.OUT_OF_ORDER: ProofProblem.LOG_OUT_OF_ORDER,
    Mismatch.REPEATED: ProofProblem.LOG_REPEATED,
    Mismatch.TRUNCATED: ProofProblem.LOG_TRUNCATED,
    Mismatch.REWRITTEN: ProofProblem.LOG_REWRITTEN,
    Mismatch.WENT_BACK: ProofProblem.LOG_WENT_BACK,
    Mismatch.FOREIGN: ProofProblem.CHECKPOINT_FOREIGN,
})  # fmt: skip


def write_extract(after: ChainHead, entries: Sequence[ChainEntry], end: Checkpoint) -> bytes:
    """Write the file's bytes.

    Raises:
        ValueError: a body is not canonical JSON.
    """
    lines: list[Json] = [{"after": {"seq": after.seq, "hash": after.hash.hex()}}]
    for entry in entries:
        line: dict[str, Json] = {"seq": entry.seq, "hash": entry.hash.hex()}
        match entry.body:
            case bytes():
                line["body"] = parse_json(entry.body)
                if canonical_json(line["body"]) != entry.body:
                    raise ValueError(f"entry {entry.seq} is not canonical JSON")
            case HiddenBody():
                line["hidden"] = entry.body.digest.hex()
            case _:
                assert_never(entry.body)
        lines.append(line)
    text = b"".join(canonical_json(line) + b"\n" for line in lines)
    return text + b'{"checkpoint":' + end.to_json() + b"}\n"


def check_extract(
    data: bytes, manifest: Manifest, *, remembered: Sequence[Checkpoint], kin: Collection[PublicKey] = ()
) -> ProofDefect | None:
    """Find the first thing wrong with the file, in view of what the manifest and the remembered checkpoints say.

    `kin` are the keys that the box had before the manifest's own, or has since.
    """
    sealed = manifest.log
    read = _read_lines(data, manifest)
    lines, torn = read
    if not lines or not isinstance(lines[0], _StartLine) or lines[0].after != sealed.after:
        return ProofDefect(ProofProblem.LOG_CHANGED, f"{sealed.file}, line 1")
    entries = tuple(_entry(line) for line in lines[1:] if isinstance(line, _EntryLine | _HiddenEntryLine))
    key = PublicKey.from_text(manifest.key)
    within = [point for point in remembered if point.seq <= max([sealed.after.seq, *(one.seq for one in entries)])]
    problem = check_log(entries, remembered=within, key=key, kin=kin, after=sealed.after.head)
    if problem is not None:
        return log_defect(problem, sealed.file)
    changed = _difference_from_seal(entries, manifest)
    if changed is not None:
        return changed
    if torn is not None:
        return torn
    last = entries[-1].seq if entries else sealed.after.seq
    if last < sealed.last.seq:
        where = f"{sealed.file} ends after entry {last}, sealed were entries to {sealed.last.seq}"
        return ProofDefect(ProofProblem.LOG_TRUNCATED, where)
    end = lines[-1]
    if not isinstance(end, _CheckpointLine) or len(lines) != len(entries) + 2:
        return ProofDefect(ProofProblem.LOG_TRUNCATED, f"{sealed.file}, its checkpoint at the end is missing")
    point = end.checkpoint
    if not point.is_signed_by(key) or (point.seq, point.hash) != (sealed.last.seq, sealed.last.hash):
        return ProofDefect(ProofProblem.LOG_CHANGED, f"{sealed.file}, its checkpoint at the end")
    if sha256(data).hexdigest() != sealed.sha256:
        return ProofDefect(ProofProblem.LOG_CHANGED, f"{sealed.file}, outside its entries")
    return None


def entry_bodies(data: bytes) -> dict[int, JsonValue]:
    """What the entries say, by their numbers and in their order, as far as lines can be read.

    Nothing is checked here: what they say is proven only where `check_extract` found nothing wrong.
    """
    found: dict[int, JsonValue] = {}
    for text in data.split(b"\n")[:-1]:
        try:
            line = _LINE_ADAPTER.validate_json(text)
        except ValueError:
            break
        if isinstance(line, _EntryLine):
            found[line.seq] = line.body
    return found


def log_defect(problem: LogProblem, name: str) -> ProofDefect:
    """Put into a verdict's words."""
    where = f"{name}, entry {problem.seq}"
    if problem.remembered is not None:
        point = problem.remembered
        where += f" (remembered: entry {point.seq} at {point.at:%Y-%m-%d %H:%M} UTC)"
    return ProofDefect(MISMATCH_PROBLEMS[problem.mismatch], where)


def _read_lines(
    data: bytes, manifest: Manifest
) -> tuple[list[_StartLine | _EntryLine | _HiddenEntryLine | _CheckpointLine], ProofDefect | None]:
    """Return the lines before the first bad one, and the defect of that one."""
    name, lines = manifest.log.file, list[_StartLine | _EntryLine | _HiddenEntryLine | _CheckpointLine]()
    texts = data.split(b"\n")
    for number, text in enumerate(texts[:-1], start=1):
        try:
            line = _LINE_ADAPTER.validate_json(text)
            if canonical_json(parse_json(text)) != text:
                raise ValueError("not canonical")  # noqa: TRY301 - one answer to all that is wrong with a line
        except ValueError:
            where = f"{name}, line {number}"
            seq = manifest.log.after.seq + number - 1
            if manifest.log.after.seq < seq <= manifest.log.last.seq:
                where = f"{name}, entry {seq} (line {number})"
            return lines, ProofDefect(ProofProblem.LOG_CHANGED, where)
        lines.append(line)
    if texts[-1]:
        return lines, ProofDefect(ProofProblem.LOG_TRUNCATED, f"{name} ends within line {len(texts)}")
    return lines, None


def _entry(line: _EntryLine | _HiddenEntryLine) -> ChainEntry:
    body = (
        canonical_json(cast("Json", line.body))
        if isinstance(line, _EntryLine)
        else HiddenBody(bytes.fromhex(line.hidden))
    )
    return ChainEntry(seq=line.seq, body=body, hash=bytes.fromhex(line.hash))


def _difference_from_seal(entries: Sequence[ChainEntry], manifest: Manifest) -> ProofDefect | None:
    """Compare with the positions in the manifest: a chain that was linked again agrees with itself, not with these."""
    sealed = manifest.log
    told = {entry.seq: entry for entry in entries}
    for position in (*manifest.decisions, sealed.last):
        entry = told.get(position.seq)
        where = f"{sealed.file}, entry {position.seq}"
        if entry is not None and entry.hash.hex() != position.hash:
            return ProofDefect(ProofProblem.LOG_CHANGED, where)
        if entry is not None and isinstance(entry.body, HiddenBody) and position in manifest.decisions:
            return ProofDefect(ProofProblem.LOG_CHANGED, f"{where}: what it said was taken out")
    if entries and entries[-1].seq > sealed.last.seq:
        return ProofDefect(ProofProblem.LOG_CHANGED, f"{sealed.file} goes on after entry {sealed.last.seq}")
    return None
