"""Replaces a box's signing key: the old key signs the new one, and the new one signs that it follows.

So whoever knows any one of them can follow the line in both directions: a proof of before and one of after the change
are the same box's. The line lies beside the key, and a copy of it in the folder of each visit that is sealed since.

A change is decided by one file that is written last, and done at the start of a gateway, before anything is opened:
killed anywhere, the next start finishes it. The private half of the old key goes with it.
"""

from base64 import b64encode
from pathlib import Path

from gateway.domain.now import Now
from gateway.protocol.key_succession import MAX_HISTORY_BYTES, KeyHistory, KeySuccession
from gateway.protocol.keys import PRIVATE_KEY_FILE, PUBLIC_KEY_FILE, BoxKey, KeyUnusable, PublicKey
from gateway.protocol.signed_document import PLACEHOLDER_SIGNATURE, sign_document
from gateway.system.atomic_file import read_regular, sync_folder, write_whole

SUCCESSION_FILE = "succession.jsonl"  # beside the key, and in the folder of a visit
NEXT_KEY_FILE, NEXT_MARKER_FILE = "next.key.pem", "next"
KEY_FILES = (
    PRIVATE_KEY_FILE,
    PUBLIC_KEY_FILE,
    NEXT_MARKER_FILE,
    NEXT_KEY_FILE,
)  # of the present key and of one that was prepared to follow it


def read_key_history(folder: Path) -> KeyHistory:
    """Read the line that lies in a folder; an empty one where there is none.

    Raises:
        ValueError: what lies there is none.
        OSError: it cannot be read.
    """
    try:
        return KeyHistory.parse(read_regular(folder / SUCCESSION_FILE, at_most=MAX_HISTORY_BYTES))
    except FileNotFoundError:
        return KeyHistory()


def copy_key_history(source: Path, folder: Path) -> None:
    """Let a visit's folder tell by itself how the key that sealed it follows older ones; nothing where none does.

    Raises:
        ValueError, OSError: the line cannot be read, or not be written there.
    """
    line = read_key_history(source)
    if line.steps:
        write_whole(folder / SUCCESSION_FILE, line.encoded)


def is_key_change_interrupted(folder: Path) -> bool:
    """Whether a change is being done and was cut short: it stands in the line, or the key is in its place.

    Another key must not be prepared then: it would follow the old key too, and a line that forks is none.

    Raises:
        KeyUnusable, ValueError, OSError: key or line cannot be read.
    """
    if not (folder / NEXT_MARKER_FILE).exists():
        return False
    if not (folder / NEXT_KEY_FILE).exists():
        return True
    coming, line = (
        BoxKey.from_pem(read_regular(folder / NEXT_KEY_FILE, at_most=MAX_HISTORY_BYTES)).public,
        read_key_history(folder),
    )
    return bool(line.steps) and line.steps[-1].new == coming.text


def prepare_key_change(folder: Path) -> PublicKey:
    """Make the next key and decide that it follows; the box signs under it from its next start on.

    One that was prepared before and that no start has taken up is given up: the newest counts.

    Raises:
        KeyUnusable: the present key cannot be used, or a change was cut short and is to be finished first.
        ValueError: what lies beside it is no line of keys.
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
    """Let the key that was prepared follow, and return how; None: none was. Again after a crash it ends the same.

    Raises:
        KeyUnusable: the files do not belong together: a key was put there by hand.
        ValueError, OSError: they cannot be read or written.
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
    bare = KeySuccession(
        box=box,
        new=new.public.text,
        at=now.utc,
        clock_trusted=now.trusted,
        agreed=PLACEHOLDER_SIGNATURE,
        key=old.public.text,
        signature=PLACEHOLDER_SIGNATURE,
    )
    agreed = b64encode(new.sign(bare.agreed_bytes())).decode()
    return sign_document(bare.model_copy(update={"agreed": agreed}), old)
