"""`perron backup`, `restore`, `wipe` and `way-in`: what only somebody at the box itself may do."""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from gateway.cli.failure import ExitCode, Failure, failure_on, load_home
from gateway.cli.lines import expand_commands, relative_path
from gateway.config.home import Home
from gateway.evidence.manifest import VISITS_FOLDER
from gateway.evidence.rollback import STORE_FILE
from gateway.integrations.hub_client import unenrolment
from gateway.protocol.ed25519 import KeyUnusable, PublicKey
from gateway.runtime.maintenance import atomic_restore, factory_reset, recovery_codes, restore
from gateway.runtime.maintenance.backup import HOUSE_FILE, BackupListing, make_backup
from gateway.runtime.maintenance.instance_lock import FolderInUse, lock_folder
from gateway.storage import StoreFailed, readonly
from gateway.storage.models import DatabaseRefused
from gateway.system.clock import read_clock
from gateway.web.auth.accounts import name_key
from gateway.web.auth.tokens import claim_code_digest, new_claim_code

Output = Callable[[str], None]


def write_backup(file: Path, target: Path, *, films: bool, output: Output) -> None:
    """Write a backup of the box of this house file; no partial file stays."""
    home = load_home(file)
    folder = home.storage.folder
    if not (folder / STORE_FILE).is_file():
        raise Failure(f"No box has its store in {folder}: there is nothing to back up.", "Name its house file: --home.")
    if folder in target.resolve().parents:
        raise Failure(f"{target} is in the storage folder itself.", "Name a place on another disk.")
    now = read_clock(home.clock)
    todo = "Make room or name another place; run this as the box's own user."
    unwritten = f"No backup was written to {target}: {{why}}."
    with (
        failure_on((OSError, StoreFailed, DatabaseRefused, KeyUnusable), unwritten, todo, ExitCode.NO_ANSWER),
        failure_on(FileExistsError, "{why}.", "Name another one."),
    ):
        backup = make_backup(home, file, target, now, films=films)
    output(f"Written and synced: {relative_path(target)}, {_content_text(backup.listing)}.")
    output("It contains the box's private key, its accounts and the films: keep it as you keep the key to the house.")
    if backup.open_to_others:
        output(
            f"The file system of {relative_path(target)} stores no permissions: everybody who has the file can read it."
        )
    if backup.copied.running:
        output(f"Not in it: the films of {len(backup.copied.running)} visits that are not over yet.")
    for name in backup.damaged:
        output(f"{name} is not as it was closed: it was changed, or the disk fails. It is in the backup as it is.")
    for path in backup.outside:
        output(f"Not in it: {path}, which the house file names. Copy it yourself.")


def inspect(archive: Path, *, output: Output) -> None:
    """Read a backup whole and print what is in it; refuse what is no complete backup."""
    listing = _read_listing(archive)
    output(f"Whole: {_content_text(listing)}.")
    output(f"Of the box {listing.box}, key {PublicKey.from_text(listing.key).fingerprint}.")


def restore_backup(archive: Path, file: Path, *, output: Output) -> None:
    """Restore a backup into the storage folder of this house. If the house file is missing, write it too."""
    listing = _read_listing(archive)
    home = _prepare_home(archive, listing, file, output=output)
    _unpack(archive, home)
    at = f"{listing.at:%Y-%m-%d %H:%M} UTC"
    folder = relative_path(home.storage.folder)
    output(f"Restored: {folder}, as it was on {at}. The box that it was must not go on anywhere.")
    output(
        "Nothing opens yet. Start it, sign in, look after the doors and acknowledge; then each brand asks again to be"
        " let in, and its deliveries count once they are announced anew."
    )
    output(f"Look at Household and Keys: who was removed, and which key was trusted no longer, after {at}, is back.")
    if not listing.films:
        output("The films are not in this backup.")


def _prepare_home(archive: Path, listing: BackupListing, file: Path, *, output: Output) -> Home:
    """Return the present house, or restore the house files of the backup and mark the restore as started."""
    if file.exists():
        with suppress(OSError):  # a list that stays has no effect while the house file exists
            atomic_restore.discard_list(file.resolve())
        home = load_home(file)
        _check_same_home(home, listing, file)
        return home
    files = dict(restore.house_files(archive))
    files[file.name] = files.pop(HOUSE_FILE.partition("/")[2])
    place = file.resolve()
    with (
        failure_on((OSError, ValueError), "The house's files cannot be written: {why}.", "Name another --home."),
        failure_on(FolderInUse, "{why}", "End it first.", ExitCode.NO_ANSWER),
        ExitStack() as undo,
    ):
        undo.callback(_undo_prepare, place)
        home = load_home(atomic_restore.write_files(files, place))
        _check_same_home(home, listing, file)
        home.storage.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with lock_folder(home.storage.folder):
            restore.mark_started(home.storage.folder)
            atomic_restore.commit(place)
        undo.pop_all()
    output(f"Written: {relative_path(file)}" + "".join(f", {name}" for name in sorted(files) if name != file.name))
    return home


def _undo_prepare(file: Path) -> None:
    with suppress(OSError, ValueError):  # the list stays: the next restore rolls back by it
        atomic_restore.roll_back(file)


def _read_listing(archive: Path) -> BackupListing:
    with (
        failure_on(OSError, f"{archive} cannot be read: {{why}}.", "Name a file that `perron backup` wrote."),
        failure_on(restore.InvalidBackup, "{why}. Nothing was touched.", "Take another backup."),
    ):
        return restore.read_backup(archive)


def _check_same_home(home: Home, listing: BackupListing, file: Path) -> None:
    if listing.box != home.box:
        what = f"The backup is of the box {listing.box!r}, and {file} is of {home.box!r}."
        raise Failure(what, "Name the right house file.")
    in_the_way = restore.foreign_files(home.storage.folder)
    if in_the_way:
        what = f"{home.storage.folder} is not empty ({', '.join(in_the_way[:5])}): a box is never written over."
        raise Failure(what, "Move it away, or `perron wipe` it; then restore again.", ExitCode.NEGATIVE)


def _unpack(archive: Path, home: Home) -> None:
    folder = home.storage.folder
    with (
        failure_on(
            (OSError, restore.InvalidBackup),
            f"{folder} is restored by half: {{why}}. No gateway begins there.",
            "Mend that, then restore again: it begins anew.",
            ExitCode.NO_ANSWER,
        ),
        failure_on(FolderInUse, "{why}", "End it first.", ExitCode.NO_ANSWER),
    ):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with lock_folder(folder):
            restore.unpack(archive, folder)


def _content_text(listing: BackupListing) -> str:
    visits = {item.name.split("/")[1] for item in listing.files if item.name.startswith(f"{VISITS_FOLDER}/")}
    size = sum(item.size for item in listing.files) / 2**20
    proofs = f"{len(visits)} visits" if listing.films else "without films"
    return f"{len(listing.files)} files, {size:.1f} MiB, log up to entry {listing.seq}, {proofs}"


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
