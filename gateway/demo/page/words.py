"""The page's templates, its languages, and the texts of its script (`templates/texts.html`)."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.system.i18n import Language, Text, languages_of, template_functions, with_hard_spaces
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
    own: dict[str, str] = vars(TEMPLATES.get_template("texts.html").make_module(dict(template_functions(language))))[
        "texts"
    ]
    return {key: with_hard_spaces(text) for key, text in shared.items()} | own
