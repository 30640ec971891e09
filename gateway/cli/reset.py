"""`perron wipe` and `perron way-in`: what only somebody at the box itself may do."""

from collections.abc import Callable
from pathlib import Path

from gateway.cli.failure import ExitCode, Failure, failure_on
from gateway.cli.lines import expand_commands, relative_path
from gateway.config.home import Home
from gateway.evidence.rollback import STORE_FILE
from gateway.integrations.hub_client import unenrolment
from gateway.runtime.maintenance import factory_reset, recovery_codes
from gateway.runtime.maintenance.instance_lock import lock_folder
from gateway.storage import StoreFailed, readonly
from gateway.system.clock import read_clock
from gateway.web.auth.accounts import name_key
from gateway.web.auth.tokens import claim_code_digest, new_claim_code


def wipe_box(
    home: Home, *, with_held: bool, read_name: Callable[[], str], file: Path | None = None
) -> tuple[bool, str]:
    """Wipe a box that does not run; return whether nothing is left to do by hand, and the text for the person.

    `read_name` asks for the house's name; `file` is the house file, in which its hub no longer stands then.

    Raises:
        FolderInUse: the box runs.
    """
    folder = home.storage.folder
    if not folder.is_dir():
        raise Failure(f"{folder} is no folder: there is nothing to wipe.", "Name the right house file with --home.")
    with lock_folder(folder):
        if not factory_reset.is_marked_for_wipe(folder):
            _check_no_held_films(home, held_too=with_held)
            if name_key(read_name()) != name_key(home.name):
                what = "Nothing was wiped: that is not the house's name."
                raise Failure(what, f"It is {home.name!r}.", ExitCode.NEGATIVE)
        with failure_on(
            OSError,
            f"{folder} is not wiped to its end: {{why}}.",
            "Mend that, then say `perron wipe` again: it goes on where it was.",
            ExitCode.NO_ANSWER,
        ):
            factory_reset.mark_for_wipe(folder)
            whole = unenrolment.finish_wipe_at_hub(home, file)
    text = expand_commands(
        f"Wiped: {relative_path(folder)}. The next `perron run` starts a new box, and shows a code to claim it."
    )
    return whole, text if whole else f"{text}\nEmpty {home.phones_file} by hand: it names the household's phones."


def _check_no_held_films(home: Home, *, held_too: bool) -> None:
    if held_too:
        return
    todo = "--held wipes them too."
    with failure_on(StoreFailed, "Whether films are held as evidence cannot be read ({why}).", todo, ExitCode.NEGATIVE):
        held = readonly.held_visit_count(home.storage.folder / STORE_FILE)
    if held:
        raise Failure(f"The films of {held} visits are held as evidence.", todo, ExitCode.NEGATIVE)


def create_recovery_code(home: Home, name: str) -> str:
    """Create the recovery code of an owner who lost the password; the code before it is void."""
    store, file = home.storage.folder / STORE_FILE, home.recovery_codes_file
    with failure_on(StoreFailed, f"{store} cannot be read ({{why}}).", "Run this as the box's own user."):
        owners = readonly.owners(store)
    if not owners:
        todo = "`perron claim-code` shows the code to claim it."
        raise Failure("This box has no owner yet.", todo, ExitCode.NEGATIVE)
    owner = next((owner for owner in owners if name_key(owner.name) == name_key(name)), None)
    if owner is None:
        known = ", ".join(repr(owner.name) for owner in owners)
        raise Failure(f"No owner is called {name!r}.", f"The owners are: {known}.")
    code = new_claim_code()
    digest = claim_code_digest(code)
    assert digest is not None  # noqa: S101 - what was just written can be read
    stored = recovery_codes.RecoveryCode(
        person=owner.id, digest=digest.hex(), boot=recovery_codes.boot_id(), mono=read_clock(home.clock).mono
    )
    with failure_on(OSError, f"{file} cannot be written ({{why}}).", "Run this as the box's user."):
        recovery_codes.store_code(file, stored)
    return code
