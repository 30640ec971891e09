"""Writes a visit's part of the log as JSON lines with hash chain and signed checkpoint.

First line `{"after":{"hash","seq"}}`, then one line an entry, `{"body","hash","seq"}` or, where it is not this visit's,
`{"hash","hidden","seq"}`; last line `{"checkpoint"}`. Each line is canonical JSON.
"""

from collections.abc import Collection, Sequence
from hashlib import sha256
from typing import Annotated, TypeAlias, cast

from pydantic import Field, JsonValue, TypeAdapter

from gateway.evidence.checkpoint import Checkpoint, check_log
from gateway.evidence.log_span import LogSpan
from gateway.evidence.manifest import LogPosition, Manifest
from gateway.evidence.verdict import ProofDefect, ProofProblem
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.hash_chain import ChainEntry, HiddenBody, Json, canonical_json, parse_json
from gateway.protocol.signed_document import CanonicalModel, Hash


class _StartLine(CanonicalModel):
    after: LogPosition


class _EntryLine(CanonicalModel):
    seq: Annotated[int, Field(ge=1)]
    hash: Hash
    body: JsonValue


class _HiddenEntryLine(CanonicalModel):
    seq: Annotated[int, Field(ge=1)]
    hash: Hash
    hidden: Hash


class _CheckpointLine(CanonicalModel):
    checkpoint: Checkpoint


_Line: TypeAlias = _StartLine | _EntryLine | _HiddenEntryLine | _CheckpointLine
_LINE_ADAPTER: TypeAdapter[_Line] = TypeAdapter(_Line)


def write_extract(span: LogSpan, end: Checkpoint) -> bytes:
    """Return the file's bytes."""
    after = canonical_json({"after": {"seq": span.after.seq, "hash": span.after.hash.hex()}})
    return b"".join((after, b"\n", span.lines, b'{"checkpoint":', end.to_json(), b"}\n"))


def check_extract(
    data: bytes, manifest: Manifest, *, remembered: Sequence[Checkpoint], kin: Collection[PublicKey] = ()
) -> None:
    """Compare the file with what the manifest and the remembered checkpoints say.

    `kin` are the keys that the box had before the manifest's own, or has since.

    Raises:
        ProofDefect: the first thing wrong with the file.
    """
    sealed = manifest.log
    lines, line_defect = _read_lines(data, manifest)
    if not lines or not isinstance(lines[0], _StartLine) or lines[0].after != sealed.after:
        raise ProofDefect(ProofProblem.LOG_CHANGED, f"{sealed.file}, line 1")
    entries = tuple(_entry(line) for line in lines[1:] if isinstance(line, _EntryLine | _HiddenEntryLine))
    key = PublicKey.from_text(manifest.key)
    last = entries[-1].seq if entries else sealed.after.seq
    within = [point for point in remembered if point.seq <= max([sealed.after.seq, *(entry.seq for entry in entries)])]
    check_log(sealed.file, entries, remembered=within, key=key, kin=kin, after=sealed.after.head)
    _compare_with_seal(entries, manifest)
    if line_defect is not None:
        raise line_defect
    if last < sealed.last.seq:
        where = f"{sealed.file} ends after entry {last}, sealed were entries to {sealed.last.seq}"
        raise ProofDefect(ProofProblem.LOG_TRUNCATED, where)
    end = lines[-1]
    if not isinstance(end, _CheckpointLine) or len(lines) != len(entries) + 2:
        raise ProofDefect(ProofProblem.LOG_TRUNCATED, f"{sealed.file}, its checkpoint at the end is missing")
    point = end.checkpoint
    if not point.is_signed_by(key) or (point.seq, point.hash) != (sealed.last.seq, sealed.last.hash):
        raise ProofDefect(ProofProblem.LOG_CHANGED, f"{sealed.file}, its checkpoint at the end")
    if sha256(data).hexdigest() != sealed.sha256:
        raise ProofDefect(ProofProblem.LOG_CHANGED, f"{sealed.file}, outside its entries")


def entry_bodies(data: bytes) -> dict[int, JsonValue]:
    """Return the entries' bodies by their numbers, in their order, as far as lines can be read.

    Nothing is checked here: they are proven only where `check_extract` raises nothing.
    """
    bodies: dict[int, JsonValue] = {}
    for text in data.split(b"\n")[:-1]:
        try:
            line = _LINE_ADAPTER.validate_json(text)
        except ValueError:
            break
        if isinstance(line, _EntryLine):
            bodies[line.seq] = line.body
    return bodies


def _read_lines(data: bytes, manifest: Manifest) -> tuple[list[_Line], ProofDefect | None]:
    """Return the lines before the first bad one, and the defect of that one."""
    name, after, last = manifest.log.file, manifest.log.after.seq, manifest.log.last.seq
    *texts, rest = data.split(b"\n")
    lines: list[_Line] = []
    for number, text in enumerate(texts, start=1):
        try:
            line = _LINE_ADAPTER.validate_json(text)
            if canonical_json(parse_json(text)) != text:
                raise ValueError("not canonical")  # noqa: TRY301 - one answer to all that is wrong with a line
        except ValueError:
            seq = after + number - 1
            where = f"{name}, entry {seq} (line {number})" if after < seq <= last else f"{name}, line {number}"
            return lines, ProofDefect(ProofProblem.LOG_CHANGED, where)
        lines.append(line)
    if rest:
        return lines, ProofDefect(ProofProblem.LOG_TRUNCATED, f"{name} ends within line {len(texts) + 1}")
    return lines, None


def _entry(line: _EntryLine | _HiddenEntryLine) -> ChainEntry:
    body: bytes | HiddenBody
    if isinstance(line, _EntryLine):
        body = canonical_json(cast("Json", line.body))
    else:
        body = HiddenBody(bytes.fromhex(line.hidden))
    return ChainEntry(seq=line.seq, body=body, hash=bytes.fromhex(line.hash))


def _compare_with_seal(entries: Sequence[ChainEntry], manifest: Manifest) -> None:
    """Compare with the positions in the manifest: a chain that was linked again agrees with itself, not with these."""
    sealed = manifest.log
    by_seq = {entry.seq: entry for entry in entries}
    for position in (*manifest.decisions, sealed.last):
        entry = by_seq.get(position.seq)
        where = f"{sealed.file}, entry {position.seq}"
        if entry is not None and entry.hash.hex() != position.hash:
            raise ProofDefect(ProofProblem.LOG_CHANGED, where)
        if entry is not None and isinstance(entry.body, HiddenBody) and position in manifest.decisions:
            raise ProofDefect(ProofProblem.LOG_CHANGED, f"{where}: what it said was taken out")
    if entries and entries[-1].seq > sealed.last.seq:
        raise ProofDefect(ProofProblem.LOG_CHANGED, f"{sealed.file} goes on after entry {sealed.last.seq}")
