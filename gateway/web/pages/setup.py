"""The first set-up: the list of its steps, the devices that were found, and the entrance that they make."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from aiohttp import web
from multidict import MultiDict, MultiMapping
from pydantic import JsonValue

from gateway.config.devices import CameraDevice
from gateway.config.devices.form import FormField
from gateway.config.editor import ENTRANCE
from gateway.config.home import Home
from gateway.evidence.documents import notice
from gateway.installation import records
from gateway.installation.capability import Measurement
from gateway.installation.discovery import DiscoveredDevice
from gateway.installation.entrance_offer import NEEDED_KINDS
from gateway.installation.proposal_checks import ProposalRequest
from gateway.installation.proposal_workflow import ProposalState, ProposalView
from gateway.installation.questions import open_questions
from gateway.installation.tryout import DeviceTryout, FoundDevice
from gateway.system.i18n import Text, _
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import Role, UserRight
from gateway.web.pages.add_device import add_to_house
from gateway.web.pages.add_device_form import FORM_FIELDS, initial_values, read_form, vendor_fields
from gateway.web.pages.installation import DISCOVERY_S, kind_name
from gateway.web.server import setup_progress as progress
from gateway.web.server.authorization import Authorizer, wants_json
from gateway.web.server.page import DISK_FULL, Conflict, Page, form_texts, get, post
from gateway.web.server.setup_progress import DEVICES_PATH, NOTICE_PATH, SETUP_PATH
from gateway.web.texts.vendor_texts import vendor_title

PLACEHOLDERS = ("/PATH", "TRIED", "NUMBER", "/BUTTON")  # in what discovery offers: a person has to fill it in
WANTED_KINDS = frozenset({*NEEDED_KINDS, "cover"})  # of the devices that are ticked at first
CHANGING = (ProposalState.TAKEN, ProposalState.WAITING)  # it is written, and not part of the house yet
SEARCH_PAUSE_S = 20.0  # between two searches that a page begins by itself
ASKED_AT_ONCE = 24  # devices


class SetupPage(Page):
    """The pages of the first set-up. `tryout` has what was found, and tries it."""

    def __init__(self, authorizer: Authorizer, tryout: DeviceTryout) -> None:
        super().__init__(authorizer)
        self._tryout = tryout
        self._searching, self._asking = asyncio.Lock(), asyncio.Lock()  # one for all who press

    @get(SETUP_PATH, UserRight.DEVICES)
    async def _page(
        self, request: web.Request, user: CurrentUser, *, errors: Sequence[Text] = (), status: int = 200
    ) -> web.Response:
        steps = await progress.read_progress(self._services, self._accounts, self._now, len(self._new_devices()))
        folder = self._home.storage.folder
        measured = await asyncio.to_thread(records.read_measurements, folder)
        offer = progress.entrance_offer(self._services, self._language(request))
        changing = any(view.state in CHANGING for view in await self._services.proposals.read_views())
        return self._render_page(
            request, "setup", changing=changing, status=status, page=SETUP_PATH, progress=steps, errors=errors,
            offer=None if self._home.entrances else offer, devices=self._home.devices,
            answers=progress.answered_devices(self._services, measured), measured=measured,
            waiting=self._services.proposals.waiting_count, is_owner=user.role is Role.OWNER,
            said=progress.SAID_STEPS, questions=sum(1 for _question in open_questions(self._home, measured)),
        )  # fmt: skip

    def _new_devices(self) -> Sequence[FoundDevice]:
        """Return what was found, can be used, and is not in the house."""
        known = self._home.devices
        return [
            one
            for one in self._tryout.found
            if one.device.add_fields and one.device.known_as is None and one.device.add_fields["id"] not in known
        ]

    @get(DEVICES_PATH, UserRight.DEVICES)
    async def _devices_page(
        self,
        request: web.Request,
        user: CurrentUser,
        *,
        errors: Sequence[Text] = (),
        status: int = 200,
        chosen: MultiMapping[object] | None = None,
    ) -> web.Response:
        """Show what was found; `chosen` is the form as it was sent (None: what a home needs is ticked)."""
        new = self._new_devices()
        searched = self._tryout.searched
        age = None if searched is None else self._now.mono - searched.mono
        views = [view for view in await self._services.proposals.read_views() if not view.proposal.done]
        return self._render_page(
            request, "setup_devices", status=status, page=DEVICES_PATH, errors=errors,
            found=[{**self._found_facts(one, chosen, _twins(one, new)), "stands": _stands(one, views)} for one in new],
            searched=searched is not None,
            begins=not self._searching.locked() and (age is None or (age > SEARCH_PAUSE_S and not new)),
            known=[one.device for one in self._tryout.found if one.device.known_as],
            is_owner=user.role is Role.OWNER,
        )  # fmt: skip

    def _found_facts(
        self, found: FoundDevice, chosen: MultiMapping[object] | None, twins: Sequence[FoundDevice]
    ) -> Mapping[str, Any]:
        fields, key = found.device.add_fields, found.device.key
        is_wanted = fields["kind"] in WANTED_KINDS and (not twins or twins[0] is found)
        is_ticked = is_wanted if chosen is None else key in chosen.getall("take", ())
        asked, sent = _asked_fields(found), MultiDict[object]() if chosen is None else chosen
        return {
            "asked": asked, "answers": {one.key: str(sent.get(f"{one.key} {key}", "")) for one in asked},
            "found": found, "device": found.device, "fields": fields, "kind": kind_name(fields["kind"]),
            "title": vendor_title(fields["vendor"]), "ticked": is_ticked, "has_twin": bool(twins),
        }  # fmt: skip

    @post(f"{DEVICES_PATH}/search", UserRight.DEVICES)
    async def _search(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Listen for announcements, and try what can be added as it is."""
        if self._searching.locked():  # somebody searches already: what that finds is for all
            async with self._searching:
                return self._searched(request)
        async with self._searching:
            devices, _error = await self._services.walk_tests.discover(DISCOVERY_S)
            found = await self._readable(sorted(devices, key=lambda one: one.name))
            self._tryout.keep_found(found)
            await self._tryout.try_found(user.person)
        return self._searched(request)

    def _searched(self, request: web.Request) -> web.Response:
        if wants_json(request):
            return web.json_response({"found": len(self._new_devices())})
        raise web.HTTPSeeOther(DEVICES_PATH)

    async def _readable(self, devices: Sequence[DiscoveredDevice]) -> list[FoundDevice]:
        home = await self._services.proposals.read_house_with_all()
        return [
            FoundDevice(device=one, request=_request_of(one, home)) for one in devices if one.add_fields or one.known_as
        ]

    @get(f"{SETUP_PATH}/picture/{{token}}", UserRight.DEVICES)
    async def _picture(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Serve the picture of a camera that is not in the house, to the person who tried it; the view is logged."""
        picture = self._tryout.picture(request.match_info["token"], user.person)
        if picture is None:
            raise web.HTTPNotFound
        self._store.privacy.record_view("live", picture.camera, user.person, self._now)
        return web.Response(body=picture.jpeg, content_type="image/jpeg", headers={"Cache-Control": "no-store"})

    @post(DEVICES_PATH, UserRight.DEVICES)
    async def _add(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Propose the devices that are ticked; an owner who gives the password adds them at once."""
        form = await request.post()
        chosen = {str(key) for key in form.getall("take", ())}
        found = [one for one in self._new_devices() if one.device.key in chosen]
        requests = [_with_answers(one, one.request, form) for one in found if one.request is not None]
        if not requests:
            return await self._devices_page(
                request, user, errors=[_("Tick at least one device.")], status=422, chosen=form
            )
        errors = _twin_errors(requests) or await add_to_house(self._authorizer, request, user, requests)
        if errors:
            return await self._devices_page(request, user, errors=errors, status=422, chosen=form)
        raise web.HTTPSeeOther(SETUP_PATH)

    @post(f"{SETUP_PATH}/entrance", UserRight.DEVICES)
    async def _add_entrance(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Propose the entrance that the devices make, with the camera outside that was chosen."""
        fields = await form_texts(request)
        offer = progress.entrance_offer(self._services, self._language(request)).request
        if offer is None:
            return await self._page(request, user, errors=[_("The devices make no entrance yet.")], status=409)
        outside, cameras = fields.get("outside", ""), _cameras(offer)
        if outside in cameras:
            inside = [camera for camera in cameras if camera != outside]
            changed: dict[str, JsonValue] = {**offer.fields, "cameras.outside": outside, "cameras.inside": [*inside]}
            offer = replace(offer, fields={key: value for key, value in changed.items() if value != []})
        name = fields.get("name", "").strip()
        if name:
            offer = replace(offer, fields={**offer.fields, "name": name})
        errors = await add_to_house(self._authorizer, request, user, [offer])
        if errors:
            return await self._page(request, user, errors=errors, status=422)
        raise web.HTTPSeeOther(SETUP_PATH)

    @post(f"{SETUP_PATH}/ask", UserRight.DEVICES)
    async def _ask(self, _request: web.Request, _user: CurrentUser) -> web.Response:
        """Ask each device that can be asked, and look whether each camera sends pictures; nobody sees them here."""
        if not self._asking.locked():
            async with self._asking:
                await self._ask_all()
        raise web.HTTPSeeOther(f"{SETUP_PATH}#answers")

    async def _ask_all(self) -> None:
        devices = list(self._home.devices.items())[:ASKED_AT_ONCE]
        cameras = [self._ask_camera(id_, device) for id_, device in devices if isinstance(device, CameraDevice)]
        others = [
            id_ for id_, device in devices if not isinstance(device, CameraDevice) and not progress.is_silent(device)
        ]
        measured = dict(await asyncio.gather(*cameras))
        with suppress(OSError):
            await asyncio.to_thread(records.store_measurements, self._home.storage.folder, measured)
        for id_ in others:
            with suppress(ConnectionError, OSError):
                await self._services.walk_tests.measure(id_, count=1)

    async def _ask_camera(self, id_: str, camera: CameraDevice) -> tuple[str, Measurement]:
        began = self._now
        sends = await self._tryout.sends_pictures(id_, camera)
        seconds = (max(0.0, self._now.mono - began.mono),) if sends else ()
        return id_, Measurement(at=began.utc, asked=1, seconds=seconds)

    @post(f"{SETUP_PATH}/said", UserRight.SETTINGS)
    async def _said(self, request: web.Request, _user: CurrentUser) -> web.Response:
        """Note that a step is done which the box cannot see: the notice hangs, or nobody is to be invited."""
        step = (await form_texts(request)).get("step", "")
        if step not in progress.SAID_STEPS:
            raise web.HTTPBadRequest
        try:
            await progress.note_said(self._services, step)
        except OSError as error:
            raise Conflict(DISK_FULL) from error
        raise web.HTTPSeeOther(f"{SETUP_PATH}#{step}")

    @post(f"{SETUP_PATH}/end", UserRight.SETTINGS)
    async def _end(self, _request: web.Request, _user: CurrentUser) -> web.Response:
        try:
            await progress.end_setup(self._services)
        except OSError as error:
            raise Conflict(DISK_FULL) from error
        raise web.HTTPSeeOther("/")

    @get(NOTICE_PATH, UserRight.SETTINGS)
    async def _notice(self, _request: web.Request, _user: CurrentUser) -> web.Response:
        """Serve the notice for the door, in the home's language first, and in French."""
        entrance = next(iter(self._home.entrances), None)
        if entrance is None:
            raise web.HTTPNotFound
        storage = self._home.storage.model_copy(update={"retention_days": self._services.retention_days})
        home = self._home.model_copy(update={"storage": storage})
        sheet = notice.notice_for(home, entrance, contact=None, pages=None)
        languages = notice.notice_languages(home.language)
        pdf = await asyncio.to_thread(notice.door_notice, sheet, languages=languages, made=self._now.utc)
        headers = {"Content-Disposition": 'attachment; filename="notice.pdf"'}
        return web.Response(body=pdf, content_type="application/pdf", headers=headers)


def _request_of(device: DiscoveredDevice, home: Home) -> ProposalRequest | None:
    """Return what adds this device as it announced itself; None: a person has to fill something in."""
    fields = device.add_fields
    if not fields or fields["kind"] not in FORM_FIELDS or fields["kind"] == ENTRANCE:
        return None
    if any(value.endswith(PLACEHOLDERS) for value in fields.values()):
        return None
    values = initial_values(fields["kind"], {key: value for key, value in fields.items() if key != "kind"})
    form = MultiDict[object]([(key, value) for key, several in values.items() for value in several])
    request = read_form(fields["kind"], form, home)
    return request if isinstance(request, ProposalRequest) else None


def _stands(found: FoundDevice, views: Sequence[ProposalView]) -> str:
    """Return the state of a found device's proposal, as a key of the texts `add.stands`; empty: there is none."""
    fields = found.device.add_fields
    named = [key for key in ("address", "url") if not fields.get(key, PLACEHOLDERS[0]).endswith(PLACEHOLDERS)]
    for view in views:
        proposal = view.proposal
        is_same = (
            all(proposal.fields.get(key) == fields[key] for key in named) if named else proposal.name == fields["id"]
        )
        if is_same and (proposal.kind, proposal.fields.get("vendor")) == (fields["kind"], fields["vendor"]):
            return view.state.value
    is_taken = any(one.proposal.name == fields["id"] and one.proposal.kind != ENTRANCE for one in views)
    return "other" if is_taken else ""


def _twins(found: FoundDevice, others: Sequence[FoundDevice]) -> Sequence[FoundDevice]:
    """Return all that would get the id of this device, itself included; empty: no other would."""
    same = [one for one in others if one.device.add_fields["id"] == found.device.add_fields["id"]]
    return same if len(same) > 1 else ()


def _twin_errors(requests: Sequence[ProposalRequest]) -> Sequence[Text]:
    counts = Counter(one.name for one in requests)
    text = _("{count} of what is ticked would get the id {name}. Tick one, and give the others another id first.")
    return [text.with_facts(count=str(count), name=name) for name, count in counts.items() if count > 1]


def _asked_fields(found: FoundDevice) -> Sequence[FormField]:
    """Return the fields that a found device cannot announce; a person says them before it is added."""
    fields = found.device.add_fields
    return [one for one in vendor_fields(fields["kind"], fields["vendor"]) if one.is_asked_when_found]


def _with_answers(found: FoundDevice, request: ProposalRequest, form: MultiMapping[object]) -> ProposalRequest:
    said: dict[str, JsonValue] = {
        one.key: form[f"{one.key} {found.device.key}"] == "yes"
        for one in _asked_fields(found)
        if form.get(f"{one.key} {found.device.key}") in one.choices
    }
    return replace(request, fields={**request.fields, **said})


def _cameras(offer: ProposalRequest) -> list[str]:
    inside = offer.fields.get("cameras.inside", [])
    return [str(offer.fields["cameras.outside"]), *map(str, inside if isinstance(inside, list) else ())]
