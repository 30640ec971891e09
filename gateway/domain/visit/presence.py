"""Whether somebody is home and what the alarm panel does, as devices of the house say it.

Presence only ever keeps a door shut. Somebody home refuses as the household's own word does, and unknown is not away.
A panel that is armed would answer a courier with a siren, so only where its mode is one in which the entrance is
bypassed may the door open. Armed for the night or at home, people are asleep or in. Armed away or for a vacation, a
hand at the door is somebody unexpected, as if the household had said that it is away.
"""

from devices.reports import AlarmPanelState, PresenceState
from gateway.domain.frozen import replace
from gateway.domain.visit.events import AlarmPanelReported, PresenceReported
from gateway.domain.visit.state import BEFORE_INTENT, Entrance
from gateway.domain.visit.step import Step

HOME_PANEL_STATES = frozenset({AlarmPanelState.ARMED_HOME, AlarmPanelState.ARMED_NIGHT})
AWAY_PANEL_STATES = frozenset({AlarmPanelState.ARMED_AWAY, AlarmPanelState.ARMED_VACATION})
LIVE_ONLY: frozenset[AlarmPanelState | PresenceState] = frozenset(
    {AlarmPanelState.DISARMED, PresenceState.AWAY}
)  # good news that has to be live


def absorb(step: Step, event: PresenceReported | AlarmPanelReported) -> None:
    """Learn it; somebody who comes home while it rings sees to the courier."""
    if isinstance(event, AlarmPanelReported):
        step.state = replace(step.state, alarm_panel=event.panel)
        return
    step.state = replace(step.state, presence={**step.state.presence, event.device: event.presence})
    if event.presence is PresenceState.HOME and step.state.visit is not None and step.visit.phase in BEFORE_INTENT:
        step.visit = replace(step.visit, attended=True)


def forget(step: Step) -> None:
    """Nothing is observed any more: who was away may be home by now, and the panel armed."""
    step.state = replace(step.state, presence={}, alarm_panel=AlarmPanelState.UNKNOWN)


def somebody_home(state: Entrance) -> bool:
    """Somebody of those who are followed is home, or the panel is armed around people."""
    followed = any(state.presence.get(name) is PresenceState.HOME for name in state.rules.presence)
    return followed or (state.rules.alarm is not None and state.alarm_panel in HOME_PANEL_STATES)


def all_known(state: Entrance) -> bool:
    """Where everybody is who is followed."""
    return all(
        state.presence.get(name, PresenceState.UNKNOWN) is not PresenceState.UNKNOWN for name in state.rules.presence
    )


def no_siren(state: Entrance) -> bool:
    """No siren answers the door: there is no panel, or it is affirmatively disarmed, or this door is bypassed."""
    return (
        state.rules.alarm is None
        or state.alarm_panel is AlarmPanelState.DISARMED
        or state.alarm_panel in state.rules.bypassed
    )


def household_away(state: Entrance) -> bool:
    """The household said that it is away, or armed its panel so."""
    return state.away or (state.rules.alarm is not None and state.alarm_panel in AWAY_PANEL_STATES)
