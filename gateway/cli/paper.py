"""`perron door-notice` and `perron report`: writes the PDF documents."""

from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from gateway.cli.failure import Failure, failure_on, load_home, resolve_entrance
from gateway.cli.lines import DEFAULT_HOME, HOME_VARIABLE, counted, relative_path, set_current_home
from gateway.cli.options import CheckpointFile, HomeFile, PublicKeyFile, cli, exit_unless, known_language
from gateway.cli.owner import check_readable, is_sealed_by
from gateway.config.home import Home
from gateway.domain.frozen import Frozen
from gateway.evidence.documents import notice
from gateway.evidence.documents.report import HouseNames, draw_report, house_names, page_count, sealed_names
from gateway.evidence.documents.sources import VisitEvidence, read_visit
from gateway.storage import readonly
from gateway.storage.models import StoreFailed
from gateway.system.atomic_file import write_whole
from gateway.system.clock import machine_time, read_clock
from gateway.system.i18n import SOURCE, Language, languages

_UNNAMED_HINT = (
    "this proof was sealed by a release that did not record names, zone and language: the report has ids for names,"
    " Paris time, and French unless --language says otherwise. The visit's own house file, named with --home, has them."
)
DEFAULT_ZONE = "Europe/Paris"  # where neither proof nor house file says another
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
    chosen: tuple[Language, ...] = notice.notice_languages(house.language) if language == BOTH else (language,)
    _write(out, notice.door_notice(sheet, languages=chosen, made=read_clock(house.clock).utc))
    written = f"Written: {relative_path(out)}, {counted(len(chosen), 'page')} A4."
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
            envvar=HOME_VARIABLE,
            metavar="FILE",
            help="The house file, for names and the time zone of a proof that was sealed before the box recorded them.",
        ),
    ] = None,
) -> None:
    """Write the report of one visit, for an insurer: what, who, when, the result of the verification, pictures.

    Names, time zone and language come from the sealed proof.
    """
    public = check_readable(folder, key=key, checkpoint=checkpoint)
    visit = read_visit(folder, public_key=public, checkpoint=checkpoint)
    terms = _report_terms(visit, home)
    pdf = draw_report(
        visit, language=language or terms.language, zone=terms.zone, made=machine_time(), names=terms.names
    )
    _write(out, pdf)
    verdict = visit.verdict
    unnamed = [] if terms.is_known or not visit.manifests else [_UNNAMED_HINT]
    if verdict.ok:
        notes = [f"note: {note}" for note in (*unnamed, *verdict.notes)]
        lines = [f"Written: {relative_path(out)}, {page_count(visit)} pages A4.", *notes, "The proof holds."]
    else:
        wrong = f"WRONG: {verdict.problem}: {verdict.where}"
        lines = [
            f"Written: {relative_path(out)}, {page_count(visit)} pages A4, which also report the defect.",
            wrong,
            *unnamed,
            *verdict.remedies,
        ]
    typer.echo("\n".join(lines))
    exit_unless(verdict.ok)


class _ReportTerms(Frozen):
    """The names, zone and language of a report; not `is_known`: nobody says them."""

    names: HouseNames = field(default_factory=HouseNames)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo(DEFAULT_ZONE))
    language: Language = "fr"
    is_known: bool = False


def _report_terms(visit: VisitEvidence, home: Path | None) -> _ReportTerms:
    """Take the terms out of the sealed proof; out of the house file if an earlier release sealed it.

    `home` is the house file that a person named; `Failure` if it is another box's. A house file that nobody named and
    that lies in its usual place is used only if it is the visit's own.
    """
    if home is not None:
        house = load_home(set_current_home(home))
        if visit.manifests and not _is_visit_of(house, visit, named=True):
            raise Failure(
                f"{home} is not the house file of the box that sealed this visit ({visit.manifests[0].box}): its box is"
                f" {house.box}{', with another key' if house.box == visit.manifests[0].box else ''}."
                " Nothing was written.",
                "Leave --home out (PERRON_HOME too): what the proof says of its house is used.",
            )
    sealed = sealed_names(visit.manifests)
    newest = next((one.names for one in reversed(visit.manifests) if one.names is not None), None)
    if sealed is not None and newest is not None:
        return _ReportTerms(
            names=sealed,
            zone=_known_zone(newest.timezone),
            language=newest.language if newest.language in languages() else SOURCE,
            is_known=True,
        )
    file = home or (DEFAULT_HOME if DEFAULT_HOME.is_file() else None)
    if file is None:
        return _ReportTerms()
    house = load_home(set_current_home(file))
    if not _is_visit_of(house, visit, named=home is not None):
        return _ReportTerms()
    zone = ZoneInfo(house.timezone)
    return _ReportTerms(names=house_names(house), zone=zone, language=house.language, is_known=True)


def _known_zone(name: str) -> ZoneInfo:
    """Return the zone; UTC if this machine does not know it."""
    with suppress(ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(name)
    return ZoneInfo("UTC")


def _is_visit_of(house: Home, visit: VisitEvidence, *, named: bool) -> bool:
    """Whether the visit is of this house's box: by its keys, all that it has had; without them by its id, if named."""
    if not visit.manifests:
        return False
    manifest = visit.manifests[0]
    return is_sealed_by(house, box=manifest.box, key=manifest.key, otherwise=named)


def _write(out: Path, pdf: bytes) -> None:
    with failure_on(OSError, f"{out} cannot be written ({{why}}).", "Name another file."):
        write_whole(out, pdf)
