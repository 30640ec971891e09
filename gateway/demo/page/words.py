"""The page's templates, its languages, and the texts of its script (`templates/texts.html`)."""

from collections.abc import Callable

from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.system.i18n import Language, Text, languages_of, template_functions
from gateway.web.texts.catalogue import TEXTS as PAGES

TEMPLATES = Environment(
    loader=PackageLoader("gateway.demo.page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
    lstrip_blocks=True, auto_reload=False, extensions=["jinja2.ext.i18n"],
)  # fmt: skip
LANGUAGES = languages_of(Text("Your turn."))

# Families of keys in `gateway/web/texts/catalogue.py` that the page has too.
SHARED_KEY_PREFIXES = ("live.", "nav.live")


def page_texts(language: Language) -> dict[str, str]:
    """Return the texts of the page's script in this language, by key."""
    shared = {key: text.template(language) for key, text in PAGES.items() if key.startswith(SHARED_KEY_PREFIXES)}
    own: dict[str, str] = vars(TEMPLATES.get_template("texts.html").make_module(page_functions(language)))["texts"]
    return {key: with_hard_spaces(text) for key, text in shared.items()} | own


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
