"""Texts of a visit's replay that its script chooses, by key."""

from collections.abc import Mapping

from gateway.system.i18n import Text, _, pgettext

REPLAY_TEXTS: Mapping[str, Text] = {
    "replay.play": _("Play"),
    "replay.pause": pgettext("a film", "Pause"),
    "replay.hole": _("No film of this camera at this moment"),
    "replay.broken": _("This browser cannot play this film."),
    "replay.at": _("{time}, {story}"),
    "seal.checking": _("Checking whether the films are unaltered…"),
    "seal.checking.film": _("Checking film {n} of {of}…"),
    "seal.sealed": _("Sealed and unaltered"),
    "seal.sealed.why": _(
        "Checked just now, in this browser: no byte of these films has changed since the box sealed them."
    ),
    "seal.sealed.no_film": _(
        "Checked just now, in this browser: the box signed its statement about this visit. It has no film."
    ),
    "seal.altered": _("ALTERED"),
    "seal.altered.film": _("The film of {camera} ({time}) is not the one that the box sealed."),
    "seal.altered.missing": _("The film of {camera} ({time}) was sealed and is missing."),
    "seal.altered.added": _("The film {file} is shown here and was never sealed."),
    "seal.altered.times": _("The film of {camera} is shown with another time than the sealed one."),
    "seal.altered.manifest": _(
        "The list of sealed films (manifest, part {part}) was changed, or the box did not sign it."
    ),
    "seal.altered.gone": _("The list of sealed films (manifest, part {part}) or its signature is missing."),
    "seal.altered.key": _("The list of sealed films (part {part}) is signed by another key than the box's."),
    "seal.altered.visit": _("The list of sealed films (part {part}) belongs to another visit or to another part."),
    "seal.unable": _("Sealed, not checked here"),
    "seal.unable.insecure": _("A browser can check only on a page with a trusted HTTPS address."),
    "seal.unable.old": _("This browser cannot check the box's signature (Ed25519): a newer one can."),
    "seal.unable.large": _("The film of {camera} is too large to be checked in a browser."),
    "seal.unable.verify": _("To check it, download the whole proof and run perron verify on its folder."),
    "seal.unable.ask": _("To have it checked, ask the owner for the whole proof: perron verify checks its folder."),
    "seal.offline": _("Not checked: the box did not answer."),
    "seal.film": _("Film, {camera}, {time}"),
    "seal.manifest": _("List of the films (manifest), part {part}"),
    "seal.key": _("Key that signed it (its public part)"),
    "seal.at": _("Sealed by the box"),
}
