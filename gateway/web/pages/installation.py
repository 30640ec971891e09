"""The installer's pages: what devices can promise, tests of devices, and the walk test at the door."""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

from aiohttp import web
from pydantic import JsonValue

from gateway.installation import records
from gateway.installation.capability import Capability, CapabilityEvidence, device_capabilities, entrance_capabilities
from gateway.installation.diagnostics.connection_errors import connection_error
from gateway.installation.discovery import DiscoveredDevice
from gateway.installation.questions import open_questions
from gateway.installation.trials import TrialAnswer
from gateway.storage.models import StoreFailed
from gateway.storage.readiness import summarise
from gateway.system.i18n import Language, Text, _
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import Role, UserRight
from gateway.web.server.page import DISK_FULL, Conflict, Page, form_texts, get, post, raise_if_not_done
from gateway.web.texts.catalogue import TEXTS
from gateway.web.texts.remarks import remark_text

INSTALLATION_PATH = "/installation"
DISCOVERY_S = 5.0  # seconds in which devices announce themselves
UNTESTABLE_KINDS = frozenset({"camera", "scanner", "signal"})  # the walk test tries them


class InstallationPage(Page):
    """The pages used while Perron is installed."""

    @get(INSTALLATION_PATH, UserRight.DEVICES)
    async def _page(
        self,
        request: web.Request,
        _user: CurrentUser,
        *,
        notice: Text | None = None,
        status: int = 200,
        discovered: Sequence[DiscoveredDevice] | None = None,
        errors: Sequence[Text] = (),
    ) -> web.Response:
        home, language = self._home, self._language(request)
        measured = await asyncio.to_thread(records.read_measurements, home.storage.folder)
        entrances = {
            name: capability_facts(
                entrance_capabilities(home, name, measured, self._services.walk_tests.status(name)), language
            )
            for name in home.entrances
        }
        devices = {
            id_: {
                "kind": device.kind,
                "vendor": device.vendor,
                "is_testable": device.kind not in UNTESTABLE_KINDS,
                "capabilities": capability_facts(device_capabilities(home, id_, measured.get(id_)), language),
            }
            for id_, device in home.devices.items()
        }
        return self._render_page(
            request,
            "installation",
            status=status,
            notice=notice,
            page=INSTALLATION_PATH,
            entrances=entrances,
            readiness={name: summarise(self._store.readiness.hours(name)) for name in home.entrances},
            devices=devices,
            removed=self._services.proposals.removed,
            changing=bool(self._services.proposals.removed) or self._services.proposals.is_completed,
            questions=tuple(open_questions(home, measured)),
            errors=errors,
            discovered=discovered,
            kind_names={device.text_key: kind_name(device.text_key) for device in discovered or ()},
        )

    @post(f"{INSTALLATION_PATH}/discover", UserRight.DEVICES)
    async def _discover(self, request: web.Request, user: CurrentUser) -> web.Response:
        devices, error = await self._services.walk_tests.discover(DISCOVERY_S)
        notice = None if error is None else self._broker_error_text(error)
        discovered = sorted(devices, key=lambda device: (device.known_as or "", device.name))
        return await self._page(request, user, notice=notice, discovered=discovered)

    @post(f"{INSTALLATION_PATH}/test", UserRight.DEVICES)
    async def _test_device(self, request: web.Request, user: CurrentUser) -> web.Response:
        device = (await form_texts(request)).get("device", "")
        if device not in self._home.devices:
            raise web.HTTPNotFound
        try:
            measurement = await self._services.walk_tests.measure(device)
        except ConnectionError as error:
            return await self._page(request, user, notice=self._broker_error_text(str(error)), status=409)
        except OSError as error:
            raise Conflict(_("Not done: {why}", why=str(error))) from error
        if isinstance(measurement, str):
            return await self._page(request, user, notice=_("Not done: {why}", why=measurement), status=409)
        answered = _("{device} has answered.") if measurement.seconds else _("{device} did not answer.")
        return await self._page(request, user, notice=answered.with_facts(device=device))

    @post(f"{INSTALLATION_PATH}/questions", UserRight.ENROL)
    async def _answer_questions(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Write what the owner says of the devices into the house file."""
        fields = await form_texts(request)
        measured = await asyncio.to_thread(records.read_measurements, self._home.storage.folder)
        answers: dict[str, dict[str, JsonValue]] = {}
        for question in open_questions(self._home, measured):
            chosen = fields.get(question.name, "")
            if chosen and chosen not in question.choices:
                raise web.HTTPBadRequest
            if chosen:
                answers.setdefault(question.device, {})[question.key] = question.choices[chosen].value
        error = await self._authorizer.password_error(request, user)
        errors = [] if error is None else [error]
        if not errors and not answers:
            errors = [_("Answer at least one question.")]
        if not errors:
            remarks = await self._services.proposals.complete(answers, by=user.person, now=self._now)
            errors = [remark_text(remark) for remark in remarks]
        if errors:
            return await self._page(request, user, errors=errors, status=422)
        raise web.HTTPSeeOther(INSTALLATION_PATH)

    @get(f"{INSTALLATION_PATH}/walk/{{entrance}}", UserRight.WALK_TEST)
    async def _walk_test_page(self, request: web.Request, _user: CurrentUser) -> web.Response:
        name = self._entrance(request)
        former = await asyncio.to_thread(records.read_former_walks, self._home.storage.folder, name)
        return self._render_page(request, "walk_test", entrance=name, page=INSTALLATION_PATH, former=former)

    @post(f"{INSTALLATION_PATH}/walk/{{entrance}}", UserRight.WALK_TEST)
    async def _walk_test_action(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Begin, answer, or lock now. Beginning again asks first, since it discards hours of work at the door."""
        name, fields = self._entrance(request), await form_texts(request)
        walks, do = self._services.walk_tests, fields.get("do", "")
        walk = walks.walk(name)
        was_tried = walk is not None and any(step.ending is not None for step in walk.steps)
        if do == "begin" and walk is not None and was_tried and fields.get("sure") != "1":
            return self._render_page(
                request, "walk_test_anew", entrance=name, page=INSTALLATION_PATH, passed=walk.passed, of=len(walk.steps)
            )
        asks_owner = user.role is not Role.OWNER
        reason: str | None = None
        try:
            match do:
                case "begin":
                    await walks.begin(name, user.name, person=user.person, asks_owner=asks_owner)
                case "lock":
                    reason = await walks.lock(name, user.person)
                case _:
                    number = int(fields.get("number", ""))
                    await walks.answer(name, number, TrialAnswer(do), asks_owner=asks_owner)
        except (LookupError, ValueError, OSError, StoreFailed) as error:
            reason = str(error.args[0]) if error.args else do
        raise_if_not_done(reason)
        raise web.HTTPSeeOther(f"{INSTALLATION_PATH}/walk/{name}")

    @get(f"{INSTALLATION_PATH}/walk/{{entrance}}/picture/{{number}}", UserRight.WALK_TEST)
    async def _picture(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Serve the picture that a trial asks about, and log the view like any view of the home."""
        name = self._entrance(request)
        walk = self._services.walk_tests.walk(name)
        try:
            number = int(request.match_info["number"])
            jpeg = await self._services.walk_tests.trial_picture(name, number)
        except (LookupError, ValueError) as error:
            raise web.HTTPNotFound from error
        except OSError as error:
            raise Conflict(DISK_FULL) from error
        camera = None if walk is None else walk.steps[number].camera
        if camera is not None:
            self._store.privacy.record_view("live", camera, user.person, self._now)
        return web.Response(body=jpeg, content_type="image/jpeg")

    @get(f"{INSTALLATION_PATH}/walk/{{entrance}}/report.pdf", UserRight.WALK_TEST)
    async def _report(self, request: web.Request, _user: CurrentUser) -> web.Response:
        sheet, _ = records.report_files(self._home.storage.folder, self._entrance(request))
        return await _file_response(sheet, "application/pdf")

    @get(f"{INSTALLATION_PATH}/walk/{{entrance}}/report.signed.json", UserRight.WALK_TEST)
    async def _signature(self, request: web.Request, _user: CurrentUser) -> web.Response:
        _sheet, signed = records.report_files(self._home.storage.folder, self._entrance(request))
        return await _file_response(signed, "application/json")

    def _broker_error_text(self, error: str) -> Text:
        cause, _todo = connection_error(error, self._home.broker)
        return _("The broker cannot be used: {why}. The health check says what to do.", why=cause)

    def _entrance(self, request: web.Request) -> str:
        name = request.match_info["entrance"]
        if name not in self._home.entrances:
            raise web.HTTPNotFound
        return name


def capability_facts(capabilities: Iterable[Capability], language: Language) -> list[dict[str, str]]:
    """Return each capability as a sentence and its state: good, unknown ("rests") or bad."""
    facts = []
    for capability in capabilities:
        unknown = capability.evidence in (CapabilityEvidence.UNKNOWN, CapabilityEvidence.MISSING)
        state = "bad" if capability.forbids else "rests" if unknown else "good"
        facts.append({"text": capability.text.to(language).replace("`", ""), "state": state})
    return facts


def kind_name(kind: str) -> Text | str:
    """Return the name of a kind of device; the name of a maker or a program stays as it is."""
    keys = (f"add.kind.{kind}", f"install.what.{kind.replace(' ', '_')}")
    return next((TEXTS[key] for key in keys if key in TEXTS), kind)


async def _file_response(file: Path, kind: str) -> web.Response:
    try:
        whole = await asyncio.to_thread(file.read_bytes)
    except OSError as error:
        raise web.HTTPNotFound from error
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
    return web.Response(body=whole, content_type=kind, headers=headers)
