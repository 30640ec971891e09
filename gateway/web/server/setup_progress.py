"""The steps of the first set-up, each counted from what is really there."""

import asyncio
from collections.abc import Mapping

from gateway.config.devices import AnyDevice
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.installation import records
from gateway.installation.capability import Measurement, WalkTestStatus
from gateway.installation.entrance_offer import NEEDED_KINDS, EntranceOffer, offer_entrance
from gateway.installation.tryout import ASKED_KINDS
from gateway.system.i18n import Language, Text, _
from gateway.system.text import isolate_direction
from gateway.web.auth.accounts import UserAccounts
from gateway.web.auth.roles import Role
from gateway.web.server.context import GatewayServices

SETUP_PATH = "/setup"
DEVICES_PATH = f"{SETUP_PATH}/devices"
NOTICE_PATH = f"{SETUP_PATH}/notice.pdf"


class SetupStep(Frozen):
    """One step. `right`: who may do it; `link` leads to where it is done, None: this very page does it."""

    key: str
    title: Text
    done: bool
    detail: Text
    link: str | None
    right: str


class SetupProgress(Frozen):
    """All steps, in the order in which they are best done; `under_way`: the home page counts them."""

    steps: tuple[SetupStep, ...]
    under_way: bool

    @property
    def done_count(self) -> int:
        """How many steps are done."""
        return sum(step.done for step in self.steps)

    @property
    def is_complete(self) -> bool:
        """Whether all steps are done."""
        return self.done_count == len(self.steps)


def entrance_offer(services: GatewayServices, language: Language) -> EntranceOffer:
    """Return the entrance that the free devices of the house make, named in the reader's language."""
    names = [_("Front door"), _("In the hall"), _("Garage")]
    name, place, garage = (text.to(language) for text in names)
    return offer_entrance(services.home, name=name, place=place, garage_name=garage)


async def read_progress(services: GatewayServices, accounts: UserAccounts, now: Now, found: int) -> SetupProgress:
    """Return the steps as they are now. `found`: how many devices announced themselves and are not in the house."""
    folder = services.home.storage.folder
    measured, state = await asyncio.to_thread(lambda: (records.read_measurements(folder), records.read_setup(folder)))
    steps = (
        _devices(services, found),
        _answers(services, measured),
        _entrance(services),
        _walk(services),
        _people(services, accounts, now, is_alone=state.alone),
        _phone(services),
        SetupStep(
            key="notice", title=_("Hang the notice beside the door"), done=state.notice,
            detail=_("It tells a courier what to do, and everybody who films and why."),
            link=NOTICE_PATH if services.home.entrances else None, right="settings",
        ),
        SetupStep(
            key="parcel", title=_("Announce a first parcel"), done=services.store.own_parcels.was_announced(),
            detail=_("From any shop, by its tracking number."),
            link="/parcels" if services.home.entrances else None, right="announce_parcel",
        ),
    )  # fmt: skip
    return SetupProgress(steps=steps, under_way=state.under_way)


async def begin_setup(services: GatewayServices) -> None:
    """Let the home page count the steps from now on. OSError: the disk takes nothing."""
    await _change(services, under_way=True)


async def end_setup(services: GatewayServices) -> None:
    """Let the home page count them no longer. OSError: the disk takes nothing."""
    await _change(services, under_way=False)


SAID_STEPS = {"notice": "notice", "people": "alone"}
"""The steps that only a person can report as done, each with its field of `SetupState`."""


async def note_said(services: GatewayServices, step: str) -> None:
    """Somebody said that one of `SAID_STEPS` needs nothing more. OSError: the disk takes nothing."""
    await _change(services, **{SAID_STEPS[step]: True})


async def _change(services: GatewayServices, **changes: bool) -> None:
    folder = services.home.storage.folder
    state = await asyncio.to_thread(records.read_setup, folder)
    await asyncio.to_thread(records.store_setup, folder, state.model_copy(update=changes))


def _devices(services: GatewayServices, found: int) -> SetupStep:
    home = services.home
    kinds = {"lock" if device.kind == "cover" else device.kind for device in home.devices.values()}
    done = bool(home.entrances) or kinds.issuperset(NEEDED_KINDS)
    detail = _("In the house: {n}.", n=str(len(home.devices)))
    if found:
        detail = _("In the house: {n}. Devices found: {found}.", n=str(len(home.devices)), found=str(found))
    return SetupStep(
        key="devices", title=_("Add devices"), done=done, detail=detail, link=DEVICES_PATH, right="devices"
    )


def answered_devices(services: GatewayServices, measured: Mapping[str, Measurement]) -> Mapping[str, bool | None]:
    """Return for each device whether it has answered; None: it says something by itself only."""
    return {
        id_: None if is_silent(device) else id_ in measured and bool(measured[id_].seconds)
        for id_, device in services.home.devices.items()
    }


def is_silent(device: AnyDevice) -> bool:
    """Return whether nobody can ask this device: it says something by itself only."""
    return device.kind != "camera" and (device.kind not in ASKED_KINDS or not device.can_be_queried)


def _answers(services: GatewayServices, measured: Mapping[str, Measurement]) -> SetupStep:
    devices = answered_devices(services, measured)
    answered = [one for one in devices.values() if one is not None]
    silent = ", ".join(isolate_direction(id_) for id_, one in devices.items() if one is None)
    facts = {"n": str(sum(answered)), "all": str(len(answered)), "names": silent}
    detail = _("{n} of {all} have answered.", **facts)
    if silent:
        detail = _(
            "{n} of {all} have answered. Not asked, because they answer no question and send when they are used:"
            " {names}.", **facts,
        )  # fmt: skip
    return SetupStep(
        key="answers", title=_("See each device answer"), done=bool(answered) and all(answered), detail=detail,
        link=None, right="devices",
    )  # fmt: skip


def _entrance(services: GatewayServices) -> SetupStep:
    names = ", ".join(isolate_direction(section.name) for section in services.home.entrances.values())
    return SetupStep(
        key="entrance", title=_("Make an entrance of them"), done=bool(names),
        detail=_("{names}", names=names) if names else _("None yet."), link=None, right="devices",
    )  # fmt: skip


def _walk(services: GatewayServices) -> SetupStep:
    walks, entrances = services.walk_tests, services.home.entrances
    passed = [name for name in entrances if walks.status(name) is WalkTestStatus.PASSED]
    name = next((name for name in entrances if name not in passed), next(iter(entrances), None))
    walk = None if name is None else walks.walk(name)
    detail = _("At the door, with a phone: about 20 minutes.")
    if walk is not None:
        done = sum(step.ending is not None for step in walk.steps)
        detail = _("{n} of {all} trials are done.", n=str(done), all=str(len(walk.steps)))
    return SetupStep(
        key="walk", title=_("Walk test at the door"), done=bool(passed), detail=detail,
        link=None if name is None else f"/installation/walk/{name}", right="walk_test",
    )  # fmt: skip


def _people(services: GatewayServices, accounts: UserAccounts, now: Now, *, is_alone: bool) -> SetupStep:
    """Count those who live there: neither an installer nor the owner who counts is somebody of the household."""
    people = sum(
        person.removed is None and person.role != Role.INSTALLER for person in services.store.accounts.all_people()
    )
    invited = sum(invitation.role != Role.INSTALLER for invitation in accounts.invitations(now))
    detail = _("Joined beside the owner: {n}. Invited: {invited}.", n=str(max(people - 1, 0)), invited=str(invited))
    return SetupStep(
        key="people", title=_("Invite your household"), done=people > 1 or is_alone, detail=detail,
        link="/household", right="people",
    )  # fmt: skip


def _phone(services: GatewayServices) -> SetupStep:
    phones = len(services.contacts.list_phones())
    return SetupStep(
        key="phone", title=_("Let your phone be notified"), done=phones > 0,
        detail=_("Notified: {n}.", n=str(phones)), link="/settings/messages", right="settings",
    )  # fmt: skip
