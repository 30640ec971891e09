"""Sends each of the owner's phones a word: only what arrives shows that messages will. No door waits for a phone."""

import asyncio
from typing import Final, assert_never

from gateway.config.errors import ConfigError
from gateway.config.home import Home
from gateway.installation.diagnostics.finding import Fact, Finding, Said, Verdict
from gateway.installation.diagnostics.trouble import why
from gateway.runtime.notifications.apprise import Heard, Phone, read
from gateway.runtime.notifications.batching import TRIAL, Notice
from gateway.runtime.notifications.contacts import open_to_others
from gateway.system.text import inert

REACH: Final = 3.0  # seconds for a phone's service to take a word


async def phones(home: Home) -> tuple[Finding, ...]:
    """Try each phone that the house tells; what is not well never raises."""
    what, file = Said("what.phones"), home.phones_file
    if home.messages is None and not file.exists():
        return (Finding(what, Verdict.GOOD, Said("phones.none")),)
    facts: dict[str, Fact] = {"file": str(file)}
    try:
        # No picture goes with it, and nobody keeps the name: neither folder nor key matters.
        phones = read(file, key=b"", scratch=home.storage.folder, limit=REACH)
        others = open_to_others(file)
    except (ConfigError, OSError) as error:
        said = Said("phones.unreadable", {"text": str(error) if isinstance(error, ConfigError) else why(error)})
        return (Finding(what, Verdict.BAD, said, Said("phones.unreadable.todo")),)
    found = []
    if others:
        found.append(Finding(what, Verdict.BAD, Said("phones.open", facts), Said("phones.open.todo", facts)))
    if not phones:
        found.append(Finding(what, Verdict.DOUBTFUL, Said("phones.empty", facts), Said("phones.empty.todo")))
    word = Notice(title=inert(home.name), text=TRIAL.to(home.language))
    heard_by = await asyncio.gather(*(phone.tell(word) for phone in phones))
    told = enumerate(zip(phones, heard_by, strict=True), start=1)
    return (*found, *(_tried(number, phone, heard) for number, (phone, heard) in told))


def _tried(number: int, phone: Phone, heard: Heard) -> Finding:
    what = Said("what.phone", {"number": str(number), "scheme": phone.scheme})
    match heard:
        case Heard.TAKEN:
            return Finding(what, Verdict.GOOD, Said("phone.taken"))
        case Heard.REFUSED:
            return Finding(what, Verdict.DOUBTFUL, Said("phone.refused"), Said("phone.refused.todo"))
        case Heard.SILENT:
            said = Said("phone.silent", {"seconds": f"{REACH:g}"})
            return Finding(what, Verdict.DOUBTFUL, said, Said("phone.silent.todo"))
        case never:
            assert_never(never)
