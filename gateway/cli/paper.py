"""`perron door-notice` and `perron report`: writes the PDF documents."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from gateway.cli.failure import failure_on, load_home, resolve_entrance
from gateway.cli.lines import DEFAULT_HOME, relative_path, set_current_home
from gateway.cli.options import CheckpointFile, HomeFile, PublicKeyFile, cli, exit_unless, known_language
from gateway.cli.owner import check_readable
from gateway.config.home import Home
from gateway.evidence.documents import notice
from gateway.evidence.documents.report import HouseNames, draw_report, house_names, page_count
from gateway.evidence.documents.sources import VisitEvidence, read_visit
from gateway.evidence.succession import read_key_history
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.keys import PUBLIC_KEY_FILE
from gateway.storage import StoreFailed, readonly
from gateway.system.atomic_file import write_whole
from gateway.system.clock import machine_time, read_clock
from gateway.system.i18n import SOURCE, Language

_FOREIGN_HOME_HINT = (
    "the house file is not known to be the one of this visit's box: the report has ids for names, Paris time, and"
    " French unless --language says otherwise. Name the visit's own house file with --home."
)
DEFAULT_ZONE = "Europe/Paris"  # where no house's file says another
BOTH = "both"


def _known_or_both(code: str) -> str:
    """Return the language; refuse one that has no catalogue and is not `BOTH`."""
    return code if code == BOTH else known_language(code) or BOTH


@cli.example(
    'perron door-notice notice.pdf --contact "Anne Dupont, 06 12 34 56 78"',
    "perron door-notice notice.pdf --entrance front --language fr",
    "perron door-notice notice.pdf --pages https://perron.example",
)
def door_notice(  # noqa: PLR0913 - one argument an option of the command
    out: Annotated[Path, typer.Argument(help="The PDF to write.", metavar="OUT.pdf")],
    *,
    home: HomeFile = DEFAULT_HOME,
    entrance: Annotated[
        str | None, typer.Option(help="Which entrance; the only one if left out.", metavar="ID")
    ] = None,
    language: Annotated[
        str, typer.Option(help="One A4 page a language: fr, en or both.", callback=_known_or_both)
    ] = BOTH,
    contact: Annotated[str | None, typer.Option(help="Whom to ask, and how; left out: a line to write on.")] = None,
    pages: Annotated[str | None, typer.Option(help="Where the pages are; adds a QR to his.", metavar="URL")] = None,
) -> None:
    """Write the notice for the door: what a courier does there, who films, why, how long, whom to ask."""
    house = load_home(home)
    with failure_on(ValueError, "This does not fit the notice: {why}.", "Correct --contact or --pages."):
        sheet = notice.notice_for(
            _with_stored_retention(house), resolve_entrance(house, entrance), contact=contact, pages=pages
        )
    languages: tuple[Language, ...] = ("fr", SOURCE) if language == BOTH else (language,)
    _write(out, notice.door_notice(sheet, languages=languages, made=read_clock(house.clock).utc))
    written = f"Written: {relative_path(out)}, {len(languages)} page(s) A4."
    typer.echo(f"{written} Print it at full size and hang it by the scanner.")
    if contact is None:
        typer.echo("Write on its last line whom to ask: the law wants it told. --contact prints it.")


def _with_stored_retention(home: Home) -> Home:
    """Return the house with the retention days from the box's store, which the owner sets on a page."""
    with suppress(StoreFailed):
        days = readonly.retention_days(home.storage.folder / "perron.sqlite3")
        if days is not None:
            return home.model_copy(update={"storage": home.storage.model_copy(update={"retention_days": days})})
    return home


@cli.example(
    "perron report var/visits/0f3a visit.pdf",
    "perron report copy/0f3a visit.pdf --language en --key box.pem --checkpoint phone.jsonl",
)
def report(  # noqa: PLR0913 - one argument an option of the command
    folder: Annotated[Path, typer.Argument(help="The folder of one visit.")],
    out: Annotated[Path, typer.Argument(help="The PDF to write.", metavar="OUT.pdf")],
    *,
    language: Annotated[
        str | None, typer.Option(help="In which language; the house's if left out.", callback=known_language)
    ] = None,
    key: PublicKeyFile = None,
    checkpoint: CheckpointFile = None,
    home: Annotated[
        Path | None,
        typer.Option(
            "--home",
            envvar="PERRON_HOME",
            metavar="FILE",
            help=f"The house file, for names and the time zone. Left out: {DEFAULT_HOME} where there is one, else "
            f"Paris time.",
        ),
    ] = None,
) -> None:
    """Write the report of one visit, for an insurer: what, who, when, the result of the verification, pictures."""
    # Names, time zone and language are those of the house only where the visit is its box's. A house file that nobody
    # named, and that merely lies in its usual place, must show by its box's key that the visit is its own.
    file = home or (DEFAULT_HOME if DEFAULT_HOME.is_file() else None)
    house = None if file is None else load_home(set_current_home(file))
    public = check_readable(folder, key=key, checkpoint=checkpoint)
    visit = read_visit(folder, public_key=public, checkpoint=checkpoint)
    own = house if house is not None and _is_visit_of(house, visit, named=home is not None) else None
    pdf = draw_report(
        visit,
        language=language or ("fr" if own is None else own.language),
        zone=ZoneInfo(DEFAULT_ZONE if own is None else own.timezone),
        made=machine_time() if house is None else read_clock(house.clock).utc,
        names=HouseNames() if own is None else house_names(own),
    )
    _write(out, pdf)
    verdict = visit.verdict
    foreign = [] if own is not None or house is None else [_FOREIGN_HOME_HINT]
    if verdict.ok:
        notes = [f"note: {note}" for note in (*foreign, *verdict.notes)]
        lines = [f"Written: {relative_path(out)}, {page_count(visit)} pages A4.", *notes, "The proof holds."]
    else:
        wrong = f"WRONG: {verdict.problem}: {verdict.where}"
        lines = [
            f"Written: {relative_path(out)}, {page_count(visit)} pages A4, which also report the defect.",
            wrong,
            *foreign,
            *verdict.remedies,
        ]
    typer.echo("\n".join(lines))
    exit_unless(verdict.ok)


def _is_visit_of(house: Home, visit: VisitEvidence, *, named: bool) -> bool:
    """Whether the visit is of this house's box: by its keys, all that it has had; without them by its id, if named."""
    if not visit.manifests or visit.manifests[0].box != house.box:
        return False
    folder = house.storage.folder / "key"
    try:
        current = PublicKey.from_pem((folder / PUBLIC_KEY_FILE).read_bytes())
        known = {current, *read_key_history(folder).keys_of_same_box(current)}
    except (OSError, ValueError):
        return named
    return PublicKey.from_text(visit.manifests[0].key) in known


def _write(out: Path, pdf: bytes) -> None:
    with failure_on(OSError, f"{out} cannot be written ({{why}}).", "Name another file."):
        write_whole(out, pdf)
