"""The pages of whoever puts Perron up: what each device can promise, how it answers, and the walk test at the door."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from gateway.installation import notes
from gateway.installation.capability import entrance_promises, promises
from gateway.installation.diagnostics.trouble import trouble
from gateway.installation.diagnostics.words import told as in_words
from gateway.installation.discovery import Sighting
from gateway.installation.walk import Word
from gateway.storage import StoreFailed
from gateway.system.i18n import Language, _
from gateway.web.auth.accounts import Who
from gateway.web.auth.roles import Right, Role
from gateway.web.pages.capabilities import told
from gateway.web.server.authorization import Desk
from gateway.web.texts.catalogue import TEXTS

PAGE = "/installation"
LISTENS = 5.0  # seconds for what is there to call its name
CANNOT_BE_ASKED = frozenset({"camera", "scanner", "signal"})  # the walk test tries them


class Installation:
    """What is seen and done while Perron is put up."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._box = desk, desk.box

    def routes(self) -> list[web.RouteDef]:
        """Return what is served here."""
        behind = self._desk.behind
        return [
            web.get(PAGE, behind(Right.DEVICES, self._installation)),
            web.post(f"{PAGE}/discover", behind(Right.DEVICES, self._discover)),
            web.post(f"{PAGE}/test", behind(Right.DEVICES, self._test)),
            web.get(f"{PAGE}/walk/{{entrance}}", behind(Right.WALK_TEST, self._walk)),
            web.post(f"{PAGE}/walk/{{entrance}}", behind(Right.WALK_TEST, self._do)),
            web.get(f"{PAGE}/walk/{{entrance}}/picture/{{number}}", behind(Right.WALK_TEST, self._picture)),
            web.get(f"{PAGE}/walk/{{entrance}}/report.pdf", behind(Right.WALK_TEST, self._report)),
            web.get(f"{PAGE}/walk/{{entrance}}/report.signed.json", behind(Right.WALK_TEST, self._signature)),
        ]

    async def _installation(self, request: web.Request, _who: Who) -> web.Response:
        return await self._shown(request)

    async def _shown(
        self,
        request: web.Request,
        *,
        said: str | None = None,
        status: int = 200,
        found: Sequence[Sighting] | None = None,
    ) -> web.Response:
        home, language = self._box.home, self._desk.language(request)
        measured = await asyncio.to_thread(notes.measurements, home.storage.folder)
        entrances = {
            name: told(entrance_promises(home, name, measured, self._box.walks.standing(name)), language)
            for name in home.entrances
        }
        devices = {
            id_: {
                "kind": device.kind,
                "vendor": device.vendor,
                "asked": device.kind not in CANNOT_BE_ASKED,
                "promises": told(promises(home, id_, measured.get(id_)), language),
            }
            for id_, device in home.devices.items()
        }
        return self._desk.page(
            request,
            "installation",
            status=status,
            said=said,
            page=PAGE,
            entrances=entrances,
            devices=devices,
            found=found,
            whats={one.what: _called(one.what, language) for one in found or ()},
        )

    async def _discover(self, request: web.Request, _who: Who) -> web.Response:
        """Listen for a few seconds, and show what called its name."""
        found, wrong = await self._box.walks.discover(LISTENS)
        said = None if wrong is None else self._no_talk(request, wrong)
        return await self._shown(request, said=said, found=sorted(found, key=lambda one: (one.known or "", one.name)))

    async def _test(self, request: web.Request, _who: Who) -> web.Response:
        """Ask a device several times; what was measured stands beside it then."""
        device = str((await request.post()).get("device", ""))
        if device not in self._box.home.devices:
            raise web.HTTPNotFound
        try:
            found = await self._box.walks.measure(device)
        except ConnectionError as error:
            return await self._shown(request, said=self._no_talk(request, str(error)), status=409)
        except OSError as error:
            raise web.HTTPConflict(text=self._desk.say(request, _("Not done: {why}"), why=str(error))) from error
        if isinstance(found, str):
            return await self._shown(request, said=self._desk.say(request, _("Not done: {why}"), why=found), status=409)
        key = "install.measured" if found.seconds else "install.silent"
        return await self._shown(request, said=self._desk.say(request, TEXTS[key], device=device))

    async def _walk(self, request: web.Request, _who: Who) -> web.Response:
        name = self._entrance(request)
        return self._desk.page(request, "walk", entrance=name, section=self._box.home.entrances[name], page=PAGE)

    async def _do(self, request: web.Request, who: Who) -> web.Response:
        """Begin, answer, lock now. To begin anew is asked first: it takes away what was tried, hours at a door."""
        name, fields = self._entrance(request), await request.post()
        walks, do = self._box.walks, str(fields.get("do", ""))
        walk = walks.walk(name)
        done = 0 if walk is None else sum(step.ending is not None for step in walk.steps)
        if do == "begin" and done and fields.get("sure") != "1":
            section = self._box.home.entrances[name]
            return self._desk.page(request, "walk_anew", entrance=name, section=section, page=PAGE, done=done)
        asks_owner = who.role is not Role.OWNER
        why: str | None = None
        try:
            match do:
                case "begin":
                    await walks.begin(name, who.name, person=who.person, asks_owner=asks_owner)
                case "lock":
                    why = await walks.lock(name, who.person)
                case _:
                    number = int(str(fields.get("number", "")))
                    await walks.answer(name, number, Word(do), asks_owner=asks_owner)
        except (LookupError, ValueError, OSError, StoreFailed) as error:
            why = str(error.args[0]) if error.args else do
        if why is not None:
            raise web.HTTPConflict(text=self._desk.say(request, _("Not done: {why}"), why=why))
        raise web.HTTPSeeOther(f"{PAGE}/walk/{name}")

    async def _picture(self, request: web.Request, who: Who) -> web.Response:
        """The picture that a trial asks about. That it was looked at is noted, as each look into the home is."""
        name = self._entrance(request)
        walk = self._box.walks.walk(name)
        try:
            number = int(request.match_info["number"])
            jpeg = await self._box.walks.look_through(name, number)
        except (LookupError, ValueError) as error:
            raise web.HTTPNotFound from error
        except OSError as error:
            raise web.HTTPConflict(
                text=self._desk.say(
                    request, _("The box's disk takes nothing more: `perron doctor` looks for the cause.")
                )
            ) from error
        camera = None if walk is None else walk.steps[number].camera
        if camera is not None:
            self._box.store.keeping.looked("live", camera, who.person, self._desk.now)
        return web.Response(body=jpeg, content_type="image/jpeg")

    async def _report(self, request: web.Request, _who: Who) -> web.Response:
        sheet, _ = notes.report_files(self._box.home.storage.folder, self._entrance(request))
        return await _handed_out(sheet, "application/pdf")

    async def _signature(self, request: web.Request, _who: Who) -> web.Response:
        """What the box has signed of the report: with it a report can be checked away from the box."""
        _sheet, signed = notes.report_files(self._box.home.storage.folder, self._entrance(request))
        return await _handed_out(signed, "application/json")

    def _no_talk(self, request: web.Request, error: str) -> str:
        """Say in words why the broker was not spoken with."""
        said, _todo = trouble(error, self._box.home.broker, listens=False)
        return self._desk.say(
            request,
            _("There is no talking to the broker: {why}. The examination of the house says what to do."),
            why=in_words(said, self._desk.language(request)),
        )

    def _entrance(self, request: web.Request) -> str:
        name = request.match_info["entrance"]
        if name not in self._box.home.entrances:
            raise web.HTTPNotFound
        return name


def _called(what: str, language: Language) -> str:
    """Name the kind of thing that called its name; a maker's or a program's own name stays as it is."""
    keys = (f"add.kind.{what}", f"install.what.{what.replace(' ', '_')}")
    return next((TEXTS[key].to(language) for key in keys if key in TEXTS), what)


async def _handed_out(file: Path, kind: str) -> web.Response:
    """A file of the box's own, under its own name."""
    try:
        whole = await asyncio.to_thread(file.read_bytes)
    except OSError as error:
        raise web.HTTPNotFound from error
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
    return web.Response(body=whole, content_type=kind, headers=headers)
