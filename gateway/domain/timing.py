"""The waiting times of an entrance: `timing` in `home.yaml`, and part of the rules of a visit."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(gt=0, le=3600, json_schema_extra={"x-unit": "seconds"})]


class Timing(BaseModel):
    """Waiting times of one entrance, in seconds. Leave them out: shorter times are for demonstrations and tests.

    The store keeps them with the state of the entrance: a name that goes must still be read from an older database.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ring: Seconds = 20.0
    """Ringing time: how long the household is called before the door may open. Anybody of the household can refuse or
    open in this time. If it is too short, nobody has the time to refuse; if it is too long, the courier leaves."""
    bell: Seconds = 5.0
    """Bell deadline: the time in which the signal at the door must confirm that it rang. After it the courier is
    refused (`not_ready`)."""
    live: Seconds = 5.0
    """Camera deadline: how long a required camera may fail to prove that it films the courier. After it the courier is
    refused (`camera_unavailable`)."""
    approval: Seconds = 60.0
    """Approval time: how long the gateway waits for the owner's yes, where the permission asks for one each time.
    Without an answer the courier is refused (`not_approved`)."""
    yes_life: Annotated[float, Field(gt=0, le=60, json_schema_extra={"x-unit": "seconds"})] = 30.0
    """Life of a supervisor's yes: how long it counts, from the moment at which the supervisor gives it, where each
    opening needs its own. If it is too short, supervisors are refused; if it is too long, they decide on old
    pictures."""
    command_life: Seconds = 5.0
    """Command lifetime: a command to a device expires after this time. If it is too short, a slow network delays
    commands past it and the door stays locked; if it is too long, a delayed command can still open the door."""
    skew: Annotated[float, Field(ge=0, le=60, json_schema_extra={"x-unit": "seconds"})] = 5.0
    """Clock error of the lock: how far the lock's own clock may differ. The gateway waits this much longer before it is
    sure that a lost unlock command has expired."""
    never: Seconds = 30.0
    """Time to enter: how long the door stays unlocked when nobody opens it. Then the gateway locks it again."""
    stable: Seconds = 2.0
    """Closed door: how long the door must stay closed until the visit counts as over and the locking begins."""
    open_again: Seconds = 60.0
    """Reminder of an open door: the time between two messages that the door stands open, after the `open_limit` of the
    place has passed."""
    advance: Seconds = 180.0
    """Way to the next closure: how long the courier may take from one closure of a route (the street door) to the next.
    After it everything is secured again, and the visit ends."""
    relock: Seconds = 10.0
    """Wait before the lock: the gateway locks the door this long after it was closed, if nobody opens it again. If it
    is too short, the bolt may move while the courier comes back for a second parcel."""
    post_roll: Seconds = 10.0
    """Film after the visit: how long the cameras film on after the door is locked again."""
    film_closes: Seconds = 10.0
    """Film deadline: the time in which the video process must close a film. After it the proof is sealed as incomplete,
    with an alarm."""
    outage: Seconds = 60.0
    """Broker outage: how long the gateway waits for a lost MQTT broker while it must lock the door. After it the door
    is the owner's, with an alarm."""
    watch: Seconds = 900.0
    """Time after a visit: an opening in this time counts as the courier's way out. It is filmed, and the door is locked
    again."""
    lockout: Seconds = 900.0
    """Lockout: how long a scanner is refused after too many wrong codes, and how long a wrong code counts."""
    merge: Seconds = 10.0
    """Repeated scan: the same code, read again in this time, counts once."""
    label: Seconds = 2.0
    """Codes of one label: unknown codes that are read in this time belong to one label and count as one attempt."""
    courier: Seconds = 60.0
    """Second code: how long the gateway waits for the other one of the parcel's code and the courier's code. After it
    the scan is refused (`courier_not_proven`)."""
    probe: Seconds = 10.0
    """Question interval: the time between two questions to a lock or a door whose state is not proven. If it is too
    short, battery devices wear out; if it is too long, the entrance becomes ready late."""
    by_hand: Seconds = 120.0
    """Use by hand: for this time after somebody used the door by hand, the gateway takes the household to be present
    and opens for nobody."""
    incident: Seconds = 600.0
    """Length of an incident: how long the cameras film an unexpected opening, unless the door is proven locked
    before."""
    alarm_again: Seconds = 60.0
    """Repeated alarm: the time between two alarms of the same door while it is not safe."""
    near: Seconds = 120.0
    """Before a window: the cameras keep the newest pictures from this long before a delivery's window begins."""
    after: Seconds = 900.0
    """After a window: the cameras keep the newest pictures until this long after a window or after the last visit."""
    pre_roll: Seconds = 10.0
    """Film before the event: how much of the kept pictures a film begins with. The longest one of all entrances holds
    for every camera."""
