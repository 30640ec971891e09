"""`perron brand-facts`: writes what a brand did in this home as a statement that the box signs."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.failure import ExitCode, Failure, failure_on, load_home
from gateway.cli.lines import DEFAULT_HOME, relative_path
from gateway.cli.options import HomeFile, cli, print_line
from gateway.config.home import Home
from gateway.evidence.rollback import KEYS_FOLDER, STORE_FILE
from gateway.protocol.brand_messages import facts_claims, sign_facts
from gateway.protocol.ed25519 import KeyUnusable
from gateway.protocol.keys import BoxKey
from gateway.storage import readonly
from gateway.storage.models import StoreFailed
from gateway.system.atomic_file import write_whole
from gateway.system.clock import read_clock
from gateway.system.dates import day_text
from gateway.system.i18n import SOURCE


@cli.example("perron brand-facts lune lune.facts.jwt")
def brand_facts(
    brand: Annotated[str, typer.Argument(help="The brand's id.")],
    target: Annotated[Path, typer.Argument(help="The file to write; it must not exist.", metavar="OUT.jwt")],
    home: HomeFile = DEFAULT_HOME,
) -> None:
    """Write what a brand did in this home as a statement that the box signs: counts and times, nothing about a person.

    It is computed from the log, which goes back for as long as films are kept.
    """
    print_line(*export_facts(load_home(home), brand, target))


def export_facts(house: Home, brand: str, target: Path) -> tuple[str, ...]:
    """Write the statement; return the lines to print."""
    if target.exists():
        raise Failure(f"{target} exists: nothing was written.", "Name another file.")
    file, now = house.storage.folder / STORE_FILE, read_clock(house.clock)
    with (
        failure_on((OSError, ValueError, KeyUnusable), f"Nothing was written to {target}: {{why}}.", "Run this as the"
                   " box's own user, where its folder of keys is.", ExitCode.NO_ANSWER),
        failure_on(StoreFailed, "The box's store cannot be read: {why}.", "Run this as the box's own user."),
    ):  # fmt: skip
        key, facts = BoxKey.load(house.storage.folder / KEYS_FOLDER), readonly.brand_facts(file).of(brand, now)
        known = readonly.guest_brands(file) | house.brands.keys()
        if brand not in known and not facts.announced and not facts.visits:
            raise Failure(f"No brand {brand!r}. Known: {', '.join(sorted(known)) or 'none'}.", "Name one of these.")
        comment = readonly.brand_comment(file, brand)
        write_whole(target, sign_facts(facts_claims(house.box, brand, facts, comment=comment), key))
    visits = f"{facts.visits} visit{'' if facts.visits == 1 else 's'}"
    span = (
        "nothing is known of it" if facts.since is None else f"{visits} since {day_text(facts.since.date()).to(SOURCE)}"
    )
    return (f"Written: {relative_path(target)}, signed by {key.public.fingerprint}: {span}.",)
