"""`perron stop` and `perron verify`: what the owner can do without a phone."""

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from gateway.cli.broker import body_of, heard, logged_in, say
from gateway.cli.failure import Exit, Failure, plain
from gateway.config.home import Home
from gateway.config.topics import entrance_topic
from gateway.evidence.checkpoint import read_remembered
from gateway.evidence.verdict import Verdict
from gateway.evidence.verify import verify
from gateway.mqtt.client import InboundMessage
from gateway.protocol.key_succession import LARGEST, Line
from gateway.protocol.keys import KeyUnusable, PublicKey
from gateway.protocol.strict_json import loads
from gateway.system.atomic_file import read_regular

if TYPE_CHECKING:  # a box's own commands start without it
    from gateway.protocol.delivery_record import Line as AccountLine

LARGEST_EVIDENCE = 4_000_000  # bytes of a retailer's proof
ANSWER = 10.0  # seconds for the gateway to say that it has stopped


async def stop(home: Home, entrance: str, *, lift: bool) -> str:
    """Stop an entrance (or lift the stop) and return once the entrance itself says so: its newest state.

    Raises:
        Failure: it could not be said, or the entrance does not confirm it.
    """
    state = entrance_topic(entrance, "state")
    wish = {"id": secrets.token_hex(8), "do": "lift" if lift else "stop"}

    def fits(incoming: InboundMessage) -> bool:
        return not incoming.retain and body_of(incoming).get("stopped") is (not lift)

    async with logged_in(home.broker.account("owner"), [state]) as guest:
        before = await heard(guest, lambda incoming: incoming.retain, within=1.0)
        await say(guest, entrance_topic(entrance, "set"), json.dumps(wish).encode(), expiry=int(ANSWER))
        if before is not None and body_of(before).get("stopped") is (not lift):
            # It stood so already, so no new state will come; that the gateway listens is known by now.
            return f"{entrance}: {'not stopped' if lift else 'stopped'} already"
        now = await heard(guest, fits, within=ANSWER)
    if now is None:
        raise Failure(
            f"The entrance {entrance!r} does not confirm it within {ANSWER:.0f} s.",
            "Take it as not done: look after the door, and see the gateway's log.",
            Exit.SILENT,
        )
    return f"{entrance}: {'the stop is lifted' if lift else 'stopped'}; phase {body_of(now).get('phase')}"


def verdict(
    folder: Path, *, key: Path | None, checkpoint: Path | None, succession: Path | None = None
) -> tuple[bool, str]:
    """Check a visit's folder: whether it holds, and what to tell.

    Raises:
        Failure: the key, the folder or the checkpoints cannot be read: then nothing is known, neither good nor bad.
    """
    if folder.is_file():
        return evidence_holds(folder, key=key)
    public = to_compare(folder, key=key, checkpoint=checkpoint)
    try:
        line = None if succession is None else Line.read(read_regular(succession, at_most=LARGEST))
    except (OSError, ValueError) as error:
        todo = "Take key/succession.jsonl from the box again, or leave --succession out."
        raise Failure(f"{succession}: no line of keys can be read ({plain(error)}).", todo) from error
    found = verify(folder, public_key=public, checkpoint=checkpoint, line=line)
    return found.ok, "\n".join(_told(found))


def evidence_holds(file: Path, *, key: Path | None) -> tuple[bool, str]:
    """Check a retailer's proof (`GET /v1/deliveries/{id}/proof`): whether it holds, and what to tell.

    Raises:
        Failure: the key or the file cannot be read: then nothing is known, neither good nor bad.
    """
    from gateway.hub.evidence import Evidence, wrong  # noqa: PLC0415 - a box's own commands start without it

    public = public_key(key)
    try:
        text = read_regular(file, at_most=LARGEST_EVIDENCE)
        loads(text)
        evidence = Evidence.model_validate_json(text)
    except (OSError, ValueError) as error:
        # Of a file that is something else nothing is quoted: an API key may stand in it.
        why = "it is JSON of another kind" if isinstance(error, ValidationError) else plain(error)
        raise Failure(
            f"{file}: no proof of a retailer's can be read ({why}).",
            "Save what GET /v1/deliveries/ID/proof answers, as it is; or give a visit's folder.",
        ) from error
    problem = wrong(evidence)
    signers = sorted({PublicKey.from_text(told.key).fingerprint for told in evidence.accounts})
    if problem is None and public is not None and signers != [public.fingerprint]:
        problem = f"it is signed by {', '.join(signers)}, not by the key that you gave ({public.fingerprint})"
    if problem is not None:
        return False, f"does not hold: {problem}"
    newest = evidence.accounts[-1]
    last = newest.statement
    what = f"{evidence.brand} {evidence.name}, version {last.version}: {last.state} at {last.at:%Y-%m-%d %H:%M:%SZ}"
    told = [
        f"holds: {what}, house {last.house}, {len(evidence.parcels)} parcel(s), {last.missing} missing",
        *(f"  {_line(line)}" for line in newest.lines),
    ]
    if last.sandbox:
        told.append("  of a sandbox: there is no such home")
    if last.message_sha256 is None:
        told.append(
            "  the home did not note which message it took: whoever holds the key that signed this one"
            " may have signed another of this version since"
        )
    if last.left_out:
        told.append(f"  {last.left_out} lines in the middle were left out by the box")
    if not last.clock_trusted:
        told.append("  the box was not sure of the time at each of these")
    told.append(f"signed by {', '.join(signers)}")
    if public is None:
        told.append(
            "Compare that with the box's fingerprint, as the home told it: the file cannot prove whose key it is."
        )
    return True, "\n".join(told)


def _line(line: "AccountLine") -> str:
    """One line of a box's account."""
    more = f" …{line.code}" if line.code is not None else "" if line.celsius is None else f" {line.celsius:g} °C"
    return f"{line.at:%Y-%m-%d %H:%M:%SZ}  {line.what.replace('_', ' ')}{more}"


def public_key(key: Path | None) -> PublicKey | None:
    """Read the box's key, where one was given.

    Raises:
        Failure: it cannot be read.
    """
    if key is None:
        return None
    try:
        return PublicKey.from_pem(key.read_bytes())
    except (OSError, KeyUnusable) as error:
        raise Failure(
            f"{key}: no public key can be read ({plain(error)}).", "Give the box's public key in PEM."
        ) from error


def to_compare(folder: Path, *, key: Path | None, checkpoint: Path | None) -> PublicKey | None:
    """See that all that a verification needs can be read; return the box's key, where one was given.

    Raises:
        Failure: the key, the folder or the checkpoints cannot be read.
    """
    public = public_key(key)
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "is not there"
        raise Failure(
            f"{folder} {what}: nothing was checked.", "Give a visit's folder: visits/ID under storage.folder."
        )
    try:
        if checkpoint is not None and not read_remembered(checkpoint):
            raise ValueError("it is empty")  # noqa: TRY301 - told as what cannot be read
    except (OSError, ValueError) as error:
        raise Failure(f"{checkpoint}: no checkpoint can be read ({plain(error)}): nothing was checked.",
                      "Take the file from the owner's phone again, or leave --checkpoint out.") from error  # fmt: skip
    return public


def _told(found: Verdict) -> list[str]:
    lines = [
        f"part {part.part}: {part.entrance}, {part.start:%Y-%m-%d %H:%M:%S} to {part.end:%H:%M:%S} UTC;"
        f" {part.films} films, {part.decisions} decisions" + "".join(f"\n  declared gap: {gap}" for gap in part.gaps)
        for part in found.parts
    ]
    if found.erased is not None:
        lines.append(f"erased: {found.erased}")
    if found.fingerprint is not None:
        lines.append(f"signed by the box with the fingerprint {found.fingerprint}")
    lines += [f"note: {note}" for note in found.notes]
    if found.ok:
        return [*lines, "The proof holds."]
    return [*lines, f"WRONG: {found.problem}: {found.where}", *found.remedies]
