"""Sends a test message to each of the owner's phones, because only a delivered message proves the way."""

import asyncio
from typing import Final, assert_never

from gateway.config.home import Home
from gateway.installation.diagnostics.connection_errors import file_error
from gateway.installation.diagnostics.finding import Finding, FindingVerdict, Sentence, SentenceFact
from gateway.runtime.notifications.apprise import PhoneEndpoint, SendResult, load_phones
from gateway.runtime.notifications.batching import TEST_TEXT, PhoneNotification
from gateway.runtime.notifications.contacts import is_open_to_others
from gateway.system.config_section import ConfigError
from gateway.system.text import sanitized

PHONE_TIMEOUT_S: Final = 3.0  # for a phone's service to accept a message


async def phone_findings(home: Home) -> tuple[Finding, ...]:
    """Send a test message to each phone; a failure is a finding and never raises."""
    what, file = Sentence("what.phones"), home.phones_file
    if home.messages is None and not file.exists():
        return (Finding(what, FindingVerdict.GOOD, Sentence("phones.none")),)
    facts: dict[str, SentenceFact] = {"file": str(file)}
    try:
        # The test sends no picture and stores no phone's name, so folder and key do not matter.
        phones = load_phones(file, key=b"", scratch=home.storage.folder, limit=PHONE_TIMEOUT_S)
        others = is_open_to_others(file)
    except (ConfigError, OSError) as error:
        said = Sentence(
            "phones.unreadable", {"text": str(error) if isinstance(error, ConfigError) else file_error(error)}
        )
        return (Finding(what, FindingVerdict.BAD, said, Sentence("phones.unreadable.todo")),)
    found = []
    if others:
        found.append(
            Finding(what, FindingVerdict.BAD, Sentence("phones.open", facts), Sentence("phones.open.todo", facts))
        )
    if not phones:
        found.append(
            Finding(what, FindingVerdict.DOUBTFUL, Sentence("phones.empty", facts), Sentence("phones.empty.todo"))
        )
    word = PhoneNotification(title=sanitized(home.name), text=TEST_TEXT.to(home.language))
    heard_by = await asyncio.gather(*(phone.send(word) for phone in phones))
    told = enumerate(zip(phones, heard_by, strict=True), start=1)
    return (*found, *(_phone_finding(number, phone, heard) for number, (phone, heard) in told))


def _phone_finding(number: int, phone: PhoneEndpoint, result: SendResult) -> Finding:
    what = Sentence("what.phone", {"number": str(number), "scheme": phone.scheme})
    match result:
        case SendResult.TAKEN:
            return Finding(what, FindingVerdict.GOOD, Sentence("phone.taken"))
        case SendResult.REFUSED:
            return Finding(what, FindingVerdict.DOUBTFUL, Sentence("phone.refused"), Sentence("phone.refused.todo"))
        case SendResult.SILENT:
            said = Sentence("phone.silent", {"seconds": f"{PHONE_TIMEOUT_S:g}"})
            return Finding(what, FindingVerdict.DOUBTFUL, said, Sentence("phone.silent.todo"))
        case never:
            assert_never(never)
