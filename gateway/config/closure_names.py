"""Names a closure for people: its kind, and its id if an entrance has several closures of the kind. Pure."""

from collections.abc import Mapping, Sequence

from gateway.domain.visit.closures import AnyClosure
from gateway.domain.visit.closures.contract import MAIN_CLOSURE
from gateway.system.i18n import Fact, Language, Text, _, in_language, pgettext

KIND_NAMES: Mapping[str, Text] = {
    "bolted_door": _("Door"),
    "garage_door": _("Garage door"),
    "strike": _("Street door"),
    "compartment": pgettext("a closure", "Compartment"),
    "key_safe": _("Key safe"),
    "keyed_door": _("Door with a key"),
    "car_boot": _("Car boot"),
}
"""The name of every kind of closure; a test compares the keys with the registry."""


def has_named_closures(closures: Sequence[AnyClosure]) -> bool:
    """Return whether texts have to name the closure; the only door of an entrance is "the door"."""
    return [closure.id for closure in closures] != [MAIN_CLOSURE]


def closure_name(closures: Sequence[AnyClosure], ident: str, language: Language) -> str:
    """Return the name of one of an entrance's closures; the id itself if there is no such closure."""
    return in_language(closure_label(closures, ident), language)


def closure_label(closures: Sequence[AnyClosure], ident: str) -> Fact:
    """Return what `closure_name` puts into words of a language."""
    kinds = [closure.kind for closure in closures]
    kind = next((closure.kind for closure in closures if closure.id == ident), None)
    if kind is None:
        return ident
    if kinds.count(kind) == 1:
        return KIND_NAMES[kind]
    return Text("{name} ({id})").with_facts(name=KIND_NAMES[kind], id=ident)


def closure_names(closures: Sequence[AnyClosure], language: Language) -> dict[str, str]:
    """Return the name of each closure of an entrance, by its id."""
    return {closure.id: closure_name(closures, closure.id, language) for closure in closures}
