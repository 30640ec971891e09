"""Words a remark on a change of the house file for its reader."""

from gateway.installation.proposal_checks import Remark
from gateway.system.i18n import Text
from gateway.system.text import escape_invisible
from gateway.web.texts.catalogue import TEXTS


def remark_text(remark: Remark, kind: str = "no") -> Text:
    """Return a remark in words."""
    facts = {key: " ".join(map(escape_invisible, fact.splitlines())) for key, fact in remark.facts.items()}
    return TEXTS[f"add.{kind}.{remark.text_key}"].with_facts(**facts)
