"""Serves the page on which somebody outside sees a visit that a household shares.

The page is the same for everybody and contains nothing of a home. Its script takes the keys from the fragment of the
link, which no browser sends, and asks the box as an enrolled browser does: the hub relays what it cannot read. Who
opens a link trusts that the hub serves this page unchanged (docs/reference/away-protocol.md).
"""

import json
from functools import cache
from importlib.resources import files

from jinja2 import Template

from gateway.hub.http.scripted_page import ScriptedPage
from gateway.hub.shared_visit.page_texts import TEXTS, TITLE
from gateway.system.html_templates import html_environment
from gateway.system.i18n import Language, language_names, languages_of, template_functions, with_hard_spaces

# The box's own modules and its style: one implementation of the protocol. They are data here; nothing is imported.
BOX_FILES = ("away_crypto.js", "away_films.js", "away_line.js", "away_view.js", "away.css", "perron.css", "perron.svg")


def shared_visit_page(url: str) -> ScriptedPage:
    """Return the page. `url`: the hub's address, for which the page's tokens are."""
    box, own = files("gateway").joinpath("web", "static"), files("gateway.hub.shared_visit")
    parts = {name: box.joinpath(name).read_bytes() for name in BOX_FILES}
    parts["shared_visit.js"] = own.joinpath("shared_visit.js").read_bytes()
    pages = {language: _render(language, url) for language in languages_of(TITLE)}
    return ScriptedPage("/shared", pages, parts, media="blob:")


def _render(language: Language, url: str) -> str:
    texts = json.dumps({key: with_hard_spaces(text.template(language)) for key, text in TEXTS.items()})
    return _template().render(
        language=language, languages=languages_of(TITLE), language_names=language_names(), url=url, texts=texts,
        **template_functions(language),
    )  # fmt: skip


@cache
def _template() -> Template:
    return html_environment("gateway.hub.shared_visit").get_template("shared_visit.html")
