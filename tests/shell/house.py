"""The house of the shell's tests: two entrances that share a camera and a fridge."""

from pathlib import Path
from typing import Any

from gateway.config.home import Home
from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.frozen import replace
from gateway.domain.visit.state import Entrance, Entry, Phase, Recording, Visit
from gateway.runtime.entrance_configuration import entrance_rules
from tests.gateway.domain.delivery import shop

PARCEL = shop.PARCEL
VISIT = "0f3a-visit"


def make_home(folder: Path, **timing: float) -> Home:
    """The shop's customer, with a guarded lock and a camera in the hall; `timing`: other waiting times."""
    document: dict[str, Any] = shop.make_home().model_dump(mode="json")
    document["storage"] = {"folder": str(folder), "reserve_mib": 1}
    document["clock"] = {"source": "host"}
    document["devices"]["lock"] |= {"guarded": True, "latency": 0.1}
    document["devices"]["hall"] = document["devices"]["cam"]
    for entrance in document["entrances"].values():
        entrance["timing"] |= timing
    document["entrances"]["front"]["cameras"] |= {"inside": ["hall"], "read_labels": ["cam"]}
    document["entrances"]["front"]["courier_proof"] = False
    return Home.model_validate(document, strict=False)


def home_without_permission(made: Home, **terms: Any) -> Home:  # noqa: ANN401 - any term
    """The same house, where the shop has no permission yet (or what `terms` say)."""
    shop = made.brands["shop"]
    permission = shop.permission.model_copy(update={"state": "pending"} | terms)
    return made.model_copy(
        update={"brands": {**made.brands, "shop": shop.model_copy(update={"permission": permission})}}
    )


def visit_delivery(**changes: Any) -> VisitDelivery:  # noqa: ANN401 - any field of a delivery
    """The parcel of the usual window, as `decide` sees it."""
    fields: dict[str, Any] = {
        "id": "shop.d1",
        "version": 1,
        "permission_version": 1,
        "brand": "shop",
        "carrier": "Colissimo",
        "entrance": "front",
        "place": "hall",
        "refusal": None,
        "start": shop.make_window().start,
        "end": shop.make_window().end,
        "openings_left": 1,
        "withdrawals_left": 2,
        "parcels": frozenset({PARCEL}),
    }
    return VisitDelivery(**fields | changes)


INTENT = Entry(ordered_at={"door": 0.0})  # the unlock intent of the main door is stored


def entrance_in_visit(house: Home, phase: Phase = Phase.UNLOCKING, /, **changes: Any) -> Entrance:  # noqa: ANN401 - any of a visit
    """The front door with a visit past its intent."""
    fields: dict[str, Any] = {"id": VISIT, "delivery": visit_delivery(), "scanner": "scanner", "entry": INTENT}
    if changes.pop("opened", False):
        fields["entry"] = replace(INTENT, opened=frozenset({"door"}))
    fields["recording"] = Recording(**{name: changes.pop(name) for name in ("part", "gaps") if name in changes})
    visit = Visit(phase=phase, **fields | changes)
    return Entrance(id="front", rules=entrance_rules(house, "front"), broker_session=1, visit=visit)
