"""Sends a test message to each of the owner's phones, because only a delivered message proves the way."""

import asyncio
from typing import Final, assert_never

from gateway.config.home import Home
from gateway.installation.diagnostics.connection_errors import file_error
from gateway.installation.diagnostics.finding import Finding, bad, doubtful, good
from gateway.runtime.notifications.apprise import ApprisePhone, SendResult, load_phones
from gateway.runtime.notifications.batching import TEST_TEXT, PhoneNotification
from gateway.runtime.notifications.contacts import is_open_to_others
from gateway.system.config_section import ConfigError
from gateway.system.i18n import _, pgettext
from gateway.system.text import sanitized

PHONES: Final = _("phones")
PHONE_TIMEOUT_S: Final = 3.0  # for a phone's service to accept a message


async def phone_findings(home: Home) -> tuple[Finding, ...]:
    """Send a test message to each phone; a failure is a finding and never raises."""
    file = home.phones_file
    if home.messages is None and not file.exists():
        return (good(PHONES, _("none is configured: messages go to the log and to MQTT")),)
    try:
        # The test sends no picture and stores no phone's name, so folder and key do not matter.
        phones = load_phones(file, key=b"", scratch=home.storage.folder, limit=PHONE_TIMEOUT_S)
        is_open = is_open_to_others(file)
    except (ConfigError, OSError) as error:
        reason = str(error) if isinstance(error, ConfigError) else file_error(error)
        todo = _("Until then `perron run` does not start.")
        return (bad(PHONES, pgettext("file of phones", "{text}", text=reason), todo),)
    findings = []
    if is_open:
        findings.append(
            bad(
                PHONES,
                _("{file} can be read or written by others on this machine", file=str(file)),
                _("`chmod 600 {file}`, and where others could read it change what stands in it.", file=str(file)),
            )
        )
    if not phones:
        todo = _("Add one on the page Settings, Messages.")
        findings.append(doubtful(PHONES, _("{file} names none", file=str(file)), todo))
    message = PhoneNotification(title=sanitized(home.name), text=TEST_TEXT.to(home.language))
    results = await asyncio.gather(*(phone.send(message) for phone in phones))
    for number, (phone, result) in enumerate(zip(phones, results, strict=True), start=1):
        findings.append(_phone_finding(number, phone, result))
    return tuple(findings)


def _phone_finding(number: int, phone: ApprisePhone, result: SendResult) -> Finding:
    subject = _("phone {number} ({scheme})", number=str(number), scheme=phone.scheme)
    match result:
        case SendResult.TAKEN:
            return good(subject, _("took a word to try it: look whether the phone shows it"))
        case SendResult.REFUSED:
            return doubtful(
                subject,
                _("did not take it, or nobody answers there"),
                _("Look at its URL's line, at account and topic, and at this machine's way there."),
            )
        case SendResult.SILENT:
            return doubtful(
                subject,
                _("no answer within {seconds} s").with_facts(seconds=f"{PHONE_TIMEOUT_S:g}"),
                _("Look at this machine's way there."),
            )
        case never:
            assert_never(never)
