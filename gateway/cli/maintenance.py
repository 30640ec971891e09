"""`perron backup`, `restore`, `wipe`, `claim-code`, `way-in`: what only somebody at the box itself may do."""

import shlex
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.failure import ExitCode, Failure, failure_on, load_home
from gateway.cli.lines import DEFAULT_HOME, expand_commands, relative_path
from gateway.cli.options import HomeFile, cli, exit_unless, print_line
from gateway.config.home import Home
from gateway.evidence.manifest import VISITS_FOLDER
from gateway.evidence.rollback import STORE_FILE
from gateway.integrations.hub_client import unenrolment
from gateway.protocol.ed25519 import KeyUnusable, PublicKey
from gateway.runtime.maintenance import atomic_restore, factory_reset, recovery_codes
from gateway.runtime.maintenance import restore as restoration
from gateway.runtime.maintenance.backup import HOUSE_FILE, BackupListing, make_backup
from gateway.runtime.maintenance.instance_lock import FolderInUse, lock_folder
from gateway.storage import readonly
from gateway.storage.models import DatabaseRefused, StoreFailed
from gateway.system.clock import read_clock
from gateway.system.dates import utc_text
from gateway.system.i18n import SOURCE
from gateway.system.listed_archive import InvalidBackup
from gateway.web.auth.accounts import name_key
from gateway.web.auth.tokens import claim_code_digest, new_claim_code


@cli.example(
    "perron backup /media/stick/perron-2026-11-25.tar",
    "perron backup --no-films --home /etc/perron/home.yaml /media/stick/perron.tar",
)
def backup(
    target: Annotated[Path, typer.Argument(help="The file to write; it must not exist.", metavar="FILE.tar")],
    home: HomeFile = DEFAULT_HOME,
    no_films: Annotated[bool, typer.Option("--no-films", help="Without the films of past visits.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Write everything of a box into one file, while it runs: log, proofs, films, people, keys, the house file.

    The file holds the box's private key and what was filmed: keep it as you keep the key to the house. What the box
    does afterwards the file does not know, so from a restored one nothing opens by itself: see `perron restore --help`.
    """
    house = load_home(home)
    folder = house.storage.folder
    if not (folder / STORE_FILE).is_file():
        raise Failure(f"No box has its store in {folder}: there is nothing to back up.", "Name its house file: --home.")
    if folder in target.resolve().parents:
        raise Failure(f"{target} is in the storage folder itself.", "Name a place on another disk.")
    todo = "Make room or name another place; run this as the box's own user."
    unwritten = f"No backup was written to {target}: {{why}}."
    with (
        failure_on((OSError, StoreFailed, DatabaseRefused, KeyUnusable), unwritten, todo, ExitCode.NO_ANSWER),
        failure_on(FileExistsError, "{why}.", "Name another one."),
    ):
        written = make_backup(house, home, target, read_clock(house.clock), films=not no_films)
    file = relative_path(target)
    print_line(f"Written and synced: {file}, {_content_text(written.listing)}.")
    print_line(
        "It contains the box's private key, its accounts and the films: keep it as you keep the key to the house."
    )
    if written.open_to_others:
        print_line(f"The file system of {file} stores no permissions: everybody who has the file can read it.")
    if written.copied.running:
        print_line(f"Not in it: the films of {len(written.copied.running)} visits that are not over yet.")
    for name in written.damaged:
        print_line(f"{name} is not as it was closed: it was changed, or the disk fails. It is in the backup as it is.")
    for path in written.outside:
        print_line(f"Not in it: {path}, which the house file names. Copy it yourself.")


@cli.example(
    "perron restore /media/stick/perron-2026-11-25.tar --check",
    "perron restore /media/stick/perron-2026-11-25.tar --home /etc/perron/home.yaml",
)
def restore(
    archive: Annotated[Path, typer.Argument(help="A file that `perron backup` wrote.", metavar="FILE.tar")],
    home: HomeFile = DEFAULT_HOME,
    check: Annotated[bool, typer.Option("--check", help="Only read it whole and say what is in it.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Put a backup back, into an empty storage folder: on this box, or on new hardware that takes its place.

    Where --home does not exist it is written too, out of the backup, with what it names. The box that was backed up
    must not go on anywhere. Then nothing opens before the owner has looked: every entrance is in safe mode; each brand
    that was let in asks again; each delivery has to be announced anew; everybody signs in again.
    """
    listing = _read_listing(archive)
    if check:
        print_line(f"Whole: {_content_text(listing)}.")
        print_line(f"Of the box {listing.box}, key {PublicKey.from_text(listing.key).fingerprint}.")
        return
    house = _prepare_home(archive, listing, home)
    _unpack(archive, house)
    at = utc_text(listing.at).to(SOURCE)
    folder = relative_path(house.storage.folder)
    print_line(f"Restored: {folder}, as it was on {at}. The box that it was must not go on anywhere.")
    print_line(
        "Nothing opens yet. Start it, sign in, look after the doors and acknowledge; then each brand asks again to be"
        " let in, and its deliveries count once they are announced anew."
    )
    print_line(
        f"Look at Household and Keys: who was removed, and which key was trusted no longer, after {at}, is back."
    )
    if not listing.films:
        print_line("The films are not in this backup.")


def _prepare_home(archive: Path, listing: BackupListing, file: Path) -> Home:
    """Return the present house, or restore the house files of the backup and mark the restore as started."""
    if file.exists():
        with suppress(OSError):  # a list that stays has no effect while the house file exists
            atomic_restore.discard_list(file.resolve())
        home = load_home(file)
        _check_same_home(home, listing, file)
        return home
    files = dict(restoration.house_files(archive))
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
            restoration.mark_started(home.storage.folder)
            atomic_restore.commit(place)
        undo.pop_all()
    print_line(f"Written: {relative_path(file)}" + "".join(f", {name}" for name in sorted(files) if name != file.name))
    return home


def _undo_prepare(file: Path) -> None:
    with suppress(OSError, ValueError):  # the list stays: the next restore rolls back by it
        atomic_restore.roll_back(file)


def _read_listing(archive: Path) -> BackupListing:
    with (
        failure_on(OSError, f"{archive} cannot be read: {{why}}.", "Name a file that `perron backup` wrote."),
        failure_on(InvalidBackup, "{why}. Nothing was touched.", "Take another backup."),
    ):
        return restoration.read_backup(archive)


def _check_same_home(home: Home, listing: BackupListing, file: Path) -> None:
    if listing.box != home.box:
        what = f"The backup is of the box {listing.box!r}, and {file} is of {home.box!r}."
        raise Failure(what, "Name the right house file.")
    in_the_way = restoration.foreign_files(home.storage.folder)
    if in_the_way:
        what = f"{home.storage.folder} is not empty ({', '.join(in_the_way[:5])}): a box is never written over."
        raise Failure(what, "Move it away, or `perron wipe` it; then restore again.", ExitCode.NEGATIVE)


def _unpack(archive: Path, home: Home) -> None:
    folder = home.storage.folder
    with (
        failure_on(
            (OSError, InvalidBackup),
            f"{folder} is restored by half: {{why}}. No gateway begins there.",
            "Mend that, then restore again: it begins anew.",
            ExitCode.NO_ANSWER,
        ),
        failure_on(FolderInUse, "{why}", "End it first.", ExitCode.NO_ANSWER),
    ):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with lock_folder(folder):
            restoration.unpack(archive, folder)


def _content_text(listing: BackupListing) -> str:
    visits = {item.name.split("/")[1] for item in listing.files if item.name.startswith(f"{VISITS_FOLDER}/")}
    size = sum(item.size for item in listing.files) / 2**20
    proofs = f"{len(visits)} visits" if listing.films else "without films"
    return f"{len(listing.files)} files, {size:.1f} MiB, log up to entry {listing.seq}, {proofs}"


@cli.example(
    "perron wipe", "perron wipe --home var/mine/home.yaml --held", "perron wipe --home /etc/perron/home.yaml --yes"
)
def wipe(
    home: HomeFile = DEFAULT_HOME,
    held: Annotated[bool, typer.Option("--held", help="Wipe films too that are held as evidence.")] = False,  # noqa: FBT002 - a flag
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the house's name.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Wipe a box that does not run: films, proofs, log, people, keys; what starts afterwards is a new box.

    The house file stays; the file of the phones' addresses is emptied. A box that runs is wiped on its pages, behind
    Settings, where doors and deliveries are looked after first. Killed halfway, it is finished by the next start.
    """
    house = load_home(home)
    question = (
        f"Everything in {relative_path(house.storage.folder)} goes, for ever. Type the house's name ({house.name})"
    )
    keypads = _keypads_with_codes(house)
    if keypads:
        typer.echo(f"Guests' codes may still be at {keypads}. A box that runs withdraws them: wipe it on its pages.")
    with failure_on(FolderInUse, "{why}", "End it first, or wipe it on its pages.", ExitCode.NO_ANSWER):
        whole, text = wipe_box(
            house, with_held=held, read_name=lambda: house.name if yes else str(typer.prompt(question)), file=home
        )
    typer.echo(text)
    exit_unless(whole)


def wipe_box(
    home: Home, *, with_held: bool, read_name: Callable[[], str], file: Path | None = None
) -> tuple[bool, str]:
    """Wipe a box that does not run; return whether nothing is left to do by hand, and the text for the person.

    `read_name` asks for the house's name; `file` is the house file, in which its hub no longer stands then.

    Raises:
        FolderInUse: the box runs.
    """
    folder, keypads = home.storage.folder, _keypads_with_codes(home)
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
    todo = [] if whole else [f"Empty {home.phones_file} by hand: it names the household's phones."]
    todo += [f"Delete the guests' codes at {keypads}: the box does not know them any more."] if keypads else []
    return not todo, "\n".join((text, *todo))


def _keypads_with_codes(home: Home) -> str:
    """Return the keypads that may still have guests' codes; of a store that cannot be read nobody knows."""
    with suppress(StoreFailed):
        return ", ".join(readonly.keypads_with_codes(home.storage.folder / STORE_FILE))
    return ""


def _check_no_held_films(home: Home, *, held_too: bool) -> None:
    if held_too:
        return
    todo = "--held wipes them too."
    with failure_on(StoreFailed, "Whether films are held as evidence cannot be read ({why}).", todo, ExitCode.NEGATIVE):
        held = readonly.held_visit_count(home.storage.folder / STORE_FILE)
    if held:
        raise Failure(f"The films of {held} visits are held as evidence.", todo, ExitCode.NEGATIVE)


@cli.example("perron claim-code", "perron claim-code --home var/mine/home.yaml")
def claim_code(home: HomeFile = DEFAULT_HOME) -> None:
    """Show the code by which the first owner claims this box on its pages: only the box's own user can read it."""
    house = _load_home_with_pages(home)
    with failure_on(
        OSError,
        "There is no code: the box has an owner already, or it does not run ({why}).",
        "Start `perron run`; a box without an owner makes a code at each start. For an owner who lost the password:"
        " `perron way-in`.",
        ExitCode.NO_ANSWER,
    ):
        code = house.claim_code_file.read_text(encoding="ascii").strip()
    typer.echo(code)


@cli.example("perron way-in Anna", 'perron way-in "Anna Dupont" --home var/mine/home.yaml')
def way_in(
    name: Annotated[
        str | None,
        typer.Argument(help="The owner who comes back, as their account is called; the only one if left out."),
    ] = None,
    home: HomeFile = DEFAULT_HOME,
) -> None:
    """Make a code by which an owner who lost the only password comes back; good for 15 minutes, once.

    It is typed on the pages, behind "Lost your password?". All their sessions end then, everybody else of the household
    is shown that it happened, and the phones are told.
    """
    typer.echo(create_recovery_code(_load_home_with_pages(home), name))
    typer.echo('Good for 15 minutes, once: on the page for signing in, behind "Lost your password?".', err=True)


def _load_home_with_pages(file: Path) -> "Home":
    house = load_home(file)
    if house.pages is None:
        raise Failure(f"{file} has no pages.", "Write a section `pages:` into it and start `perron run` again.")
    return house


def create_recovery_code(home: Home, name: str | None) -> str:
    """Create the recovery code of an owner who lost the password; the code before it is void. None: the only owner."""
    store, file = home.storage.folder / STORE_FILE, home.recovery_codes_file
    with failure_on(StoreFailed, f"{store} cannot be read ({{why}}).", "Run this as the box's own user."):
        owners = readonly.owners(store)
    if not owners:
        todo = "`perron claim-code` shows the code to claim it."
        raise Failure("This box has no owner yet.", todo, ExitCode.NEGATIVE)
    if name is None and len(owners) == 1:
        name = owners[0].name
    owner = next((owner for owner in owners if name is not None and name_key(owner.name) == name_key(name)), None)
    if owner is None:
        what = "There are several owners." if name is None else f"No owner is called {name!r}."
        lines = "\n".join(f"`perron way-in {shlex.quote(owner.name)}`" for owner in owners)
        raise Failure(what, f"Say who comes back:\n{lines}")
    code = new_claim_code()
    digest = claim_code_digest(code)
    assert digest is not None  # noqa: S101 - what was just written can be read
    stored = recovery_codes.RecoveryCode(
        person=owner.id, digest=digest.hex(), boot=recovery_codes.boot_id(), mono=read_clock(home.clock).mono
    )
    with failure_on(OSError, f"{file} cannot be written ({{why}}).", "Run this as the box's user."):
        recovery_codes.store_code(file, stored)
    return code
