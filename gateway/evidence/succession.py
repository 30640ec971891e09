"""Replaces a box's signing key: the old key signs the new one, and the new one signs that it follows.

So a verifier with any of these keys can follow the history in both directions: proofs from before and after the change
are of the same box. The history is a file beside the key, with a copy in the folder of each visit sealed since then.

One file, written last, decides a change. The gateway carries it out when it starts, before it opens anything; if it is
killed, the next start finishes the change. The change deletes the old private key.

The functions raise `OSError` if the folder cannot be read or written, `ValueError` if its file is no key history, and
`KeyUnusable` if a key cannot be used.
"""

from base64 import b64encode
from pathlib import Path

from gateway.domain.now import Now
from gateway.protocol.ed25519 import KeyUnusable, PublicKey
from gateway.protocol.key_succession import MAX_HISTORY_BYTES, KeyHistory, KeySuccession
from gateway.protocol.keys import PRIVATE_KEY_FILE, PUBLIC_KEY_FILE, BoxKey
from gateway.protocol.signed_document import PLACEHOLDER_SIGNATURE
from gateway.system.atomic_file import read_regular, sync_folder, write_whole

SUCCESSION_FILE = "succession.jsonl"  # beside the key, and in the folder of a visit
NEXT_KEY_FILE, NEXT_MARKER_FILE = "next.key.pem", "next"
# Of the present key and of one that was prepared to follow it.
KEY_FILES = (PRIVATE_KEY_FILE, PUBLIC_KEY_FILE, NEXT_MARKER_FILE, NEXT_KEY_FILE)


def read_key_history(folder: Path) -> KeyHistory:
    """Read the key history in a folder; it is empty if the folder has no file of it."""
    try:
        return KeyHistory.parse(read_regular(folder / SUCCESSION_FILE, at_most=MAX_HISTORY_BYTES))
    except FileNotFoundError:
        return KeyHistory()


def copy_key_history(source: Path, folder: Path) -> None:
    """Copy the key history into a visit's folder, so that the folder alone proves it; nothing if it is empty."""
    line = read_key_history(source)
    if line.steps:
        write_whole(folder / SUCCESSION_FILE, line.encoded)


def is_key_change_interrupted(folder: Path) -> bool:
    """Return whether a key change began and did not end: the history names it, or the new key is in its place.

    Another key must not be prepared then: it would follow the old key too, and a history must not fork.
    """
    if not (folder / NEXT_MARKER_FILE).exists():
        return False
    if not (folder / NEXT_KEY_FILE).exists():
        return True
    next_key = BoxKey.from_pem(read_regular(folder / NEXT_KEY_FILE, at_most=MAX_HISTORY_BYTES)).public
    line = read_key_history(folder)
    return bool(line.steps) and line.steps[-1].new == next_key.text


def prepare_key_change(folder: Path) -> PublicKey:
    """Make the next key; the box signs with it from its next start on.

    It replaces a key that was prepared before and not used yet.

    Raises:
        KeyUnusable: the present key cannot be used, or a change was cut short and is to be finished first.
        OSError: the folder does not take it, and nothing is decided.
    """
    BoxKey.load(folder)
    if is_key_change_interrupted(folder):
        raise KeyUnusable(
            "a change of the key was cut short: start the gateway, which finishes it; then change it again"
        )
    (folder / NEXT_MARKER_FILE).unlink(missing_ok=True)
    new = BoxKey.generate()
    write_whole(folder / NEXT_KEY_FILE, new.pem)
    write_whole(folder / NEXT_MARKER_FILE, b"perron next key 1\n")
    return new.public


def finish_key_change(folder: Path, *, box: str, now: Now) -> KeySuccession | None:
    """Replace the key by the prepared one and return the signed step; None if none is prepared. Safe to repeat.

    Raises:
        KeyUnusable: the files do not belong together: a key was put there by hand.
    """
    if not (folder / NEXT_MARKER_FILE).exists():
        (folder / NEXT_KEY_FILE).unlink(missing_ok=True)  # of a change that was not decided
        return None
    line = read_key_history(folder)
    if (folder / NEXT_KEY_FILE).exists():
        new = BoxKey.from_pem(read_regular(folder / NEXT_KEY_FILE, at_most=MAX_HISTORY_BYTES))
        if not line.steps or line.steps[-1].new != new.public.text:
            line = KeyHistory((*line.steps, _sign_succession(BoxKey.load(folder), new, box=box, now=now)))
            write_whole(folder / SUCCESSION_FILE, line.encoded)
        (folder / NEXT_KEY_FILE).replace(folder / PRIVATE_KEY_FILE)
        sync_folder(folder)
    present = BoxKey.load(folder).public
    if not line.steps or line.steps[-1].new != present.text:
        raise KeyUnusable(
            f"{folder / PRIVATE_KEY_FILE} is not the key that {SUCCESSION_FILE} ends with: it was put there by hand"
        )
    write_whole(folder / PUBLIC_KEY_FILE, present.pem)
    (folder / NEXT_MARKER_FILE).unlink()
    sync_folder(folder)
    return line.steps[-1]


def _sign_succession(old: BoxKey, new: BoxKey, *, box: str, now: Now) -> KeySuccession:
    step = KeySuccession(
        box=box, new=new.public.text, at=now.utc, clock_trusted=now.trusted, agreed=PLACEHOLDER_SIGNATURE,
        key=old.public.text,
    )  # fmt: skip
    agreed = b64encode(new.sign(step.agreed_bytes())).decode()
    return step.model_copy(update={"agreed": agreed}).signed(old)
