"""The registry of all kinds of conditions. A new kind needs one module in this package and one line here."""

from typing import get_args

from gateway.domain.visit.conditions.alarm_panel import AlarmPanel as AlarmPanel
from gateway.domain.visit.conditions.alarm_panel import AlarmPanelReported as AlarmPanelReported
from gateway.domain.visit.conditions.cold_chain import ColdChain as ColdChain
from gateway.domain.visit.conditions.cold_chain import FridgeReported as FridgeReported
from gateway.domain.visit.conditions.cold_chain import RoomReported as RoomReported
from gateway.domain.visit.conditions.presence import Presence as Presence
from gateway.domain.visit.conditions.presence import PresenceReported as PresenceReported
from gateway.domain.visit.conditions.robot_fit import RobotFit as RobotFit
from gateway.domain.visit.conditions.robot_fit import RobotFitReported as RobotFitReported
from gateway.domain.visit.conditions.stray_code import StrayCode as StrayCode
from gateway.domain.visit.conditions.stray_code import StrayCodeReported as StrayCodeReported

AnyCondition = ColdChain | Presence | AlarmPanel | RobotFit | StrayCode
AnyReport = FridgeReported | RoomReported | PresenceReported | AlarmPanelReported | RobotFitReported | StrayCodeReported

KINDS: tuple[type[AnyCondition], ...] = get_args(AnyCondition)
REPORTS: tuple[type[AnyReport], ...] = get_args(AnyReport)

ALWAYS = (ColdChain(),)
"""The conditions of an entrance without any configuration: no place is proven cold."""
