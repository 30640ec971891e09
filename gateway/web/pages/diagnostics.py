"""`perron doctor` as a page: for who may see diagnostics, in the reader's language, and nothing waits for it."""

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aiohttp import web

from gateway.domain.visit.state import Phase
from gateway.installation.diagnostics.finding import Finding, Verdict
from gateway.installation.diagnostics.house import examine
from gateway.installation.diagnostics.people import phones
from gateway.installation.diagnostics.rounds import Rounds, discreet
from gateway.installation.diagnostics.stream import Wariness
from gateway.installation.diagnostics.words import told
from gateway.system.i18n import Language, _
from gateway.web.auth.accounts import Who
from gateway.web.auth.roles import Right, may
from gateway.web.server.authorization import Desk

PAGE = "/installation/examination"
_ORDER = (Verdict.BAD, Verdict.DOUBTFUL, Verdict.GOOD)


class Examination:
    """The page. Phones are people's: only who may change them tries them, and only he is told of it."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._box = desk, desk.box
        self._wariness = Wariness()
        self._house = Rounds(self._look, self._box.clock)
        self._phones = Rounds(lambda: phones(self._box.home), self._box.clock)

    def routes(self) -> list[web.RouteDef]:
        """Return what is served here."""
        behind = self._desk.behind
        return [
            web.get(PAGE, behind(Right.DIAGNOSTICS, self._page)),
            web.post(PAGE, behind(Right.DIAGNOSTICS, self._examine)),
        ]

    async def _look(self) -> tuple[Finding, ...]:
        home = self._box.home
        found = await examine(home, line=self._box.walks.asking, here=True, with_phones=False, wariness=self._wariness)
        return tuple(discreet(found))

    async def _page(self, request: web.Request, who: Who) -> web.Response:
        return self._shown(request, who)

    async def _examine(self, request: web.Request, who: Who) -> web.Response:
        """Examine; during a visit not: its lock and its cameras are left alone."""
        rings = bool((await request.post()).get("phones"))
        if rings and not may(who.role, Right.SETTINGS):
            raise web.HTTPForbidden
        if any(state.visit is not None and state.visit.phase is not Phase.HANDED_TO_OWNER
               for state, _ in self._box.states()):  # fmt: skip
            return self._shown(
                request,
                who,
                said=self._desk.say(
                    request,
                    _("A visit is under way: its lock and its cameras are left alone. Examine when it is over."),
                ),
                status=409,
            )
        rounds = [self._house, *([self._phones] if rings else [])]
        anew = await asyncio.gather(*(one.again() for one in rounds))
        if not any(anew):
            return self._shown(
                request,
                who,
                said=self._desk.say(
                    request, _("Examined a moment ago: this is what was found. Try again in a few seconds.")
                ),
            )
        raise web.HTTPSeeOther(PAGE)

    def _shown(self, request: web.Request, who: Who, *, said: str | None = None, status: int = 200) -> web.Response:
        last, language = self._house.last, self._desk.language(request)
        rung = self._phones.last if may(who.role, Right.SETTINGS) else None
        found = [*(() if last is None else last.findings), *(() if rung is None else rung.findings)]
        return self._desk.page(
            request,
            "examination",
            status=status,
            said=said,
            page=PAGE,
            last=last,
            findings=list(shown(found, language)),
            counted={verdict.value: sum(one.verdict is verdict for one in found) for verdict in Verdict},
        )


def shown(findings: Iterable[Finding], language: Language) -> Iterator[Mapping[str, Any]]:
    """Give each finding as the page shows it, what is worst first; of a text every second part is a command."""
    for finding in sorted(findings, key=lambda one: _ORDER.index(one.verdict)):
        yield {
            "how": finding.verdict.value,
            "what": _plain(told(finding.what, language)),
            "said": _parts(told(finding.said, language)),
            "todo": [] if finding.todo is None else _parts(told(finding.todo, language)),
            "walk": finding.what.facts["name"] if finding.what.key == "what.entrance" else None,
        }


def _parts(text: str) -> list[str]:
    return _plain(text).split("`")


def _plain(text: str) -> str:
    """Leave out what turns the direction of text, or no eye sees."""
    return re.sub(r"\s+", " ", "".join(char for char in text if char.isprintable() or char.isspace()))
