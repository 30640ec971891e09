"""The texts of the page's script, one for each key. All other texts stand where they are shown."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from gateway.system.i18n import Language, Text, _, languages_of, pgettext, template_functions
from gateway.web.texts.catalogue import TEXTS as PAGES

TEXTS: Mapping[str, Text] = MappingProxyType({
    "panel.film": _("The live film"),
    "panel.sealed": _("The sealed film"),
    "camera.doorbell": _("Doorbell"),
    "camera.hall-camera": _("Hall"),
    "camera.grey": _("frozen picture: Perron does not believe it"),
    "film.scrub": _("Scrub the film, or touch a line"),
    "film.live": _("Back to live"),
    "film.show": _("See the sealed film"),
    "phone.waited": _("came {seconds} s late"),
    "phone.picture": _("The message's picture"),
    "check.parcel": _("Parcel"),
    "check.hour": _("Hour"),
    "check.brand": _("Brand"),
    "check.courier": _("Courier"),
    "check.filming": _("Filming"),
    "check.yes": _("right"),
    "check.no": _("no"),
    "check.open": _("not looked at yet"),
    "decided": _("decided here in {ms} ms"),
    "health.lock": _("Lock"),
    "health.door": _("Door"),
    "health.camera": _("Cameras"),
    "health.clock": _("Clock"),
    "health.good": _("good"),
    "health.bad": _("not proven"),
    "house.locked": _("Locked"),
    "house.shut": _("Shut, not proven"),
    "house.unlocked": _("Unlocked"),
    "house.open": _("Open"),
    "house.forced": _("Forced"),
    "house.dead": _("The box is dead"),
    "house.openings": _("openings: {count}"),
    "light.off": _("off"),
    "light.amber": _("please wait"),
    "light.green": _("come in"),
    "light.red": _("no"),
    "verify.holds": pgettext("said aloud", "The proof holds"),
    "verify.broken": _("One byte was changed at second {second}"),
    "verify.where": _("perron verify: {where}"),
    "rest": _("Watch: the house is being set up."),
    "show.over": _("Your turn."),
    "turn.setting": _("The house is being set up"),
    "turn.playing": _("Playing: {title}"),
    "turn.good": _("{title}: all went as it must."),
    "turn.bad": _("{title}: not as it must be."),
    "turn.stopped": _("{title}: stopped by you."),
    "turn.the_show": _("the show"),
})  # fmt: skip

LANGUAGES = languages_of(TEXTS["rest"])

# Families of keys in `gateway/web/texts/catalogue.py` that the page has too.
SHARED_KEY_PREFIXES = ("live.", "nav.live")


def page_texts(language: Language) -> dict[str, str]:
    """Return the texts of the page's script in this language, by key."""
    shared = {key: text for key, text in PAGES.items() if key.startswith(SHARED_KEY_PREFIXES)}
    return {key: with_hard_spaces(text.template(language)) for key, text in (shared | dict(TEXTS)).items()}


def page_functions(language: Language) -> dict[str, Callable[..., str]]:
    """Return what the page's template calls (`template_functions`)."""

    def spaced(function: Callable[..., str]) -> Callable[..., str]:
        return lambda *arguments, **facts: with_hard_spaces(function(*arguments, **facts))

    return {name: spaced(function) for name, function in template_functions(language).items()}


def with_hard_spaces(text: str) -> str:
    """Put no-break spaces before the signs that French sets apart; English has none."""
    for sign in (":", ";", "!", "?", "»"):
        text = text.replace(f" {sign}", f"\N{NO-BREAK SPACE}{sign}")
    return text.replace("« ", "«\N{NO-BREAK SPACE}")
