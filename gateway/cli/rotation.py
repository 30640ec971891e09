"""`perron rotate-key`: makes the next key, and has it taken up between visits or at once where no gateway runs."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gateway.cli.failure import ExitCode, Failure, failure_on, load_home
from gateway.cli.lines import relative_path
from gateway.cli.reloading import request_reload
from gateway.config.home import Home
from gateway.evidence.succession import (
    SUCCESSION_FILE,
    finish_key_change,
    is_key_change_interrupted,
    prepare_key_change,
)
from gateway.protocol.keys import PRIVATE_KEY_FILE, PUBLIC_KEY_FILE
from gateway.runtime.maintenance import reload
from gateway.runtime.maintenance.instance_lock import FolderInUse, lock_folder
from gateway.system.clock import read_clock

KEY_UNCHANGED = "The key is as it was."


async def change_key(file: Path, *, output: Callable[[str], None]) -> None:
    """Give the box a new signing key, which the present key signs."""
    home = load_home(file)
    folder = home.storage.folder / "key"
    if not (folder / PRIVATE_KEY_FILE).is_file():
        raise Failure(f"No box has its key in {folder}.", "Name its house file: --home.")
    with failure_on((OSError, ValueError), "No new key was made: {why}.", KEY_UNCHANGED, ExitCode.NO_ANSWER):
        if (
            is_key_change_interrupted(folder)
            and reload.gateway_pid(home.storage.folder) is None
            and _rotate_offline(home)
        ):
            output("A change that was cut short before is finished.")
        new = prepare_key_change(folder)
    output(f"The new key has the fingerprint {new.fingerprint}.")
    if reload.gateway_pid(home.storage.folder) is None:
        done = _rotate_offline(home)
        output("It is in use, and the old one is destroyed." if done else "The gateway's next start takes it up.")
    else:
        await request_reload(file, wait=False, output=output)
        output("From this reload on the box signs under the new key, and the old one is destroyed.")
    public = relative_path(folder / PUBLIC_KEY_FILE)
    output(f"Give {public} to each person who verifies proofs, with {SUCCESSION_FILE} beside it for older ones.")


def _rotate_offline(home: Home) -> bool:
    """Activate the new key; False: a gateway has just started and will do it at its next start."""
    now, todo = read_clock(home.clock), "Mend that; the next start finishes it."
    with (
        suppress(FolderInUse),
        failure_on((OSError, ValueError), "The new key is not in use yet: {why}.", todo, ExitCode.NO_ANSWER),
        lock_folder(home.storage.folder),
    ):
        finish_key_change(home.storage.folder / "key", box=home.box, now=now)
        return True
    return False
