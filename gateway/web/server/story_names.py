"""Collects the names that a visit's story needs from today's house."""

from gateway.config.closure_names import closure_names
from gateway.config.closures import entrance_closures
from gateway.config.device_names import device_names
from gateway.system.i18n import Language
from gateway.web.server.context import GatewayServices
from gateway.web.server.visit_story import StoryNames


def story_names(services: GatewayServices, entrance: str, language: Language) -> StoryNames:
    """Return the names at an entrance; of one that the house no longer has no closure has a name."""
    home, known = services.home, entrance in services.home.entrances
    return StoryNames(
        closures=closure_names(entrance_closures(home, entrance), language) if known else {},
        keepers=services.keeper_names,
        devices=device_names(home, language),
    )
