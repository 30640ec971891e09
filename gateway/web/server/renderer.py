"""Renders templates to HTML. It escapes everything and isolates text from outside (`isolate_direction`)."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache, partial
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from jinja2 import Environment, pass_context
from jinja2.runtime import Context

from gateway.protocol.hash_chain import canonical_json
from gateway.system.addresses import is_home_host
from gateway.system.dates import day_text, hours_text, last_day, moment_text, time_text, window_text
from gateway.system.html_templates import html_environment
from gateway.system.i18n import Language, Text, decimal_text, language_names, template_functions, with_hard_spaces
from gateway.system.pki.pages import format_fingerprint
from gateway.system.text import escape_invisible, isolate_direction
from gateway.web.server.brand_terms import key_fingerprint
from gateway.web.server.context import GatewayServices, Viewer, person_name
from gateway.web.server.fragments import FRAGMENTS, qr_png_address, qr_svg
from gateway.web.texts.catalogue import TEXTS, offered


def render_fragment(services: GatewayServices, name: str, viewer: Viewer) -> str:
    """Return the present HTML of one fragment (`kind/entrance`, or `courier/digest`). KeyError: it does not exist."""
    kind, _, of = name.partition("/")
    return render(services, f"parts/{kind}.html", viewer, FRAGMENTS[kind][1](services, of, viewer))


def render(services: GatewayServices, template: str, viewer: Viewer, facts: Mapping[str, Any]) -> str:
    """Return a page or a fragment as HTML."""
    functions = template_functions(viewer.language)
    page = _templates().get_template(template)
    return page.render(
        facts,
        home=services.home,
        viewer=viewer,
        t=lambda key, **facts: functions["in_words"](TEXTS[key], **facts),
        **functions,
        part=lambda name: render_fragment(services, name, viewer),
        brand_name=lambda brand: services.brand_name(brand, viewer.language),
        entrance_name=services.entrance_name,
        device_name=partial(services.device_name, language=viewer.language),
        person_name=partial(person_name, services.store.accounts),
        languages=offered(str(facts.get("path", "/"))),
        zone=services.zone,
        today=services.clock.now().utc.astimezone(services.zone).date(),
        retention_days=services.retention_days,
        ages=age_texts(viewer.language),
    )


def compile_templates() -> None:
    """Compile every template. Called in a thread before the first page, since one may take 0.1 s."""
    environment = _templates()
    for name in environment.list_templates():
        environment.get_template(name)


@cache
def _templates() -> Environment:
    environment = html_environment("gateway.web", finalize=_worded)
    environment.filters.update(
        inert=isolate_direction,
        visible=escape_invisible,
        utc=lambda instant: instant.isoformat(timespec="milliseconds"),  # for HTML's `datetime` attribute
        clock=lambda instant, zone: instant.astimezone(zone).strftime("%H:%M:%S"),
        day=_day,
        last_day=_last_day,
        moment=_moment,
        window=_window,
        hours=lambda hours, language: hours_text(hours).to(language),
        hour=time_text,
        minutes=format_minutes,
        decimal=decimal_text,
        spaced=format_fingerprint,
        fingerprint=key_fingerprint,
        megabytes=lambda size: -(-size // 1_000_000),
        qr=qr_svg,
        qr_png=qr_png_address,
        opens_only_at_home=lambda link: is_home_host(urlsplit(link).hostname or ""),
        host=lambda link: urlsplit(link).netloc,
    )
    environment.globals.update(language_names=language_names())
    return environment


@pass_context
def _worded(context: Context, value: object) -> object:
    """Word a `Text` that a template shows for the reader of the page."""
    return value.on_page(context["viewer"].language) if isinstance(value, Text) else value


def age_texts(language: Language) -> str:
    """Return the texts by which a page's script says how old a value is, as JSON."""
    keys = (
        "age.now", "age.ago", "age.left", "age.days", "link.up", "link.down", "nav.live", "live.stale", "live.none",
        "live.over", "live.waiting", "live.private",
    )  # fmt: skip
    return canonical_json({key: with_hard_spaces(TEXTS[key].template(language)) for key in keys}).decode()


@pass_context
def _day(context: Context, instant: datetime, zone: ZoneInfo, language: Language) -> str:
    return day_text(instant.astimezone(zone).date(), today=context.get("today")).to(language)


@pass_context
def _last_day(context: Context, end: datetime, zone: ZoneInfo, language: Language) -> str:
    return day_text(last_day(end, zone), today=context.get("today")).to(language)


@pass_context
def _moment(context: Context, instant: datetime, zone: ZoneInfo, language: Language) -> str:
    return moment_text(instant, zone, today=context.get("today")).to(language)


@pass_context
def _window(context: Context, start: datetime, end: datetime, zone: ZoneInfo, language: Language) -> str:
    return window_text(start, end, zone, today=context.get("today")).to(language)


def format_minutes(seconds: float, language: Language) -> str:
    """Format a duration in minutes, with a tenth."""
    return decimal_text(seconds / 60, 1).to(language)
