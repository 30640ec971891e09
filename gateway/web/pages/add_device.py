"""Adding a device or an entrance from a page: proposed by whoever puts Perron up, accepted by the owner."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from gateway.config.broker_acl import NameTaken, accounts
from gateway.config.editor_keys import ENTRANCE
from gateway.config.fields import PEOPLE
from gateway.installation import notes
from gateway.installation.capability import Promise, Walked, entrance_promises, promises
from gateway.installation.proposal import KINDS, Asked, Remark
from gateway.installation.proposals import Seen, Standing
from gateway.system.i18n import _
from gateway.system.text import inert, visible
from gateway.web.auth.accounts import Who
from gateway.web.auth.roles import Right, Role
from gateway.web.pages.activity import name_of
from gateway.web.pages.add_device_form import FORMS, Wrong, blank, typed, written
from gateway.web.pages.capabilities import told
from gateway.web.server.authorization import Desk
from gateway.web.texts.catalogue import TEXTS

PAGE = "/installation/add"


class Adding:
    """The page on which the house file grows."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._box, self._proposals = desk, desk.box, desk.box.proposals

    def routes(self) -> list[web.RouteDef]:
        """Return what is served here."""
        behind = self._desk.behind
        return [
            web.get(PAGE, behind(Right.DEVICES, self._page)),
            web.post(PAGE, behind(Right.DEVICES, self._propose)),
            web.post(f"{PAGE}/accept", behind(Right.ENROL, self._accept)),
            web.post(f"{PAGE}/refuse", behind(Right.ENROL, self._refuse)),
            web.post(f"{PAGE}/withdraw", behind(Right.DEVICES, self._withdraw)),
        ]

    async def _page(self, request: web.Request, who: Who) -> web.Response:
        kind = request.query.get("kind", "")
        return await self._shown(request, who, kind=kind, values=blank(kind, request.query) if kind in FORMS else {})

    async def _shown(  # noqa: PLR0913 - one argument a part of the page
        self, request: web.Request, who: Who, *, kind: str = "", values: Mapping[str, Sequence[str]] | None = None,
        wrong: Sequence[Wrong] = (), why: Sequence[str] = (), status: int = 200,
    ) -> web.Response:  # fmt: skip
        seen = await self._proposals.seen()
        home = await self._proposals.with_all()
        measured = await asyncio.to_thread(notes.measurements, self._box.home.storage.folder)
        shown = [self._proposal(request, one, who, measured) for one in seen]
        return self._desk.page(
            request, "adding", status=status, page=PAGE, why=why, kinds=KINDS, kind=kind if kind in FORMS else "",
            fields=FORMS.get(kind, ()), values=values or {}, devices=home.devices,
            wrong={one.key: self._said(request, one.remark) for one in wrong},
            waiting=[one for one in shown if one["standing"] == Standing.PROPOSED.value],
            taken=[one for one in shown if one["standing"] != Standing.PROPOSED.value],
            writable=await asyncio.to_thread(self._proposals.writable), file=self._proposals.file,
            edited=bool(seen) and await asyncio.to_thread(self._proposals.edited),
            accounts=await asyncio.to_thread(self._without_password, seen), command=self._command(),
        )  # fmt: skip

    def _proposal(self, request: web.Request, seen: Seen, who: Who, measured: Mapping[str, Any]) -> Mapping[str, Any]:
        one, register = seen.proposal, self._box.store.register
        accepted = None if one.accepted is None else name_of(register, one.accepted.by)
        return {
            "id": one.id,
            "name": one.name,
            "kind": one.kind,
            "standing": seen.standing.value,
            "by": name_of(register, one.by) or self._desk.say(request, _("somebody")),
            "accepted": accepted,
            "at": one.at,
            "text": seen.text,
            "command": seen.command,
            "login": one.login,
            "against": [self._said(request, remark) for remark in seen.against],
            "failed": one.failed,
            "problems": () if seen.report is None else seen.report.problems,
            "cautions": [
                self._desk.say(request, TEXTS[f"add.note.{r.said}"], **_inert(r.facts)) for r in seen.cautions
            ],
            "promises": told(self._promises(seen, measured), self._desk.language(request)),
            "mine": one.by == who.person,
        }

    @staticmethod
    def _promises(seen: Seen, measured: Mapping[str, Any]) -> tuple[Promise, ...]:
        """What it will be able to promise, by what its section says; it was never tried here."""
        one, home = seen.proposal, seen.house
        if home is None:
            return ()
        if one.kind == ENTRANCE:
            return entrance_promises(home, one.name, measured, Walked.NEVER)
        return promises(home, one.name, None)

    # ---- what is asked ----------------------------------------------------------------------------------------------

    async def _propose(self, request: web.Request, who: Who) -> web.Response:
        form = await request.post()
        kind = str(form.get("kind", ""))
        if kind not in FORMS:
            raise web.HTTPBadRequest
        home = await self._proposals.with_all()
        asked = await asyncio.to_thread(written, kind, form, home)
        if not isinstance(asked, Asked):
            return await self._shown(request, who, kind=kind, values=typed(kind, form), wrong=asked, status=422)
        against = await self._proposals.propose(asked, by=who.person, now=self._desk.now)
        if against:
            why = [self._said(request, one) for one in against]
            return await self._shown(request, who, kind=kind, values=typed(kind, form), why=why, status=422)
        self._desk.changes.tell()
        raise web.HTTPSeeOther(PAGE)

    async def _accept(self, request: web.Request, who: Who) -> web.Response:
        """Take what is ticked into the house, with the password that is given now."""
        form = await request.post()
        unproven = await self._desk.proven(request, who, str(form.get("password", "")))
        if unproven is not None:
            return await self._shown(request, who, why=[unproven], status=422)
        chosen = [str(one) for one in form.getall("take", ())]
        against = await self._proposals.accept(chosen, by=who.person, now=self._desk.now)
        if against:
            return await self._shown(request, who, why=[self._said(request, one) for one in against], status=409)
        raise web.HTTPSeeOther(PAGE)

    async def _refuse(self, request: web.Request, who: Who) -> web.Response:
        return await self._dropped(request, who, refused=True)

    async def _withdraw(self, request: web.Request, who: Who) -> web.Response:
        """An installer takes back what he has proposed; another's is the owner's to refuse."""
        one = self._proposals.find(str((await request.post()).get("proposal", "")))
        if one is not None and one.by != who.person and who.role is not Role.OWNER:
            raise web.HTTPForbidden
        return await self._dropped(request, who, refused=False)

    async def _dropped(self, request: web.Request, who: Who, *, refused: bool) -> web.Response:
        ident = str((await request.post()).get("proposal", ""))
        try:
            there = await self._proposals.drop(ident, by=who.person, now=self._desk.now, refused=refused)
        except OSError as error:
            raise web.HTTPConflict(
                text=self._desk.say(
                    request, _("The box's disk takes nothing more: `perron doctor` looks for the cause.")
                )
            ) from error
        if not there:
            return await self._shown(
                request, who, why=[self._desk.say(request, _("Nothing of the kind waits (any more)."))], status=409
            )
        self._desk.changes.tell()
        raise web.HTTPSeeOther(PAGE)

    # ---- what is said -----------------------------------------------------------------------------------------------

    def _said(self, request: web.Request, remark: Remark) -> str:
        facts = {key: " ".join(visible(line) for line in text.splitlines()) for key, text in remark.facts.items()}
        return self._desk.say(request, TEXTS[f"add.no.{remark.said}"], **facts)

    def _without_password(self, seen: Sequence[Seen]) -> tuple[str, ...]:
        """The accounts of devices for which the broker has no password yet.

        Where the broker's own files lie beside the gateway's password it can be seen; else whatever was added of late
        may be without.
        """
        file, home = self._box.home.broker.password_file, self._box.home
        if file is None:
            return ()
        try:
            known = [name for name in accounts(home) if name not in PEOPLE and not name.startswith("retailer-")]
        except NameTaken:  # `broker-config` says why
            return ()
        if (file.parent / "mosquitto.conf").exists():
            return tuple(name for name in known if not (file.parent / f"{name}.password").exists())
        late = {one.proposal.name for one in seen if one.standing is Standing.APPLIED}
        return tuple(name for name in known if name in late)

    def _command(self) -> str:
        file = self._box.home.broker.password_file
        beside = file is not None and (file.parent / "mosquitto.conf").exists()
        folder = file.parent if file is not None and beside else "/etc/perron-broker"
        return f"perron broker-config {folder} --home {self._proposals.file or 'home.yaml'}"


def _inert(facts: Mapping[str, str]) -> dict[str, str]:
    return {key: inert(value) for key, value in facts.items()}
