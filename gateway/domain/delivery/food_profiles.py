"""Names the temperatures that French and European law require of foods, each with its source. Pure.

A retailer names a profile in place of numbers. The limits are those for storage and delivery. The law permits short
deviations in some of these cases (such as 3 °C for quick-frozen food in local distribution); a profile permits none,
because a box cannot judge what is short. It measures the air and not the food.
"""

from collections.abc import Mapping
from enum import StrEnum, auto
from typing import Final

from gateway.domain.delivery.temperature import Limits
from gateway.domain.frozen import Frozen

_ORDER_2009 = "arrêté du 21 décembre 2009 (NOR AGRG0927709A), annexe I"
_HYGIENE = "Regulation (EC) No 853/2004, annex III"


class FoodProfile(StrEnum):
    """A kind of food that has its temperature by law."""

    QUICK_FROZEN = auto()
    ICE_CREAM = auto()
    FROZEN = auto()
    FISH = auto()
    MINCED_MEAT = auto()
    OFFAL = auto()
    READY_MEAL = auto()
    POULTRY = auto()
    CUT_MEAT = auto()
    MEAT = auto()
    VERY_PERISHABLE = auto()
    PERISHABLE = auto()
    HOT_MEAL = auto()


class LegalTemperature(Frozen):
    """The limits of a profile, and the text of law that states them."""

    limits: Limits
    source: str


LEGAL_TEMPERATURES: Final[Mapping[FoodProfile, LegalTemperature]] = {
    FoodProfile.QUICK_FROZEN: LegalTemperature(
        limits=Limits(max_c=-18.0),
        source="Directive 89/108/EEC, articles 1 and 5; décret n° 64-949 du 9 octobre 1964",
    ),
    FoodProfile.ICE_CREAM: LegalTemperature(limits=Limits(max_c=-18.0), source=_ORDER_2009),
    FoodProfile.FROZEN: LegalTemperature(limits=Limits(max_c=-12.0), source=_ORDER_2009),
    # The law names melting ice; French inspectors take it as 0 to +2 °C.
    FoodProfile.FISH: LegalTemperature(
        limits=Limits(min_c=0.0, max_c=2.0), source=f"{_HYGIENE}, section VIII, chapter VII; {_ORDER_2009}"
    ),
    FoodProfile.MINCED_MEAT: LegalTemperature(
        limits=Limits(max_c=2.0), source=f"{_HYGIENE}, section V, chapter III; {_ORDER_2009}"
    ),
    FoodProfile.OFFAL: LegalTemperature(
        limits=Limits(max_c=3.0), source=f"{_HYGIENE}, section I, chapter VII; {_ORDER_2009}"
    ),
    FoodProfile.READY_MEAL: LegalTemperature(limits=Limits(max_c=3.0), source=_ORDER_2009),
    FoodProfile.POULTRY: LegalTemperature(
        limits=Limits(max_c=4.0), source=f"{_HYGIENE}, section II, chapter V; {_ORDER_2009}"
    ),
    FoodProfile.CUT_MEAT: LegalTemperature(limits=Limits(max_c=4.0), source=_ORDER_2009),
    FoodProfile.MEAT: LegalTemperature(
        limits=Limits(max_c=7.0), source=f"{_HYGIENE}, section I, chapter VII; {_ORDER_2009}"
    ),
    FoodProfile.VERY_PERISHABLE: LegalTemperature(limits=Limits(max_c=4.0), source=_ORDER_2009),
    FoodProfile.PERISHABLE: LegalTemperature(limits=Limits(max_c=8.0), source=_ORDER_2009),
    FoodProfile.HOT_MEAL: LegalTemperature(limits=Limits(min_c=63.0), source=_ORDER_2009),
}
