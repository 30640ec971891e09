"""Shows `perron doctor` as a page, in the reader's language."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aiohttp import web

from gateway.domain.visit.state import Phase
from gateway.installation.diagnostics.finding import Finding, FindingVerdict, sentence_text
from gateway.installation.diagnostics.house import ExaminationRunner, examine_house, phone_findings
from gateway.installation.diagnostics.stream import CameraLockouts
from gateway.system.i18n import Language, Text, _
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight, has_right
from gateway.web.server.authorization import Authorizer
from gateway.web.server.page import Page, form_texts, get, post

DIAGNOSTICS_PATH = "/installation/examination"
_ORDER = (FindingVerdict.BAD, FindingVerdict.DOUBTFUL, FindingVerdict.GOOD)


class DiagnosticsPage(Page):
    """The page of the examination. Phones are tried by those who may change them, and shown to them only."""

    def __init__(self, authorizer: Authorizer) -> None:
        super().__init__(authorizer)
        self._camera_lockouts = CameraLockouts()
        self._house = ExaminationRunner(self._last_findings, self._services.clock)
        self._phones = ExaminationRunner(lambda: phone_findings(self._home), self._services.clock)

    async def _last_findings(self) -> tuple[Finding, ...]:
        return await examine_house(
            self._home,
            installer_lock=self._services.walk_tests.installer_lock,
            in_gateway=True,
            with_phones=False,
            lockouts=self._camera_lockouts,
        )

    @post(DIAGNOSTICS_PATH, UserRight.DIAGNOSTICS)
    async def _examine(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Run the examination, but not during a visit: it would use the visit's lock and cameras."""
        rings = bool((await form_texts(request)).get("phones"))
        if rings and not has_right(user.role, UserRight.SETTINGS):
            raise web.HTTPForbidden
        if any(state.visit is not None and state.visit.phase is not Phase.HANDED_TO_OWNER
               for state, _ in self._services.states()):  # fmt: skip
            notice = _("A visit is under way: its lock and its cameras are left alone. Examine when it is over.")
            return await self._page(request, user, notice=notice, status=409)
        runners = [self._house, *([self._phones] if rings else [])]
        if not any(await asyncio.gather(*(runner.examine() for runner in runners))):
            notice = _("Examined a moment ago: this is what was found. Try again in a few seconds.")
            return await self._page(request, user, notice=notice)
        raise web.HTTPSeeOther(DIAGNOSTICS_PATH)

    @get(DIAGNOSTICS_PATH, UserRight.DIAGNOSTICS)
    async def _page(
        self, request: web.Request, user: CurrentUser, *, notice: Text | None = None, status: int = 200
    ) -> web.Response:
        last = self._house.last
        rung = self._phones.last if has_right(user.role, UserRight.SETTINGS) else None
        findings = [*(() if last is None else last.findings), *(() if rung is None else rung.findings)]
        verdicts = Counter(finding.verdict for finding in findings)
        return self._render_page(
            request,
            "diagnostics",
            status=status,
            notice=notice,
            page=DIAGNOSTICS_PATH,
            last=last,
            findings=list(finding_facts(findings, self._language(request))),
            counts={verdict.value: verdicts[verdict] for verdict in FindingVerdict},
        )


def finding_facts(findings: Iterable[Finding], language: Language) -> Iterator[Mapping[str, Any]]:
    """Return each finding as the page shows it, the worst first; of a split text every second part is a command."""
    for finding in sorted(findings, key=lambda finding: _ORDER.index(finding.verdict)):
        yield {
            "verdict": finding.verdict.value,
            "subject": _visible(sentence_text(finding.subject, language)),
            "statement": _visible(sentence_text(finding.statement, language)).split("`"),
            "todo": [] if finding.todo is None else _visible(sentence_text(finding.todo, language)).split("`"),
            "entrance": finding.entrance,
        }


def _visible(text: str) -> str:
    return re.sub(r"\s+", " ", "".join(char for char in text if char.isprintable() or char.isspace()))
