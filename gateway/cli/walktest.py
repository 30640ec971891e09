"""`perron walk-test`: shows the page of the walk test as a QR code, and verifies a report that the box signed."""

from pathlib import Path

import segno

from gateway.cli.failure import ExitCode, Failure, error_text, failure_on
from gateway.cli.options import print_line
from gateway.config.home import Home
from gateway.installation.capability import walk_test_text
from gateway.installation.records import INSTALLATION_FOLDER, read_walk_status
from gateway.installation.walk_test_report import verify_walk
from gateway.protocol.keys import KeyUnusable, PublicKey
from gateway.system.regular_file import read_bytes
from gateway.web.pages.installation import INSTALLATION_PATH

MAX_REPORT_BYTES = 64 * 2**20  # a report holds one picture of each camera


def show_walk_test(home: Home, entrance: str) -> None:
    """Print how the entrance's walk test stands, and the address of its page as text and as a QR code."""
    if home.pages is None:
        what = "The walk test is a page, and this house has no pages."
        raise Failure(what, "Add a section `pages:` to the house file.")
    address = f"{home.pages.address}{INSTALLATION_PATH}/walk/{entrance}"
    print_line(walk_test_text(read_walk_status(home, entrance), entrance).to(home.language))
    print_line(f"Open this page on a phone, as owner or installer, with the gateway running: {address}")
    segno.make(address, error="m").terminal(compact=True)


def verify_report(report: Path, key: Path | None) -> str:
    """Verify a report by the box's signature; return one line about it."""
    beside = report.with_suffix(".signed.json")
    try:
        with failure_on(KeyUnusable, f"{key}: {{why}}.", "Name the box's public key, a PEM file."):
            trusted = None if key is None else PublicKey.from_pem(read_bytes(key))
        walk = verify_walk(read_bytes(beside), read_bytes(report, at_most=MAX_REPORT_BYTES), trusted)
    except OSError as error:
        what = f"{error.filename} cannot be read ({error_text(error)})" if error.filename else error_text(error)
        folder = f"{INSTALLATION_FOLDER}/ of its storage folder"
        todo = f"Name the report where the box wrote it, {folder}: {beside.name} lies beside it."
        raise Failure(f"{what}.", todo) from error
    if isinstance(walk, str):
        raise Failure(f"{report}: {walk}.", "Take the report from the box again.", ExitCode.NEGATIVE)
    fingerprint = PublicKey.from_text(walk.key).fingerprint
    return f"signed by the box {walk.box} (key {fingerprint}): {walk.entrance}, begun {walk.begun}, {walk.standing}"
