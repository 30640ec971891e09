"""Tracks whether somebody is home and the mode of the alarm panel, as devices of the house report them.

Presence can only keep a door shut. A person at home refuses a visit just as the household's own statement does, and
unknown is not away. An armed panel would sound a siren at a courier, so the door may open only in a mode in which the
entrance is bypassed. Armed for the night or at home means that people are asleep or in. Armed away or for a vacation
means that a hand at the door is unexpected, as if the household had said that it is away.
"""

from devices.reports import AlarmPanelState, PresenceState
from gateway.domain.visit.state import Entrance

HOME_PANEL_STATES = frozenset({AlarmPanelState.ARMED_HOME, AlarmPanelState.ARMED_NIGHT})
AWAY_PANEL_STATES = frozenset({AlarmPanelState.ARMED_AWAY, AlarmPanelState.ARMED_VACATION})
# Good news that has to be live
LIVE_ONLY: frozenset[AlarmPanelState | PresenceState] = frozenset({AlarmPanelState.DISARMED, PresenceState.AWAY})


def is_somebody_home(state: Entrance) -> bool:
    """Return whether a tracked person is home, or the panel is armed around people."""
    followed = any(state.presence.get(name) is PresenceState.HOME for name in state.rules.presence)
    return followed or (state.rules.alarm is not None and state.alarm_panel in HOME_PANEL_STATES)


def is_presence_known(state: Entrance) -> bool:
    """Return whether the state of every tracked person is known."""
    return all(state.presence.get(name) not in {None, PresenceState.UNKNOWN} for name in state.rules.presence)


def is_siren_off(state: Entrance) -> bool:
    """Return whether the door sets off no siren: no panel exists, it is proven disarmed, or it bypasses this door."""
    panel, rules = state.alarm_panel, state.rules
    return rules.alarm is None or panel is AlarmPanelState.DISARMED or panel in rules.bypassed


def is_household_away(state: Entrance) -> bool:
    """Return whether the household said that it is away, or armed its panel so."""
    return state.away or (state.rules.alarm is not None and state.alarm_panel in AWAY_PANEL_STATES)
