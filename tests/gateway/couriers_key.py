"""A key safe at which the courier himself takes the key: its entrance has no keepers."""

from gateway.demo.plan import DemoPlan
from gateway.demo.scenarios.ways_in_homes import with_key_safe
from gateway.domain.visit.state import Holder


def with_couriers_key_safe(plan: DemoPlan) -> DemoPlan:
    """The demo's key safe, without a keeper."""
    plan = with_key_safe(plan)
    section = plan.section.model_copy(update={"holder": Holder.COURIER, "keepers": ()})
    return plan.with_home(entrances={plan.entrance: section})
