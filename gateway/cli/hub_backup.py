"""`perron hub backup` and `perron hub restore`: one file with all that belongs to a hub."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.failure import ExitCode, Failure, failure_on
from gateway.cli.hub_store import DEFAULT_CONFIG, HubConfig, hub_failures, load_file
from gateway.cli.lines import quoted_path, relative_path
from gateway.cli.options import CommandGroup, print_line
from gateway.hub.config import HubFile
from gateway.hub.operation import backup as hub_backup
from gateway.hub.operation import restore as hub_restore
from gateway.hub.operation.backup import HubListing
from gateway.hub.operation.databases import DatabaseToolFailed
from gateway.hub.operation.folder import FolderInUse
from gateway.hub.operation.restore import RestoreRefused, WithoutList
from gateway.system.atomic_file import sync_folder, write_whole
from gateway.system.clock import machine_time
from gateway.system.listed_archive import InvalidBackup


def add_commands(group: CommandGroup) -> None:
    """Add both commands to `perron hub`."""
    group.example(
        "perron hub backup /media/stick/hub-2026-11-30.tar",
        "perron hub backup hub.tar --config /etc/perron-hub/hub.yaml",
    )(backup)
    group.example(
        "perron hub restore hub.tar --check",
        "perron hub restore hub.tar --config /etc/perron-hub/hub.yaml",
        "perron hub restore hub.tar --replace",
        "perron hub restore hub.tar --revoked /mnt/other/revocations.jsonl",
    )(restore)


def backup(
    target: Annotated[Path, typer.Argument(help="The file to write; it must not exist.", metavar="FILE.tar")],
    *,
    config: HubConfig = DEFAULT_CONFIG,
) -> None:
    """Write all of a hub into one file, while it runs: database, keys, authority, broker's files, the hub's file.

    The file holds the hub's private keys: keep it as you keep the hub's folder. What is revoked after it stays revoked
    when it is put back, by the list `revocations.jsonl` in the hub's folder: copy that file elsewhere, often.
    """
    file = load_file(config)
    if target.resolve().is_relative_to(file.folder):
        raise Failure(f"{target} is in the hub's folder itself.", "Name a place on another disk.")
    todo = "Make room or name another place; run this as the hub's own user."
    errors = (OSError, DatabaseToolFailed)
    with (
        failure_on(errors, f"No backup was written to {target}: {{why}}.", todo, ExitCode.NO_ANSWER),
        failure_on(FileExistsError, "{why}.", "Name another one."),
    ):
        written = hub_backup.make_backup(file, config, target, machine_time())
    print_line(f"Written and synced: {relative_path(target)}, {_content_text(written.listing)}.")
    print_line("It contains the hub's private keys: keep it as you keep its folder.")
    for path in written.outside:
        print_line(f"Not in it: {path}, which {config} names. Copy it yourself.")


def _content_text(listing: HubListing) -> str:
    size = sum(item.size for item in listing.files) / 2**20
    return f"{len(listing.files)} files, {size:.1f} MiB, the database of {listing.at:%Y-%m-%d %H:%M:%S} UTC"


def restore(  # noqa: PLR0913 - one argument an option of the command
    archive: Annotated[Path, typer.Argument(help="A file that `perron hub backup` wrote.", metavar="FILE.tar")],
    *,
    config: HubConfig = DEFAULT_CONFIG,
    check: Annotated[bool, typer.Option("--check", help="Only read it whole and say what is in it.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of what is there, which is kept beside it.")
    ] = False,
    revoked: Annotated[
        list[Path] | None,
        typer.Option("--revoked", help="A copy of the hub's list of revocations; may be said again.", metavar="FILE"),
    ] = None,
    nothing_revoked: Annotated[
        bool, typer.Option("--nothing-revoked", help="Without a list: you know that nothing was revoked since.")
    ] = False,
    ask_anew: Annotated[
        bool, typer.Option("--ask-anew", help="Without a list: revoke every API key, webhook and home.")
    ] = False,
) -> None:
    """Put a backup back: into an empty folder, or with --replace in the place of what is there. No hub may run.

    Nothing that was revoked after the backup is valid again: the list in the hub's folder is applied, or the copy that
    --revoked names. If the list is lost with the machine, say which of the two holds: --nothing-revoked, or --ask-anew,
    by which every retailer gets a new key from you and every home joins again. Brand keys stay in both cases.
    """
    if nothing_revoked and ask_anew:
        raise Failure("--nothing-revoked and --ask-anew contradict each other.", "Say one of them.")
    with _archive_failures():
        listing = hub_backup.read_backup(archive)
    if check:
        print_line(f"Whole: {_content_text(listing)}.", f"Of the hub {listing.url}, whose folder was {listing.folder}.")
        return
    without = WithoutList.NOTHING_WAS if nothing_revoked else WithoutList.REFUSE
    without = WithoutList.ASK_ANEW if ask_anew else without
    with _archive_failures(), _unfinished(config), _configuration(archive, config) as file, hub_failures(config):
        done = asyncio.run(
            hub_restore.restore(
                archive, listing, file, machine_time(), replace=replace, lists=revoked or (), without_list=without
            )
        )
    print_line(f"Restored: {file.folder}, as it was on {listing.at:%Y-%m-%d %H:%M:%S} UTC.")
    if done.again:
        print_line(f"Revoked again: {done.again}, which the backup did not know.")
    if not done.had_list and nothing_revoked:
        print_line("No list of revocations was there: what was revoked since then is valid again.")
    if done.unkept is not None:
        print_line(f"The database that was there could not be kept: {done.unkept}.")
    if done.before is not None:
        print_line(f"What was there lies in {done.before}. Delete it when you need it no more.")
    if listing.folder != str(file.folder) and file.boxes is not None:
        print_line(f"The folder was {listing.folder}: say `perron hub-config --config {quoted_path(config)}`.")
    print_line(f"Start it: `perron hub --config {quoted_path(config)}`. Boxes send what they did since then.")


@contextmanager
def _archive_failures() -> Iterator[None]:
    with failure_on(InvalidBackup, "{why}. Nothing was touched.", "Take another backup."):
        yield


@contextmanager
def _unfinished(config: Path) -> Iterator[None]:
    errors = (OSError, DatabaseToolFailed)
    todo = "Mend that, then restore again: it begins anew. No hub starts before."
    with (
        failure_on(errors, "The backup was not put back: {why}.", todo, ExitCode.NO_ANSWER),
        failure_on(FolderInUse, "{why}.", f"End it first; {config} names the folder.", ExitCode.NO_ANSWER),
        failure_on(RestoreRefused, "{why}", code=ExitCode.NEGATIVE),
    ):
        yield


@contextmanager
def _configuration(archive: Path, config: Path) -> Iterator[HubFile]:
    """Yield the hub's file; where it is missing that of the backup, which gets its name once all is restored."""
    if config.exists():
        yield load_file(config)
        return
    files = hub_backup.configuration_files(archive)
    text = files.pop(hub_backup.CONFIG_FILE.removeprefix(hub_backup.CONFIG_PREFIX))
    config.parent.mkdir(parents=True, exist_ok=True)
    staged = config.with_name(f".{config.name}.restored")
    write_whole(staged, text)
    try:
        yield load_file(staged)
        _write_missing(files, config.resolve().parent)
        staged.replace(config)
        sync_folder(config.resolve().parent)
    finally:
        staged.unlink(missing_ok=True)
    print_line(f"Written: {config}" + "".join(f", {name}" for name in sorted(files)) + ".")


def _write_missing(files: Mapping[str, bytes], folder: Path) -> None:
    for name, data in files.items():
        path = folder / name
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(path, data)
