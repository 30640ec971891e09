"""Examines the box's store: whether it is intact and the one that the box used last."""

import os
from collections.abc import Iterator

from gateway.config.home import Home
from gateway.evidence.rollback import STORE_FILE, current_doubt
from gateway.installation.diagnostics.connection_errors import file_error
from gateway.installation.diagnostics.finding import Finding, FindingVerdict, Sentence
from gateway.protocol.keys import KeyUnusable
from gateway.runtime.maintenance.startup_checks import store_damage, unexpected_files

STORE_CHECK_TIMEOUT_S = 2.5  # to read the whole store; an examination has 4.7 s


def store_findings(home: Home) -> Iterator[Finding]:
    """Return the findings about the store, read-only; empty before the first start."""
    what, folder = Sentence("what.store"), home.storage.folder
    try:
        found = tuple(unexpected_files(folder))
    except OSError as error:
        yield Finding(
            what,
            FindingVerdict.BAD,
            Sentence("store.unseen", {"why": file_error(error)}),
            Sentence("store.unseen.todo"),
        )
        return
    for one in found:
        said = Sentence(f"store.in_the_way.{one.kind}", {"file": one.path})
        yield Finding(what, FindingVerdict.BAD, said, Sentence("store.in_the_way.todo"))
    if found or not os.path.lexists(folder / STORE_FILE):
        return
    wrong = store_damage(folder, within=STORE_CHECK_TIMEOUT_S)
    if wrong is not None:
        said = Sentence("store.damaged", {"file": folder / STORE_FILE, "why": wrong})
        yield Finding(what, FindingVerdict.BAD, said, Sentence("store.damaged.todo", {"folder": folder}))
        return
    try:
        doubt = current_doubt(folder, home.entrances)
    except (OSError, KeyUnusable) as error:
        said = Sentence("store.unseen", {"why": file_error(error)})
        yield Finding(what, FindingVerdict.BAD, said, Sentence("store.unseen.todo"))
        return
    if doubt is not None:
        yield Finding(what, FindingVerdict.BAD, Sentence(f"store.doubt.{doubt}"), Sentence("store.doubt.todo"))
    else:
        yield Finding(what, FindingVerdict.GOOD, Sentence("store.good"))
