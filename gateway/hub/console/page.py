"""Serves the web console, in which a retailer sees its deliveries, events, webhooks and keys.

The page is the same for everybody and contains nothing of a retailer. Its modules call the API's own operations with
the API key that the user enters. The browser keeps that key for the tab only: no URL, cookie or log contains it.
"""

import json
from functools import cache
from importlib.resources import files

from jinja2 import Template

from gateway.hub.console.page_texts import TEXTS, TITLE
from gateway.hub.http.scripted_page import ScriptedPage
from gateway.system.html_templates import html_environment
from gateway.system.i18n import Language, language_names, languages_of, template_functions, with_hard_spaces


def console_page(url: str) -> ScriptedPage:
    """Return the page. `url`: the hub's address, for the commands that a user copies."""
    static = files("gateway.hub.console").joinpath("static")
    own = {file.name: file.read_bytes() for file in static.iterdir()}
    own["perron.svg"] = files("gateway").joinpath("web", "static", "perron.svg").read_bytes()
    return ScriptedPage("/console", {language: _render(language, url) for language in languages_of(TITLE)}, own)


def _render(language: Language, url: str) -> str:
    texts = json.dumps({key: with_hard_spaces(text.template(language)) for key, text in TEXTS.items()})
    return _template().render(
        language=language, languages=languages_of(TITLE), language_names=language_names(), url=url, texts=texts,
        host=url.partition("://")[2], title=TITLE, **template_functions(language),
    )  # fmt: skip


@cache
def _template() -> Template:
    return html_environment("gateway.hub.console").get_template("console.html")
