"""Maps each role to its rights.

What guided the cells: what takes access away from strangers (stop, lock, veto) is given widely; what lets somebody in,
shows the home, or cannot be undone is given to few. A right says nothing of an account: whoever was removed, or whose
session ended, has none (`gateway.web.auth.accounts`).
"""

from collections.abc import Mapping
from enum import StrEnum, auto
from types import MappingProxyType


class Role(StrEnum):
    """What somebody is to the house."""

    OWNER = auto()
    """Answers for the house: for its films, its keys and who comes in."""

    HOUSEHOLD = auto()
    """An adult who lives there and has a key: may do at the door whatever he could do with his hands."""

    INSTALLER = auto()
    """Puts up devices and tests them, until the hand-over; he does not live there."""

    COURIER = auto()
    """Has no account: whoever holds a delivery's link is its courier, and sees that one page."""


class UserRight(StrEnum):
    """One thing that can be allowed."""

    SEE_STATE = auto()
    """Whether doors are locked, what is not ready and why, whether a stop holds."""

    SEE_OWN_DELIVERY = auto()
    """The courier's page of the delivery whose link he holds, and nothing of any other."""

    WATCH_LIVE = auto()
    """Live pictures, also a single one, also the microphone should there ever be one."""

    SEE_HISTORY = auto()
    """Past visits with their films, deliveries to come, and their messages."""

    SHARE_FILM = auto()
    """Make a link or a document by which somebody outside the house sees a film."""

    HOLD_FILM = auto()
    """Keep a film beyond its time. To end a hold is `ERASE_FILM`: the film goes then."""

    ERASE_FILM = auto()
    """Erase a film before its time, or end its hold."""

    STOP = auto()
    """Stop an entrance, or everything."""

    LIFT_STOP = auto()
    """Let the rules open again after a stop, or before a pause is over; let a locked-out scanner try again."""

    SAY_HOME = auto()
    """Somebody is home, nobody is, the household is away; a pause from-to."""

    DECIDE_AT_DOOR = auto()
    """Approve or veto the visit that rings."""

    ACKNOWLEDGE = auto()
    """Say that one has looked after the door that was handed over, or that safe mode may end."""

    LOCK = auto()
    """Throw a bolt. There is no right to withdraw one: nothing opens outside a delivery (decision 0007)."""

    SEE_BRANDS = auto()
    """Which brands ask, are let in, were refused, and under which terms."""

    DECIDE_BRANDS = auto()
    """Permit, refuse, revoke a brand; change its terms."""

    SEE_HOUSEHOLD = auto()
    """Who has an account, in which role, and who permitted what."""

    PEOPLE = auto()
    """Invite and remove people, change roles, take an invitation back."""

    AWAY = auto()
    """Enrol a browser by which one reaches the house through the hub, with one's own rights and no more. It takes the
    password with what is asked, so it does not stand in `PASSWORD_RIGHTS`."""

    HAND_OVER = auto()
    """Say that the installation is done: every installer's access ends."""

    LANGUAGE = auto()
    """The language of one's own pages."""

    SETTINGS = auto()
    """What counts for the whole house: its language, messages, privacy."""

    KEYS = auto()
    """The box's and the brands' keys, certificates, keys of the API."""

    RETENTION = auto()
    """How long films and log are kept, and whether the inside may be watched live while nobody is let in."""

    MOVE_OUT = auto()
    """Wipe the box, or hand everything over to the next owner."""

    DEVICES = auto()
    """Propose devices and test them, one at a time; that shows no picture (see `WALK_TEST`)."""

    ENROL = auto()
    """Accept or refuse what was proposed for the house file (`gateway/installation/proposal_workflow.py`). Whoever puts
    devices up may propose them and no more: a lock or an entrance of his own choice would let him in. It takes the
    password with what is asked, so it does not stand in `PASSWORD_RIGHTS`."""

    HUB = auto()
    """Join a hub and leave it: from then on retailers reach this house from outside. It takes the password with what is
    asked, so it does not stand in `PASSWORD_RIGHTS`."""

    WALK_TEST = auto()
    """Walk an entrance's known faults, at its door. It shows one still picture of each of its cameras, once: who put a
    camera up has to see whether it sees a neighbour. A test that an installer begins lets its delivery in only when the
    owner says yes."""

    DIAGNOSTICS = auto()
    """Connection, versions, batteries, what `perron doctor` says; no films, no deliveries, no people."""


_HOUSEHOLD_RIGHTS = frozenset(
    {
        UserRight.SEE_STATE,
        UserRight.WATCH_LIVE,  # his own home
        UserRight.SEE_HISTORY,
        UserRight.HOLD_FILM,  # evidence may be saved by whoever it concerns; destroying and giving away is the owner's
        UserRight.STOP,
        UserRight.LIFT_STOP,  # whoever may open the door himself may let the rules open it again
        UserRight.SAY_HOME,
        UserRight.DECIDE_AT_DOOR,
        UserRight.ACKNOWLEDGE,  # whoever stands at the jammed door must be able to say that it is good
        UserRight.LOCK,
        UserRight.SEE_BRANDS,  # not DECIDE_BRANDS: who may come in while nobody is home is answered for by the owner
        UserRight.SEE_HOUSEHOLD,  # whom he lives with, and who permitted what, is no secret to him
        UserRight.LANGUAGE,
        UserRight.AWAY,  # his own home, from wherever he is
    }
)

_INSTALLER_RIGHTS = frozenset(
    {
        UserRight.SEE_STATE,  # whether the lock he just put up works
        UserRight.STOP,  # safety is everybody's; LIFT_STOP is not: he cannot know why it was said
        UserRight.LOCK,
        UserRight.HAND_OVER,  # he may always end his own access
        UserRight.LANGUAGE,
        UserRight.DEVICES,
        UserRight.WALK_TEST,
        UserRight.DIAGNOSTICS,
        # Never AWAY: he is there when he works, and a browser would outlive the day.
        # Never WATCH_LIVE or SEE_HISTORY, not even before the hand-over: the house may be lived in from the first day
        # and certainly is when he is invited back. To point a camera the owner holds the picture on his own phone.
    }
)

ROLE_RIGHTS: Mapping[Role, frozenset[UserRight]] = MappingProxyType(
    {
        # All but the courier's page: it is for whoever stands at the door with the parcel.
        Role.OWNER: frozenset(UserRight) - {UserRight.SEE_OWN_DELIVERY},
        Role.HOUSEHOLD: _HOUSEHOLD_RIGHTS,
        Role.INSTALLER: _INSTALLER_RIGHTS,
        Role.COURIER: frozenset({UserRight.SEE_OWN_DELIVERY}),
    }
)
"""The table. Nothing else says who may do what."""

PASSWORD_RIGHTS: frozenset[UserRight] = frozenset(
    {
        UserRight.KEYS,
        UserRight.RETENTION,
        UserRight.MOVE_OUT,
        UserRight.PEOPLE,
        UserRight.ERASE_FILM,
    }
)
"""What asks for the password again, within the last 5 minutes: a phone left on a table must not let anybody else in for
good, or destroy anything.

DECIDE_BRANDS is not among them: refusing and revoking must be quick. To let a brand do more than it may now
(`gateway.domain.delivery.permission.extends_permission`) and to accept or trust a key takes the password with the
form itself,
however fresh the last one is. From away from home nobody is asked for it: an order is kept and logged as it was
signed, and a password in it would be too. There the enrolled browser's key stands for its person; to enrol it took the
password."""


def has_right(role: Role, right: UserRight) -> bool:
    """Whether this role has this right. The only place where the table is read."""
    return right in ROLE_RIGHTS[role]
