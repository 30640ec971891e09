"""The page's templates, its languages, and the texts of its script (`templates/texts.html`)."""

from gateway.system.html_templates import html_environment
from gateway.system.i18n import Language, Text, languages_of, template_functions, with_hard_spaces
from gateway.web.texts.catalogue import TEXTS as PAGES

TEMPLATES = html_environment("gateway.demo.page")
LANGUAGES = languages_of(Text("Your turn."))

# Families of keys in `gateway/web/texts/catalogue.py` that the page has too.
SHARED_KEY_PREFIXES = ("live.", "nav.live")


def page_texts(language: Language) -> dict[str, str]:
    """Return the texts of the page's script in this language, by key."""
    shared = {key: text.template(language) for key, text in PAGES.items() if key.startswith(SHARED_KEY_PREFIXES)}
    own: dict[str, str] = vars(TEMPLATES.get_template("texts.html").make_module(dict(template_functions(language))))[
        "texts"
    ]
    return {key: with_hard_spaces(text) for key, text in shared.items()} | own
