"""`perron epcis`: exports one visit or custody as a signed EPCIS 2.0 document."""

from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from gateway.cli.failure import ExitCode, Failure, failure_on, load_home
from gateway.cli.lines import DEFAULT_HOME, quoted_path
from gateway.cli.options import HomeFile, cli, print_line
from gateway.config.home import Home
from gateway.evidence.epcis_export import SIGNATURE_SUFFIX, ProofNotVerified, signed_epcis, write_epcis
from gateway.evidence.rollback import KEYS_FOLDER, STORE_FILE
from gateway.evidence.succession import read_key_history
from gateway.evidence.verdict import ProofProblem
from gateway.protocol.ed25519 import KeyUnusable
from gateway.protocol.keys import PUBLIC_KEY_FILE, BoxKey, KeyMissing
from gateway.storage import readonly
from gateway.storage.models import StoreFailed
from gateway.system.clock import read_clock

OTHER_HOME_HINT = "Name the house file of the visit's own box with --home."


@cli.example(
    "perron epcis var/visits/0f3a 0f3a.epcis.json",
    "perron epcis var/visits/0f3a 0f3a.epcis.json --home /etc/perron/home.yaml",
)
def epcis(
    folder: Annotated[Path, typer.Argument(help="The folder of one visit or custody.")],
    target: Annotated[Path, typer.Argument(help="The file to write.", metavar="OUT.json")],
    home: HomeFile = DEFAULT_HOME,
) -> None:
    """Write what became of the parcels of one visit as an EPCIS 2.0 document, signed by this box.

    It is made from the proof, which is verified first. The codes of parcels that the box has forgotten appear as their
    digests. It contains no address and no person's name.
    """
    house = load_home(home)
    print_line(*export_epcis(house, folder, target))


def export_epcis(house: Home, folder: Path, target: Path) -> tuple[str, ...]:
    """Verify the proof and write document and signature; return the lines to print."""
    keys = house.storage.folder / KEYS_FOLDER
    for file in (target, target.with_name(f"{target.name}{SIGNATURE_SUFFIX}")):
        if file.exists():
            raise Failure(f"{file} exists: nothing was written.", "Name another file.")
    if not folder.is_dir():
        raise Failure(f"{folder} is no folder: nothing was exported.", "Give a visit's folder: visits/ID.")
    with (
        failure_on((OSError, ValueError, KeyUnusable), f"Nothing was written to {target}: {{why}}.", "Run this as the"
                   " box's own user, where its folder of keys is.", ExitCode.NO_ANSWER),
        failure_on(KeyMissing, f"{keys} has no key of a box: nothing was exported.", OTHER_HOME_HINT,
                   ExitCode.NO_ANSWER),
        failure_on(StoreFailed, "The box's store cannot be read: {why}.", "Run this as the box's own user."),
    ):  # fmt: skip
        key, line = BoxKey.load(keys), read_key_history(keys)
        try:
            document, signature = signed_epcis(
                folder, key=key, line=line, zone=ZoneInfo(house.timezone), made=read_clock(house.clock).utc,
                codes=readonly.parcel_codes(house.storage.folder / STORE_FILE),
            )  # fmt: skip
        except ProofNotVerified as wrong:
            if wrong.verdict.code is ProofProblem.FOREIGN_KEY:
                what = f"Another box than {house.box!r}, that of the house file, sealed {folder}: nothing was exported."
                raise Failure(what, OTHER_HOME_HINT, ExitCode.NEGATIVE) from wrong
            todo = f"`perron verify {quoted_path(folder)}` says more."
            raise Failure(
                f"The proof does not hold ({wrong}): nothing was exported.", todo, ExitCode.NEGATIVE
            ) from wrong
        write_epcis(target, document, signature)
    name = quoted_path(target)
    public = quoted_path(keys / PUBLIC_KEY_FILE)
    check = f"openssl pkeyutl -verify -rawin -pubin -inkey {public} -in {name} -sigfile {name}{SIGNATURE_SUFFIX}"
    return (
        f"Written: {name} and {name}{SIGNATURE_SUFFIX}, signed by {key.public.fingerprint}.",
        "Whoever has the box's public key can check it:",
        f"  $ {check}",
    )
