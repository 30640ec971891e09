"""`perron rotate-key`: makes the next key, and has it taken up between visits or at once where no gateway runs."""

from collections.abc import Callable
from pathlib import Path

from gateway.cli.failure import Exit, Failure, home_of, plain
from gateway.cli.lines import relative
from gateway.cli.reloading import ask
from gateway.config.home import Home
from gateway.evidence.succession import SUCCESSION, begun, prepare, settle
from gateway.protocol.keys import PRIVATE, PUBLIC
from gateway.runtime.maintenance import reload
from gateway.runtime.maintenance.instance_lock import Occupied, alone
from gateway.system.clock import Clock

NEVER = "The key is as it was."


async def rotate(file: Path, *, tell: Callable[[str], None]) -> None:
    """Let a new key follow the box's present one.

    Raises:
        Failure: there is no box, its key cannot be used, or the disk does not take the new one.
    """
    home = home_of(file)
    folder = home.storage.folder / "key"
    if not (folder / PRIVATE).is_file():
        raise Failure(f"No box has its key in {folder}.", "Name its house file: --home.")
    try:
        if begun(folder) and reload.gateway_in(home.storage.folder) is None and _at_once(home):
            tell("A change that was cut short before is finished.")
        new = prepare(folder)
    except (OSError, ValueError) as error:
        raise Failure(f"No new key was made: {plain(error)}.", NEVER, Exit.SILENT) from error
    tell(f"The new key has the fingerprint {new.fingerprint}.")
    if reload.gateway_in(home.storage.folder) is None:
        done = _at_once(home)
        tell("It is in use, and the old one is destroyed." if done else "The gateway's next start takes it up.")
    else:
        await ask(file, wait=False, tell=tell)
        tell("Once that is applied the box signs under it, and the old one is destroyed.")
    tell(f"Give {relative(folder / PUBLIC)} to whoever checks proofs, with {SUCCESSION} beside it for older ones.")


def _at_once(home: Home) -> bool:
    """Take the new key up; False: a gateway has just begun, and does it at its next start."""
    now = Clock(home.clock, floor=None, keep_floor=lambda _: None).now()
    try:
        with alone(home.storage.folder):
            settle(home.storage.folder / "key", box=home.box, now=now)
    except Occupied:
        return False
    except (OSError, ValueError) as error:
        todo = "Mend that; the next start finishes it."
        raise Failure(f"The new key is not in use yet: {plain(error)}.", todo, Exit.SILENT) from error
    return True
