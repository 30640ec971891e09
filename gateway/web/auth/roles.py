"""Maps each role to its rights.

What takes access away from strangers (stop, lock, veto) is given widely; what lets somebody in, shows the home, or
cannot be undone is given to few. A right says nothing about an account: a removed person and an ended session have none
(`gateway.web.auth.accounts`).
"""

from collections.abc import Mapping
from enum import StrEnum, auto
from types import MappingProxyType


class Role(StrEnum):
    """The role of a person in the home. A courier has none: whoever holds a delivery's link sees that one page."""

    OWNER = auto()  # answers for the home: its films, its keys, and who may come in
    HOUSEHOLD = auto()  # an adult who lives there and has a key: may do at the door what the key would allow
    INSTALLER = auto()  # mounts devices and tests them, until the hand-over; does not live there


class UserRight(StrEnum):
    """One action, or one kind of information, that a role may be allowed."""

    SEE_STATE = auto()  # see whether doors are locked, what is not ready and why, and whether a stop is active
    WATCH_LIVE = auto()  # watch live pictures, also a single one, and hear the microphone should there ever be one
    SEE_HISTORY = auto()  # see past visits with their films, planned deliveries, and their messages
    SHARE_FILM = auto()  # make a link or a document that shows a film to somebody outside the home
    HOLD_FILM = auto()  # keep a film beyond its retention; ending a hold erases it, and needs `ERASE_FILM`
    ERASE_FILM = auto()  # erase a film before its time, or end its hold
    STOP = auto()  # stop an entrance, or everything
    LIFT_STOP = auto()  # end a stop, end a pause early, or unlock a locked-out scanner
    SAY_HOME = auto()  # say that somebody or nobody is home, that the household is away, or plan a pause
    DECIDE_AT_DOOR = auto()  # approve or veto the visit that rings
    REFUSE_DELIVERY = auto()  # refuse one expected delivery before it comes: nothing opens for it any more
    TAKE_IN = auto()  # say that a parcel was taken in at the door, after somebody opened to its courier
    PREPARE_RETURN = auto()  # say where a parcel lies that a courier is to take with him
    SAY_ROOM = auto()  # say for how many things a fridge has room
    ACKNOWLEDGE = auto()  # say that one has looked after a door that was handed over, or that safe mode may end
    CONFIRM_PARCEL = auto()  # see what the receptions hold, and confirm by a scan that a parcel was handed over
    LOCK = auto()  # lock a door. No right unlocks one: nothing opens outside a delivery (decision 0007)
    SEE_BRANDS = auto()  # see which brands ask, may come in, or were refused, and under which terms
    ANNOUNCE_PARCEL = auto()  # announce a parcel of one's own, which then comes in once (`runtime/own_parcels.py`)
    DECIDE_BRANDS = auto()  # permit, refuse, revoke a brand; change its terms
    SEE_HOUSEHOLD = auto()  # see who has an account, in which role, and who permitted what
    PEOPLE = auto()  # invite and remove people, change roles, withdraw an invitation
    AWAY = auto()  # enrol a browser that reaches the home through the hub with its person's rights and no more
    HAND_OVER = auto()  # declare the installation done: every installer's access ends
    LANGUAGE = auto()  # choose the language of one's own pages
    NOTIFICATIONS = auto()  # let one's own browser be told what happens, and choose of what
    SETTINGS = auto()  # change what holds for the whole home: its language, messages, privacy
    KEYS = auto()  # manage the keys of the box and of brands, certificates, and API keys
    RETENTION = auto()  # choose how long films and log are kept, and whether inside cameras may always be watched
    MOVE_OUT = auto()  # wipe the box, or hand everything over to the next owner
    DEVICES = auto()  # propose devices and test them one at a time; this shows no picture (see `WALK_TEST`)

    ENROL = auto()
    """Accept or refuse a proposal for home.yaml (`gateway/installation/proposal_workflow.py`).

    An installer may only propose: a lock or an entrance of the installer's own choice would let the installer in."""

    HUB = auto()  # join and leave a hub, through which retailers then reach this home

    WALK_TEST = auto()
    """Try the known faults of an entrance at its door.

    The test shows one still picture of each camera, once, since an installer has to see whether it films a neighbour.
    In a test that an installer begins, the test delivery comes in only when the owner approves it."""

    DIAGNOSTICS = auto()  # see connections, batteries and what `perron doctor` reports; no films, deliveries or people


_HOUSEHOLD_RIGHTS = frozenset(
    {
        UserRight.SEE_STATE,
        UserRight.WATCH_LIVE,  # their own home
        UserRight.SEE_HISTORY,
        UserRight.HOLD_FILM,  # those concerned may save evidence; only an owner may erase or share it
        UserRight.STOP,
        UserRight.LIFT_STOP,  # a person with a key may let the gateway open again
        UserRight.SAY_HOME,
        UserRight.DECIDE_AT_DOOR,
        UserRight.REFUSE_DELIVERY,  # as a veto at the door, only earlier
        UserRight.TAKE_IN,  # whoever opened knows it
        UserRight.PREPARE_RETURN,  # whoever packs it says where it lies
        UserRight.SAY_ROOM,  # whoever looks into it
        UserRight.ACKNOWLEDGE,  # the person at the jammed door must be able to acknowledge it
        UserRight.CONFIRM_PARCEL,  # a receiver hands a parcel to anybody of the household
        UserRight.LOCK,
        UserRight.SEE_BRANDS,  # not DECIDE_BRANDS: the owner answers for who may come in while nobody is home
        UserRight.SEE_HOUSEHOLD,  # the accounts and permissions of one's own household
        UserRight.LANGUAGE,
        UserRight.NOTIFICATIONS,  # what SEE_HISTORY shows, as it happens
        UserRight.AWAY,  # their own home, from anywhere
    }
)

_INSTALLER_RIGHTS = frozenset(
    {
        UserRight.SEE_STATE,  # to see whether a newly mounted lock works
        UserRight.STOP,  # everybody may stop; not LIFT_STOP: an installer cannot know the reason of a stop
        UserRight.LOCK,
        UserRight.HAND_OVER,  # an installer may always end the installers' access
        UserRight.LANGUAGE,
        UserRight.DEVICES,
        UserRight.WALK_TEST,
        UserRight.DIAGNOSTICS,
        # Never AWAY: an installer works on site, and an enrolled browser would outlast the day.
        # Never WATCH_LIVE or SEE_HISTORY, even before the hand-over: the home may be lived in from the first day, and
        # is when an installer is invited again. To point a camera, the owner shows the picture on the owner's phone.
    }
)

ROLE_RIGHTS: Mapping[Role, frozenset[UserRight]] = MappingProxyType(
    {
        Role.OWNER: frozenset(UserRight),
        Role.HOUSEHOLD: _HOUSEHOLD_RIGHTS,
        Role.INSTALLER: _INSTALLER_RIGHTS,
    }
)
"""The table of rights; nothing else defines them."""

PASSWORD_RIGHTS: frozenset[UserRight] = frozenset(
    {UserRight.KEYS, UserRight.RETENTION, UserRight.MOVE_OUT, UserRight.PEOPLE, UserRight.ERASE_FILM}
)
"""The rights that need the password within the last 5 minutes.

With a phone that was left on a table nobody may let others in for good, or destroy anything.

DECIDE_BRANDS is not among them, since refusing and revoking must be quick. A form that lets a brand do more than it may
now (`gateway.domain.delivery.permission.extends_permission`), or accepts or trusts a key, takes the password itself,
however fresh the last one is; so do the forms of AWAY, ENROL and HUB that change something. An order from a remote
browser takes none: it is stored and logged as it was signed, and a password in it would be too. There the enrolled
browser's key identifies the person, and enrolling it took the password.
"""


def has_right(role: Role, right: UserRight) -> bool:
    """Return whether a role has a right. Only this function reads the table."""
    return right in ROLE_RIGHTS[role]
