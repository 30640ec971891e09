"""The registry of all kinds of conditions. A new kind is one module beside these and one line here."""

from typing import get_args

from gateway.domain.visit.conditions.alarm_panel import AlarmPanel as AlarmPanel
from gateway.domain.visit.conditions.alarm_panel import AlarmPanelReported as AlarmPanelReported
from gateway.domain.visit.conditions.cold_chain import ColdChain as ColdChain
from gateway.domain.visit.conditions.cold_chain import FridgeReported as FridgeReported
from gateway.domain.visit.conditions.presence import Presence as Presence
from gateway.domain.visit.conditions.presence import PresenceReported as PresenceReported

AnyCondition = ColdChain | Presence | AlarmPanel
AnyReport = FridgeReported | PresenceReported | AlarmPanelReported

KINDS: tuple[type[AnyCondition], ...] = get_args(AnyCondition)
REPORTS: tuple[type[AnyReport], ...] = get_args(AnyReport)

ALWAYS = (ColdChain(),)
"""What an entrance has without any configuration: nothing is proven cold."""
