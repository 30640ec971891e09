"""What was: the list of visits, one visit with its films, its report for an insurer, and links to show it by."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Literal

import segno
from aiohttp import web

from gateway.evidence.documents.report import names_of, report
from gateway.evidence.documents.visit_timeline import Reading, course
from gateway.storage.models import Clip, Film, Share
from gateway.web.auth.accounts import Who
from gateway.web.auth.roles import Right, Role, may
from gateway.web.auth.tokens import LINK_BYTES, Token
from gateway.web.pages.activity import name_of
from gateway.web.server.authorization import Desk
from gateway.web.server.security_headers import local
from gateway.web.server.visit_story import story

SHOWN = 200  # visits on one page, the newest: a month has fewer
MOST_REPORTS = 4  # drawn and waiting, together: whoever asks for more is told to come back
AGAIN = 10  # seconds until then
NOTED_AGAIN = 60.0  # seconds after which a look that goes on is noted again
NOTED_AT_MOST = 200
DAYS = (1, 7, 30)  # for which a visit may be shown to somebody outside


class Past:
    """The pages of what was."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._box = desk, desk.box
        self._drawing = asyncio.Lock()
        self._asked = 0  # reports that are drawn or wait
        self._noted: dict[tuple[str, str, str | None], float] = {}  # when each look was last noted, by the mono clock

    def routes(self) -> list[web.RouteDef]:
        """Return what is served here."""
        behind = self._desk.behind
        return [
            web.get("/history", behind(Right.SEE_HISTORY, self._history)),
            web.get("/history/{visit}", behind(Right.SEE_HISTORY, self._visit)),
            web.get("/history/{visit}/report.pdf", behind(Right.SHARE_FILM, self._report)),
            web.post("/history/{visit}/share", behind(Right.SHARE_FILM, self._share)),
            web.post("/shares/end", behind(Right.SHARE_FILM, self._end_share)),
            web.get("/film/{path:.+}", behind(Right.SEE_HISTORY, self._film)),
            web.get("/shared/{token}", self._shared),
            web.get("/shared/{token}/{file}", self._shared_film),
        ]

    # ---- the list ---------------------------------------------------------------------------------------------------

    async def _history(self, request: web.Request, _who: Who) -> web.Response:
        """All visits, newest first; `entrance`, `brand`, `day` (ISO 8601, in the house's zone) and `held` narrow it."""
        asked = {name: request.query.get(name, "") for name in ("entrance", "brand", "day", "held")}
        first = [film for film in reversed(self._box.store.films()) if film.part == 1 and self._fits(film, asked)]
        brands = {name: brand.name for name, brand in self._box.store.brands.known().items()}
        return self._desk.page(
            request, "history", visits=[self._line(film) for film in first[:SHOWN]], asked=asked, brands=brands,
            shares=self._shares(), back="/history",
        )  # fmt: skip

    def _fits(self, film: Film, asked: Mapping[str, str]) -> bool:
        day = film.began.astimezone(self._box.zone).date()
        brand = "" if film.delivery is None else film.delivery.partition(".")[0]
        return (
            asked["entrance"] in ("", film.entrance)
            and asked["brand"] in ("", brand)
            and _day(asked["day"]) in (None, day)
            and (not asked["held"] or film.held is not None)
        )

    def _line(self, film: Film) -> Mapping[str, Any]:
        return {
            "id": film.visit, "began": film.began, "sealed": film.sealed, "held": film.held, "erased": film.erased,
            "brand": self._brand_of(film), "entrance": self._entrance_of(film),
        }  # fmt: skip

    def _brand_of(self, film: Film) -> str | None:
        promise = None if film.delivery is None else self._box.store.promise(film.delivery)
        if promise is None:
            return None
        brand = self._box.store.brands.known().get(promise.brand)
        return promise.brand if brand is None else brand.name

    def _entrance_of(self, film: Film) -> str:
        section = self._box.home.entrances.get(film.entrance)
        return film.entrance if section is None else section.name

    # ---- one visit --------------------------------------------------------------------------------------------------

    async def _visit(self, request: web.Request, _who: Who) -> web.Response:
        return self._one(request, "visit", request.match_info["visit"], link=None)

    def _one(self, request: web.Request, template: str, visit: str, **facts: Any) -> web.Response:  # noqa: ANN401 - what a template shows
        parts = self._box.store.films(visit=visit)
        if not parts:
            raise web.HTTPNotFound
        rows = self._box.store.rows_of(visit)
        first, clips = parts[0], _clips(parts)
        told = course(rows, visit=visit)
        return self._desk.page(
            request, template, id=visit, began=first.began, brand=self._brand_of(first), clips=clips, parts=parts,
            held=first.held, entrance=first.entrance, entrance_name=self._entrance_of(first), days=DAYS,
            lines=story(rows, language=self._desk.language(request), zone=self._box.zone),
            plots=[plot(place, readings) for place, readings in told.temperatures.items()],
            shares=[one for one in self._shares() if one["visit"] == visit], back=f"/history/{visit}", **facts,
        )  # fmt: skip

    async def _report(self, request: web.Request, who: Who) -> web.Response:
        """The two pages for an insurer. Drawing takes seconds: in a thread, one at a time, no door waits for it."""
        visit = request.match_info["visit"]
        parts = self._box.store.films(visit=visit)
        if not parts or parts[0].sealed is None or parts[0].erased is not None:
            raise web.HTTPNotFound
        if self._asked >= MOST_REPORTS:
            raise web.HTTPTooManyRequests(headers={"Retry-After": str(AGAIN)})
        self._asked += 1
        try:
            async with self._drawing:
                self._looked("report", visit, who)
                pdf, _ = await asyncio.to_thread(
                    report, self._box.films / "visits" / visit, language=self._desk.language(request),
                    zone=self._box.zone, made=self._desk.now.utc,
                    names={self._box.home.box: names_of(self._box.home)}, public_key=self._box.public_key,
                )  # fmt: skip
        finally:
            self._asked -= 1
        headers = {"Content-Disposition": f'attachment; filename="perron-{visit}.pdf"'}
        return web.Response(body=pdf, content_type="application/pdf", headers=headers)

    async def _film(self, request: web.Request, who: Who) -> web.FileResponse:
        """A clip that the store knows, by its path there: nothing else of the disk has an address."""
        path = request.match_info["path"]
        visit = path.split("/")[-2] if path.count("/") else ""
        film = self._file(clip for clip in _clips(self._box.store.films(visit=visit)) if clip.path == path)
        self._looked("film", visit, who)
        return film

    def _looked(self, kind: Literal["film", "report"], visit: str, who: Who | None) -> None:
        """Note who looks; a browser asks for a film in many pieces, and that is one look."""
        person, now = None if who is None else who.person, self._desk.now
        last = self._noted.get((kind, visit, person))
        if last is not None and now.mono - last < NOTED_AGAIN:
            return
        if len(self._noted) >= NOTED_AT_MOST:
            self._noted.clear()
        self._noted[kind, visit, person] = now.mono
        self._box.store.keeping.looked(kind, visit, person, now)

    def _file(self, found: Any) -> web.FileResponse:  # noqa: ANN401 - an iterator of clips
        clip: Clip | None = next(iter(found), None)
        if clip is None:
            raise web.HTTPNotFound
        return web.FileResponse(self._box.films / clip.path, headers={"Content-Type": "video/mp4"})

    # ---- shown to somebody outside ----------------------------------------------------------------------------------

    async def _share(self, request: web.Request, who: Who) -> web.Response:
        """The link is shown this once: the page is the answer to the form itself."""
        visit, days = request.match_info["visit"], str((await request.post()).get("days", ""))
        if days not in {str(known) for known in DAYS}:
            raise web.HTTPBadRequest
        token, now = Token.new(LINK_BYTES), self._desk.now
        share = Share(
            id=token.id, secret=token.digest, visit=visit, by=who.person, made=now.utc,
            until=now.utc + timedelta(days=int(days)),
        )  # fmt: skip
        try:
            await self._box.store.register.share(share, now)
        except LookupError as gone:
            raise web.HTTPNotFound from gone
        link = f"{request.scheme}://{request.host}/shared/{token.text}"
        return self._one(request, "visit", visit, link=link, qr=segno.make(link, error="m").svg_inline(scale=3))

    async def _end_share(self, request: web.Request, who: Who) -> web.Response:
        fields = await request.post()
        if not await self._box.store.register.end_share(str(fields.get("id", "")), self._desk.now, by=who.person):
            raise web.HTTPNotFound
        raise web.HTTPSeeOther(local(str(fields.get("back", "/history"))))

    def _live(self) -> Iterator[Share]:
        """What is shown now. It ends with its maker's right to show it."""
        register = self._box.store.register
        for share in register.shares(self._desk.now.utc):
            maker = register.person(share.by)
            if maker is not None and maker.removed is None and may(Role(maker.role), Right.SHARE_FILM):
                yield share

    def _shares(self) -> list[Mapping[str, Any]]:
        """The live links, as they are shown to who may end them."""
        found: list[Mapping[str, Any]] = []
        for share in self._live():
            films = self._box.store.films(visit=share.visit)
            who = name_of(self._box.store.register, share.by)
            found.append({"id": share.id, "visit": share.visit, "who": who, "until": share.until,
                          "began": films[0].began, "entrance": self._entrance_of(films[0])})  # fmt: skip
        return found

    def _shown_by(self, request: web.Request) -> Share:
        token = Token.read(request.match_info["token"])
        share = None if token is None else next((one for one in self._live() if one.id == token.id), None)
        if token is None or share is None or not token.fits(share.secret) or not self._desk.now.trusted:
            raise web.HTTPNotFound
        return share

    async def _shared(self, request: web.Request) -> web.Response:
        share = self._shown_by(request)
        return self._one(request, "shared", share.visit, until=share.until, token=request.match_info["token"])

    async def _shared_film(self, request: web.Request) -> web.FileResponse:
        share, name = self._shown_by(request), request.match_info["file"]
        clips = _clips(self._box.store.films(visit=share.visit))
        film = self._file(clip for clip in clips if clip.path.rpartition("/")[2] == name)
        self._looked("film", share.visit, None)
        return film


def _clips(parts: Sequence[Film]) -> list[Clip]:
    return [clip for part in parts if part.erased is None for clip in part.clips]


def _day(text: str) -> date | None:
    """A day as a form writes it; what is none narrows nothing."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


WIDTH, HEIGHT, EDGE = 320, 120, 24  # of a plot, in its own units


def plot(place: str, readings: Sequence[Reading]) -> Mapping[str, Any]:
    """Put a fridge's readings into a picture's coordinates: each holds until the next one."""
    known = [(reading.at, reading.temp_c) for reading in readings if reading.temp_c is not None]
    if not known:
        return {"place": place, "points": "", "low": None, "high": None}
    begin, end = readings[0].at, readings[-1].at
    low, high = min(t for _, t in known), max(t for _, t in known)
    span, range_ = max((end - begin).total_seconds(), 1.0), max(high - low, 1.0)

    def x(at: datetime) -> float:
        return round(EDGE + (WIDTH - 2 * EDGE) * (at - begin).total_seconds() / span, 1)

    def y(celsius: float) -> float:
        return round(HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * (celsius - low) / range_, 1)

    steps: list[str] = []
    for (at, celsius), after in zip(known, [*known[1:], (end, known[-1][1])], strict=True):
        steps += [f"{x(at)},{y(celsius)}", f"{x(after[0])},{y(celsius)}"]
    return {"place": place, "points": " ".join(steps), "low": low, "high": high, "begin": begin, "end": end}
