"""`perron stop` and `perron verify`: stops an entrance, verifies a proof."""

import asyncio
import json
import secrets
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from gateway.cli.broker import json_body, open_session, publish, wait_for_message
from gateway.cli.failure import ExitCode, Failure, error_text, failure_on, load_home, resolve_entrance
from gateway.cli.lines import DEFAULT_HOME, counted
from gateway.cli.options import CheckpointFile, EntranceName, HomeFile, PublicKeyFile, cli, exit_unless
from gateway.config.home import Home
from gateway.config.topics import entrance_topic
from gateway.evidence.checkpoint import read_checkpoints
from gateway.evidence.manifest import Manifest
from gateway.evidence.rollback import KEYS_FOLDER
from gateway.evidence.route import RouteClosure
from gateway.evidence.stay_statement import StayStatement
from gateway.evidence.succession import read_key_history
from gateway.evidence.verdict import VerificationResult
from gateway.evidence.verify import verify_proof
from gateway.hub.deliveries.evidence import Evidence, first_problem
from gateway.mqtt.packets import InboundMessage
from gateway.protocol.delivery_record import RecordLine
from gateway.protocol.ed25519 import KeyUnusable, PublicKey
from gateway.protocol.key_succession import MAX_HISTORY_BYTES, KeyHistory
from gateway.protocol.keys import PUBLIC_KEY_FILE
from gateway.protocol.strict_json import loads
from gateway.system.atomic_file import read_regular
from gateway.system.dates import day_text, utc_text
from gateway.system.i18n import SOURCE

STAY_KIND = StayStatement.model_fields["kind"].default
MAX_EVIDENCE_BYTES = 4_000_000  # bytes of a retailer's proof
ANSWER_TIMEOUT_S = 10.0  # for the gateway to report that it has stopped


@cli.example("perron stop", "perron stop front", "perron stop front --lift")
def stop(
    entrance: EntranceName = None,
    home: HomeFile = DEFAULT_HOME,
    lift: Annotated[bool, typer.Option("--lift", help="Lift the stop again.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Stop an entrance as its owner: nothing opens any more. Returns once the entrance itself says so."""
    house = load_home(home)
    typer.echo(asyncio.run(stop_entrance(house, resolve_entrance(house, entrance), lift=lift)))


async def stop_entrance(home: Home, entrance: str, *, lift: bool) -> str:
    """Stop an entrance (or lift the stop) and return once the entrance itself says so: its newest state."""
    state = entrance_topic(entrance, "state")
    request = {"id": secrets.token_hex(8), "do": "lift" if lift else "stop"}

    def is_done(incoming: InboundMessage) -> bool:
        return json_body(incoming).get("stopped") is (not lift)

    async with open_session(home.broker.account("owner"), [state]) as session:
        before = await wait_for_message(session, lambda incoming: incoming.retain, within=1.0)
        await publish(
            session, entrance_topic(entrance, "set"), json.dumps(request).encode(), expiry=int(ANSWER_TIMEOUT_S)
        )
        if before is not None and is_done(before):
            # It stood so already, so no new state will come; that the gateway listens is known by now.
            return f"{entrance}: {'not stopped' if lift else 'stopped'} already"
        now = await wait_for_message(session, lambda new: not new.retain and is_done(new), within=ANSWER_TIMEOUT_S)
    if now is None:
        what = f"The entrance {entrance!r} does not confirm it within {ANSWER_TIMEOUT_S:.0f} s."
        todo = "Take it as not done: look after the door, and see the gateway's log."
        raise Failure(what, todo, ExitCode.NO_ANSWER)
    return f"{entrance}: {'the stop is lifted' if lift else 'stopped'}; phase {json_body(now).get('phase')}"


@cli.example(
    "perron verify var/visits/0f3a",
    "perron verify copy/0f3a --key box.pem --checkpoint phone.jsonl",
    "perron verify proof.json --key box.pem",
)
def verify(
    folder: Annotated[
        Path, typer.Argument(help="The folder of one visit, a retailer's proof or a guest's statement (JSON).")
    ],
    key: PublicKeyFile = None,
    checkpoint: CheckpointFile = None,
    succession: Annotated[
        Path | None,
        typer.Option(help="How the box's keys follow each other (key/succession.jsonl); left out: as the folder says."),
    ] = None,
) -> None:
    """Check a visit's film and log, or what a retailer was given of it, offline; names the first wrong thing."""
    holds, text = verify_folder(folder, key=key, checkpoint=checkpoint, succession=succession)
    typer.echo(text)
    exit_unless(holds)


def verify_folder(
    folder: Path, *, key: Path | None, checkpoint: Path | None, succession: Path | None = None
) -> tuple[bool, str]:
    """Verify a visit's folder; return whether the proof holds, and the text to print."""
    if folder.is_file():
        return _verify_evidence(folder, key=key)
    public = check_readable(folder, key=key, checkpoint=checkpoint)
    todo = "Take key/succession.jsonl from the box again, or leave --succession out."
    with failure_on((OSError, ValueError), f"{succession}: no line of keys can be read ({{why}}).", todo):
        line = None if succession is None else KeyHistory.parse(read_regular(succession, at_most=MAX_HISTORY_BYTES))
    verdict = verify_proof(folder, public_key=public, checkpoint=checkpoint, line=line)
    return verdict.ok, "\n".join(_verdict_lines(verdict))


def _verify_evidence(file: Path, *, key: Path | None) -> tuple[bool, str]:
    """Verify a retailer's proof (`GET /v1/deliveries/{id}/proof`); as `verify_folder`."""
    public = _read_public_key(key)
    try:
        text = read_regular(file, at_most=MAX_EVIDENCE_BYTES)
        document = loads(text)
        if isinstance(document, dict) and document.get("kind") == STAY_KIND:
            return _verify_stay(StayStatement.from_json(text), public)
        evidence = Evidence.model_validate_json(text)
    except (OSError, ValueError) as error:
        # Of a file that is something else nothing is quoted: an API key may stand in it.
        why = "it is JSON of another kind" if isinstance(error, ValidationError) else error_text(error)
        todo = (
            "Save what GET /v1/deliveries/ID/proof answers, or a guest's statement, as it is; or give a visit's folder."
        )
        raise Failure(
            f"{file}: neither a retailer's proof nor a guest's statement can be read ({why}).", todo
        ) from error
    problem = first_problem(evidence)
    signers = sorted({PublicKey.from_text(account.key).fingerprint for account in evidence.accounts})
    if problem is None and public is not None and signers != [public.fingerprint]:
        problem = f"it is signed by {', '.join(signers)}, not by the key that you gave ({public.fingerprint})"
    if problem is not None:
        return False, f"does not hold: {problem}"
    newest = evidence.accounts[-1]
    last = newest.statement
    what = f"{evidence.brand} {evidence.name}, version {last.version}: {last.state} at {utc_text(last.at).to(SOURCE)}"
    lines = [
        f"holds: {what}, house {last.house}, {counted(len(evidence.parcels), 'parcel')}, {last.missing} missing",
        *(f"  {_account_line(line)}" for line in newest.lines),
    ]
    notes = {
        "  of a sandbox, not a real home": last.sandbox,
        "  the home did not record which message it accepted: the holder of the key that signed this one"
        " may have signed another one of this version since": last.message_sha256 is None,
        f"  {last.left_out} lines in the middle were left out by the box": last.left_out,
        "  the box was not sure of the time at each of these": not last.clock_trusted,
        f"signed by {', '.join(signers)}": True,
        "Compare that with the box's fingerprint, as the home told it: the file cannot prove whose key it is.":
            public is None,
    }  # fmt: skip
    return True, "\n".join([*lines, *(note for note, holds in notes.items() if holds)])


def _verify_stay(statement: StayStatement, public: PublicKey | None) -> tuple[bool, str]:
    """Check the signature of a statement about a stay; as `verify_folder`."""
    signer = PublicKey.from_text(statement.key)
    if not statement.is_signed_by(public or signer):
        whose = "" if public is None else f" by the key that you gave ({public.fingerprint})"
        return False, f"does not hold: it is not signed{whose}"
    span = f"from {utc_text(statement.start).to(SOURCE)} to {utc_text(statement.end).to(SOURCE)}"
    what = counted(len(statement.films), "film") if statement.films else "nothing"
    films = [
        f"  filmed at {film.entrance} from {utc_text(film.began).to(SOURCE)}"
        + ("" if film.ended is None else f" to {utc_text(film.ended).to(SOURCE)}")
        for film in statement.films
    ]
    notes = {
        "  the box was not sure of the time when it made the statement": not statement.clock_trusted,
        f"signed by {signer.fingerprint}": True,
        "Compare that with the box's fingerprint, as the home told it: the file cannot prove whose key it is.":
            public is None,
    }  # fmt: skip
    lines = [
        f"holds: {span} the box filmed {what} at {', '.join(statement.entrances)}",
        *films,
        f"  in its log this time is behind entry {statement.after.seq} ({statement.after.hash})",
        f"  up to and with entry {statement.last.seq} ({statement.last.hash})",
    ]
    return True, "\n".join([*lines, *(note for note, holds in notes.items() if holds)])


def _account_line(line: RecordLine) -> str:
    more = f" …{line.code}" if line.code is not None else "" if line.celsius is None else f" {line.celsius:g} °C"
    return f"{line.at:%Y-%m-%d %H:%M:%SZ}  {line.what.replace('_', ' ')}{more}"


def _read_public_key(key: Path | None) -> PublicKey | None:
    todo = "Give the box's public key in PEM."
    with failure_on((OSError, KeyUnusable), f"{key}: no public key can be read ({{why}}).", todo):
        return None if key is None else PublicKey.from_pem(key.read_bytes())


def check_readable(folder: Path, *, key: Path | None, checkpoint: Path | None) -> PublicKey | None:
    """Check that all inputs of a verification can be read; return the box's key, if one is given."""
    public = _read_public_key(key)
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "is not there"
        raise Failure(
            f"{folder} {what}: nothing was checked.", "Give a visit's folder: visits/ID under storage.folder."
        )
    with failure_on(
        (OSError, ValueError),
        f"{checkpoint}: no checkpoint can be read ({{why}}): nothing was checked.",
        "Take the file from the owner's phone again, or leave --checkpoint out.",
    ):
        if checkpoint is not None and not read_checkpoints(checkpoint):
            raise ValueError("it is empty")
    return public


def is_sealed_by(home: Home, *, box: str, key: str, otherwise: bool) -> bool:
    """Return whether the box of this house sealed a proof of `box`, signed by `key`: by all keys that it has had.

    `otherwise` is the answer if the ids are the same and the box's keys cannot be read.
    """
    if box != home.box:
        return False
    folder = home.storage.folder / KEYS_FOLDER
    try:
        current = PublicKey.from_pem((folder / PUBLIC_KEY_FILE).read_bytes())
        known = {current, *read_key_history(folder).keys_of_same_box(current)}
    except (OSError, ValueError):
        return otherwise
    return PublicKey.from_text(key) in known


def closure_line(closure: RouteClosure) -> str:
    """Print when a closure of the way in was ordered open and proven secured, and by which answers; times are UTC."""
    name = f"{closure.closure} ({closure.kind})"
    if closure.ordered is None and closure.secured is None and not closure.opened:
        return f"{name}: never ordered open"
    ordered = "a key opens it" if closure.ordered is None else f"ordered open {closure.ordered:%H:%M:%S}"
    opened = f"opened {closure.opened[0]:%H:%M:%S}" if closure.opened else "not seen to open"
    if closure.secured is None:
        return f"{name}: {ordered}, {opened}, not proven secured"
    answers = [(sensor, answer.value) for sensor, answer in sorted(closure.answers.items())]
    said = ", ".join(value if sensor == value else f"{sensor} {value}" for sensor, value in answers)
    return f"{name}: {ordered}, {opened}, secured {closure.secured:%H:%M:%S} by {said}"


def _span(manifest: Manifest) -> str:
    """Return from when to when the part lasted, in UTC. Without a film `film` is the instant of sealing."""
    steps = [(one.intent, one.ordered, one.published, one.passable, *one.opened, one.secured) for one in manifest.route]
    times = [at for at in chain.from_iterable(steps) if at is not None]
    if manifest.clips or not times:
        times += [manifest.film.start, manifest.film.end]
    return f"{day_text(min(times).date()).to(SOURCE)}, {min(times):%H:%M:%S} to {max(times):%H:%M:%S} UTC"


def _verdict_lines(verdict: VerificationResult) -> list[str]:
    lines = [
        f"part {manifest.part}: {manifest.entrance},"
        f" {_span(manifest)};"
        f" {counted(len(manifest.clips), 'film')}, {counted(len(manifest.decisions), 'decision')}"
        + "".join(f"\n  {closure_line(closure)}" for closure in manifest.route)
        + "".join(f"\n  declared gap: {gap}" for gap in manifest.declared_gaps)
        for manifest in (part.manifest for part in verdict.parts)
    ]
    if verdict.erased is not None:
        lines.append(f"erased: {verdict.erased}")
    if verdict.fingerprint is not None:
        lines.append(f"signed by the box with the fingerprint {verdict.fingerprint}")
    lines += [f"note: {note}" for note in verdict.notes]
    if verdict.ok:
        return [*lines, "The proof holds."]
    return [*lines, f"WRONG: {verdict.problem}: {verdict.where}", *verdict.remedies]
