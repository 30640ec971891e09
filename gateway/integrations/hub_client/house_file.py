"""Adds a box's hub membership to its house file, or removes it. Comments stay.

`perron join` and the page Hub both use this module.
"""

from pathlib import Path

from gateway.config.editor import check_home, with_top_section
from gateway.integrations.hub_client.enrolment import AUTHORITY_FILE, HUB_FOLDER, IDENTITY_FILE, HubMembership

HUB_SECTION = "hub"


def text_with_membership(text: str, file: Path, storage: Path, member: HubMembership) -> str:
    """Return the text of the house file with this membership, in place of an existing one.

    Raises:
        EditRejected: the text is not a valid house file, or would not be one.
    """
    folder, beside = storage / HUB_FOLDER, file.resolve().parent
    own = folder.relative_to(beside) if folder.is_relative_to(beside) else folder
    one = str(own / IDENTITY_FILE)  # key and certificate in one file, so that both change at once
    section = {
        "url": member.url, "home": member.home, "host": member.host, "port": member.port, "shard": member.shard,
        "key": member.key, "tls": {"ca": str(own / AUTHORITY_FILE), "certificate": one, "key": one},
    }  # fmt: skip
    edited = with_top_section(text, file, HUB_SECTION, section)
    check_home(edited, file)
    return edited


def text_without_membership(text: str, file: Path, home: str) -> str:
    """Return the text of the house file without its membership as this home; another membership stays.

    Raises:
        EditRejected: the text is not a valid house file, or would not be one.
    """
    section = check_home(text, file).hub
    if section is None or section.home != home:
        return text
    edited = with_top_section(text, file, HUB_SECTION, None)
    check_home(edited, file)
    return edited
