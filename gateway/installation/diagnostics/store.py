"""What an examination says of the box's store: whether it is whole, and the one that the box used last."""

import os
from collections.abc import Iterator

from gateway.config.home import Home
from gateway.evidence.rollback import STORE, standing
from gateway.installation.diagnostics.finding import Finding, Said, Verdict
from gateway.installation.diagnostics.trouble import why
from gateway.protocol.keys import KeyUnusable
from gateway.runtime.maintenance.startup_checks import broken, in_the_way

LOOK_S = 2.5  # for all pages of the store: an examination has 4.7 s


def store(home: Home) -> Iterator[Finding]:
    """Look at the store without opening it for writing; nothing is said of a box that has none yet."""
    what, folder = Said("what.store"), home.storage.folder
    try:
        found = tuple(in_the_way(folder))
    except OSError as error:
        yield Finding(what, Verdict.BAD, Said("store.unseen", {"why": why(error)}), Said("store.unseen.todo"))
        return
    for one in found:
        said = Said(f"store.in_the_way.{one.kind}", {"file": one.path})
        yield Finding(what, Verdict.BAD, said, Said("store.in_the_way.todo"))
    if found or not os.path.lexists(folder / STORE):
        return
    wrong = broken(folder, within=LOOK_S)
    if wrong is not None:
        said = Said("store.damaged", {"file": folder / STORE, "why": wrong})
        yield Finding(what, Verdict.BAD, said, Said("store.damaged.todo", {"folder": folder}))
        return
    try:
        doubt = standing(folder, home.entrances)
    except (OSError, KeyUnusable) as error:
        said = Said("store.unseen", {"why": why(error)})
        yield Finding(what, Verdict.BAD, said, Said("store.unseen.todo"))
        return
    if doubt is not None:
        yield Finding(what, Verdict.BAD, Said(f"store.doubt.{doubt}"), Said("store.doubt.todo"))
    else:
        yield Finding(what, Verdict.GOOD, Said("store.good"))
