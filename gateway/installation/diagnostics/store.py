"""Examines the box's store: whether it is intact and the one that the box used last."""

import os
from collections.abc import Iterator
from typing import Final

from gateway.config.home import Home
from gateway.evidence.rollback import STORE_FILE, current_doubt
from gateway.installation.diagnostics.connection_errors import file_error
from gateway.installation.diagnostics.finding import Finding, bad, good
from gateway.protocol.keys import KeyUnusable
from gateway.runtime.maintenance.startup_checks import unexpected_files
from gateway.runtime.notifications.texts import STORE_DOUBT_TEXTS
from gateway.storage.integrity import find_damage
from gateway.system.i18n import _

STORE: Final = _("store")
STORE_CHECK_TIMEOUT_S = 2.5  # to read the whole store; an examination has 4.7 s


def store_findings(home: Home) -> Iterator[Finding]:
    """Return the findings about the store, read-only; empty before the first start."""
    try:
        yield from _store_findings(home)
    except (OSError, KeyUnusable) as error:
        yield bad(
            STORE,
            _("cannot be looked at ({why})", why=file_error(error)),
            _("Look at the disk and at the rights of storage.folder, then examine again."),
        )


def _store_findings(home: Home) -> Iterator[Finding]:
    folder = home.storage.folder
    unexpected = tuple(unexpected_files(folder))
    for _path, text in unexpected:
        yield bad(
            STORE,
            text,
            _("Something else stands in the place of one of the box's files, and no gateway begins: move it away."),
        )
    if unexpected or not os.path.lexists(folder / STORE_FILE):
        return
    damage = find_damage(folder / STORE_FILE, within=STORE_CHECK_TIMEOUT_S)
    if damage is not None:
        yield bad(
            STORE,
            _("{file} is damaged ({why})", file=folder / STORE_FILE, why=damage),
            _(
                "Look after the doors by hand. Move {folder} aside and keep it, then put the last backup back: `perron "
                "restore FILE`. Without a backup the box begins as a new one in an empty folder.",
                folder=folder,
            ),
        )
        return
    doubt = current_doubt(folder, home.entrances)
    if doubt is None:
        yield good(STORE, _("whole, and the one that the box used last"))
    else:
        yield bad(
            STORE,
            _("in doubt: {why}", why=STORE_DOUBT_TEXTS[doubt]),
            _(
                "Nothing opens. Where the key or the mark is still somewhere else, put it back before the next start. "
                'Else start the gateway, look after each door and say so on the page Home ("I have looked after the '
                'door"); what was announced before has to be announced again.'
            ),
        )
