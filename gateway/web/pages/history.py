"""Shows the visits: the list, one visit with its films, its report, and links that share it."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from yarl import URL

from gateway.domain.delivery.own_parcel import OWN_BRAND, is_own
from gateway.domain.delivery.promise import DeliveryOrder
from gateway.evidence.documents.report import draw_report, house_names
from gateway.evidence.documents.sources import read_visit
from gateway.evidence.documents.visit_timeline import TemperatureReading, read_timeline
from gateway.evidence.export import stream_proof
from gateway.evidence.manifest import visit_folder
from gateway.evidence.thumbnails import kept_thumbnails, thumbnail_file
from gateway.protocol.brand_facts import Complaint
from gateway.protocol.cold_chain import read_cold_chain
from gateway.storage.brand_facts import ComplaintRefusal
from gateway.storage.deliveries import is_to_be_confirmed
from gateway.storage.models import FilmRecord, SharedVisit, StoredClip
from gateway.storage.visit_list import VisitFilter
from gateway.system.addresses import is_home_host
from gateway.system.dates import WEEKDAYS
from gateway.system.i18n import Language, Text, _
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight
from gateway.web.auth.tokens import LINK_BYTES, SecretToken, find_by_token
from gateway.web.server import history_view, replay_view
from gateway.web.server.authorization import Authorizer
from gateway.web.server.cold_chain_view import cold_chain_facts
from gateway.web.server.context import ViewLog
from gateway.web.server.expected_view import lost_parcel
from gateway.web.server.page import Conflict, Page, form_texts, get, post
from gateway.web.server.security_headers import local_path
from gateway.web.server.shares import active_shares, new_guest
from gateway.web.texts.catalogue import COMPLAINT_TEXTS

log = structlog.get_logger(__name__)

MAX_REPORTS = 4  # reports that are drawn or wait; more get 429
REPORT_RETRY_DELAY_S = 10  # seconds until then
LISTED = ""  # what is logged as seen where somebody sees small pictures of several visits
# In the browser of this session alone; a picture of an erased film goes from there within the hour.
THUMBNAIL_HEADERS = MappingProxyType({"Cache-Control": "private, max-age=3600", "Vary": "Cookie"})
TOO_MANY_SHARES = _("So many visits are shared already that the box takes no other: stop sharing one.")
SHARE_DAYS = (1, 7, 30)  # days for which a visit may be shared


class HistoryPages(Page):
    """The pages of past visits."""

    def __init__(self, authorizer: Authorizer) -> None:
        super().__init__(authorizer)
        self._report_lock, self._proof_lock = asyncio.Lock(), asyncio.Lock()
        self._pending_reports = 0  # drawn and waiting ones
        self._view_log = ViewLog(authorizer.services.store)

    @get("/history", UserRight.SEE_HISTORY)
    async def _history(self, request: web.Request, _user: CurrentUser) -> web.Response:
        filters = {name: request.query.get(name, "") for name in ("q", "entrance", "brand", "day", "held", "month")}
        first, end = history_view.day_span(filters["day"], self._services)
        wanted = VisitFilter(
            entrance=filters["entrance"], brand=filters["brand"], first=first, end=end, held_only=bool(filters["held"])
        )
        after, language = history_view.read_cursor(request.query.get("after", "")), self._language(request)
        page = await history_view.read_cards(self._services, wanted, filters["q"], after=after, language=language)
        today = self._now.utc.astimezone(self._services.zone).date()
        month = history_view.read_month(filters["month"] or filters["day"], today=today)
        return self._render_page(
            request,
            "history",
            page=page,
            address=partial(_history_address, filters),
            calendar=history_view.read_calendar(self._services, month, today=today),
            is_first=after is None,
            shown_photos=history_view.CARD_PHOTOS,
            shown_lines=history_view.SHOWN_LINES,
            weekdays=WEEKDAYS,
            filters=filters,
            brands={
                brand: self._services.brand_name(brand, language) for brand in (*self._store.brands.known, OWN_BRAND)
            },
            shares=self._shown_shares(),
            back="/history",
        )

    def _records(self, *, visit: str | None = None) -> Sequence[FilmRecord]:
        """Return what is kept, oldest first: of one visit, or all. The custody of a reception has no film."""
        kept = (*self._store.recordings.films(visit=visit), *self._store.custodies.films(visit=visit))
        return sorted(kept, key=lambda film: (film.began, film.visit, film.part))

    def _brand_of(self, film: FilmRecord, language: Language) -> str | None:
        order = self._order_of(film)
        return None if order is None else self._services.brand_name(order.brand, language)

    def _order_of(self, film: FilmRecord) -> DeliveryOrder | None:
        """Return the delivery of a film; None for an incident, or if the box has forgotten the delivery."""
        return None if film.delivery is None else self._store.deliveries.order(film.delivery)

    def _to_take_in(self, film: FilmRecord) -> str | None:
        """Return the delivery of which nobody said yet that it was taken in at the door; None: there is none."""
        row = None if film.delivery is None else self._store.deliveries.row(film.delivery)
        return row.order.key if row is not None and is_to_be_confirmed(row) else None

    def _lost_parcel(self, film: FilmRecord, language: Language) -> Text | None:
        return None if film.delivery is None else lost_parcel(self._services, film.delivery, language)

    def _moved_from(self, film: FilmRecord) -> str | None:
        """Return the name of the entrance from which the house moved the delivery of a film."""
        order = self._order_of(film)
        return None if order is None or order.moved_from is None else self._services.entrance_name(order.moved_from)

    @get("/history/{visit}", UserRight.SEE_HISTORY)
    async def _visit(self, request: web.Request, _user: CurrentUser) -> web.Response:
        return await self._render_visit(request, "visit", request.match_info["visit"], link=None, through_hub=None)

    @get("/history/{visit}/thumbnail", UserRight.SEE_HISTORY)
    async def _thumbnail(self, request: web.Request, user: CurrentUser) -> web.FileResponse:
        """Serve a small picture of a visit: of the requested moment, or the first one that exists."""
        visit, wanted = request.match_info["visit"], request.query.get("moment")
        parts = self._store.recordings.films(visit=visit)
        kept = kept_thumbnails(self._services.films_folder, visit) if _film_clips(parts) else ()
        moment = next((moment for moment in kept if wanted in (None, moment)), None)
        if moment is None:
            raise web.HTTPNotFound
        self._view_log.record("film", LISTED, user.person, self._now)
        file = thumbnail_file(self._services.films_folder, visit, moment)
        return web.FileResponse(file, headers={"Content-Type": "image/jpeg", **THUMBNAIL_HEADERS})

    async def _render_visit(
        self, request: web.Request, template: str, visit: str, *, shared: str | None = None, **facts: Any,  # noqa: ANN401 - what a template shows
    ) -> web.Response:  # fmt: skip
        """Show a visit; `shared` is the token of the link that shares it."""
        parts = self._records(visit=visit)
        if not parts:
            raise web.HTTPNotFound
        keys = await asyncio.to_thread(replay_view.box_keys, self._services)
        film_address = _film_address if shared is None else partial(_shared_film_address, token=shared)
        state = replay_view.seal_state(self._services, parts)
        replay = replay_view.replay_facts(
            self._services, parts, keys=keys, language=self._language(request), film_address=film_address,
            proof_address=f"/history/{visit}/proof/" if shared is None else f"/shared/{shared}/", state=state,
            has_proof=shared is None and self._authorizer.viewer(request).may(UserRight.SHARE_FILM),
        )  # fmt: skip
        rows = self._store.log.bodies_of_visit(visit)
        temperatures, cold_chain = read_timeline(rows, visit=visit).temperatures, read_cold_chain(rows)
        of_items = set() if cold_chain is None else {air.place for air in cold_chain.air}
        destination = self._home.destinations.get(parts[0].entrance)
        places = {} if destination is None else destination.places
        card = history_view.card_of(self._services, visit, parts[0].began, self._language(request))
        return self._render_page(
            request,
            template,
            film=parts[0],
            outcome=card.word,
            also=card.also,
            to_take_in=self._to_take_in(parts[0]),
            alarm=history_view.alarm_of(self._services, visit, parts[0].entrance, self._language(request)),
            brand=self._brand_of(parts[0], self._language(request)),
            moved_from=self._moved_from(parts[0]),
            lost=self._lost_parcel(parts[0], self._language(request)),
            clips=_film_clips(parts),
            cameras=replay_view.cameras_of(self._services, parts[0].entrance, _film_clips(parts)),
            film_address=film_address,
            replay=replay,
            seal_state=state.value,
            parts=parts,
            days=SHARE_DAYS,
            lines=history_view.read_story(self._services, parts[0], rows, self._language(request)),
            plots=[temperature_plot(name, readings) for name, readings in temperatures.items() if name not in of_items],
            cold_chain=cold_chain_facts(cold_chain, places, self._language(request)),
            shares=[(share, film) for share, film in self._shown_shares() if share.visit == visit],
            back=f"/history/{visit}",
            complaints=self._store.brand_facts.complaints_of(visit),
            complaint_texts=COMPLAINT_TEXTS,
            is_from_brand=_is_from_brand(parts[0]),
            **facts,
        )

    @post("/history/{visit}/complaint", UserRight.DECIDE_BRANDS)
    async def _complain(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Add the owner's complaint to a visit, for the facts of its brand."""
        visit, chosen = request.match_info["visit"], (await form_texts(request)).get("complaint", "")
        if chosen not in set(Complaint):
            raise web.HTTPBadRequest
        refusal = await self._store.brand_facts.complain(visit, Complaint(chosen), self._now, by=user.person)
        if refusal in (ComplaintRefusal.UNKNOWN_VISIT, ComplaintRefusal.NO_BRAND):
            raise web.HTTPNotFound
        raise web.HTTPSeeOther(f"/history/{visit}")

    @get("/history/{visit}/report.pdf", UserRight.SHARE_FILM)
    async def _report(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Serve the report for an insurer. Drawing takes seconds, so it runs in a thread, one at a time."""
        visit = request.match_info["visit"]
        parts = self._records(visit=visit)
        if not parts or parts[0].sealed is None or parts[0].erased is not None:
            raise web.HTTPNotFound
        if self._pending_reports >= MAX_REPORTS:
            raise web.HTTPTooManyRequests(headers={"Retry-After": str(REPORT_RETRY_DELAY_S)})
        self._pending_reports += 1
        try:
            async with self._report_lock:
                self._view_log.record("report", visit, user.person, self._now)
                language, made = self._language(request), self._now.utc
                pdf = await asyncio.to_thread(self._draw_report, visit, language, made)
        finally:
            self._pending_reports -= 1
        headers = {"Content-Disposition": f'attachment; filename="perron-{visit}.pdf"'}
        return web.Response(body=pdf, content_type="application/pdf", headers=headers)

    def _draw_report(self, visit: str, language: Language, made: datetime) -> bytes:
        home, zone = self._home, self._services.zone
        folder = self._services.films_folder / "visits" / visit
        evidence = read_visit(folder, public_key=self._services.public_key)
        return draw_report(evidence, language=language, zone=zone, made=made, names=house_names(home))

    @get("/film/{path:.+}", UserRight.SEE_HISTORY)
    async def _serve_film(self, request: web.Request, user: CurrentUser) -> web.FileResponse:
        """Serve a clip that the store knows, by its path there: no other file has an address."""
        path = request.match_info["path"]
        visit = path.split("/")[-2] if path.count("/") else ""
        film = self._file_response(
            clip for clip in _film_clips(self._store.recordings.films(visit=visit)) if clip.path == path
        )
        self._view_log.record("film", visit, user.person, self._now)
        return film

    def _file_response(self, clips: Iterable[StoredClip]) -> web.FileResponse:
        clip = next(iter(clips), None)
        if clip is None:
            raise web.HTTPNotFound
        return web.FileResponse(self._services.films_folder / clip.path, headers={"Content-Type": "video/mp4"})

    @get("/history/{visit}/proof/{file}", UserRight.SEE_HISTORY)
    async def _serve_proof_file(self, request: web.Request, _user: CurrentUser) -> web.FileResponse:
        """Serve a sealed list of a visit's films, or its signature, with which a browser checks the films."""
        visit, name = request.match_info["visit"], request.match_info["file"]
        if name not in replay_view.proof_files(self._records(visit=visit)):
            raise web.HTTPNotFound
        return self._proof_file(visit, name)

    def _proof_file(self, visit: str, name: str) -> web.FileResponse:
        file = self._services.films_folder / visit_folder(visit) / name
        return web.FileResponse(file, headers={"Content-Type": "application/octet-stream"})

    @get("/history/{visit}/proof.zip", UserRight.SHARE_FILM, allow_head=False)
    async def _proof_zip(self, request: web.Request, user: CurrentUser) -> web.StreamResponse:
        """Stream the whole proof of a visit: films, log and signatures as they lie on the disk, and the box's key."""
        visit = request.match_info["visit"]
        parts = self._records(visit=visit)
        if not parts or any(part.sealed is None or part.erased is not None for part in parts):
            raise web.HTTPNotFound
        if self._proof_lock.locked():  # several at once would slow the disk down for all
            raise web.HTTPTooManyRequests(headers={"Retry-After": str(REPORT_RETRY_DELAY_S)})
        async with self._proof_lock:
            self._view_log.record("report", visit, user.person, self._now)
            response = web.StreamResponse(headers={
                "Content-Type": "application/zip", "Content-Disposition": f'attachment; filename="perron-{visit}.zip"',
            })  # fmt: skip
            await response.prepare(request)
            pieces = stream_proof(self._services.films_folder, visit, self._services.public_key, made=self._now.utc)
            try:
                async for piece in pieces:
                    await response.write(piece)
            except OSError as failure:  # the ZIP is incomplete, and must not look complete
                log.warning("proof_not_sent", visit=visit, why=str(failure))
                if request.transport is not None:
                    request.transport.abort()
                return response
            await response.write_eof()
            return response

    @post("/history/{visit}/share", UserRight.SHARE_FILM)
    async def _share(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Share a visit. The response itself shows the link, this once."""
        visit, days = request.match_info["visit"], (await form_texts(request)).get("days", "")
        if days not in map(str, SHARE_DAYS):
            raise web.HTTPBadRequest
        token, now = SecretToken.new(LINK_BYTES), self._now
        share = SharedVisit(
            id=token.id, secret=token.digest, visit=visit, by=user.person, made=now.utc,
            until=now.utc + timedelta(days=int(days)),
        )  # fmt: skip
        link, hub, guest = f"{request.scheme}://{request.host}/shared/{token.text}", self._home.hub, None
        if hub is not None and is_home_host(request.url.host or ""):
            guest, link = new_guest(share, hub)
            await self._store.browsers.finish_ending()
        try:
            if not await self._store.accounts.add_share(share, now, guest=guest):
                raise Conflict(TOO_MANY_SHARES)
        except LookupError as error:
            raise web.HTTPNotFound from error
        through = None if guest is None or hub is None else urlsplit(hub.url).netloc
        return await self._render_visit(request, "visit", visit, link=link, through_hub=through)

    @post("/shares/end", UserRight.SHARE_FILM)
    async def _end_share(self, request: web.Request, user: CurrentUser) -> web.Response:
        fields, accounts = await form_texts(request), self._store.accounts
        if not await accounts.end_share(fields.get("id", ""), self._now, by=user.person):
            raise web.HTTPNotFound
        raise web.HTTPSeeOther(local_path(fields.get("back", "/history")))

    def _shown_shares(self) -> list[tuple[SharedVisit, FilmRecord]]:
        recordings = self._store.recordings
        return [(share, recordings.films(visit=share.visit)[0]) for share in active_shares(self._store, self._now)]

    def _share_of(self, request: web.Request) -> SharedVisit:
        active = {share.id: share for share in active_shares(self._store, self._now)}
        share = find_by_token(request.match_info["token"], active.get)
        if share is None or not self._now.trusted:
            raise web.HTTPNotFound
        return share

    @get("/shared/{token}")
    async def _shared_visit(self, request: web.Request) -> web.Response:
        share = self._share_of(request)
        token = request.match_info["token"]
        return await self._render_visit(request, "shared_visit", share.visit, shared=token, until=share.until)

    @get("/shared/{token}/{file}")
    async def _serve_shared_file(self, request: web.Request) -> web.FileResponse:
        """Serve a film of the shared visit, or a sealed list of its films with which a browser checks them."""
        share, name = self._share_of(request), request.match_info["file"]
        parts = self._store.recordings.films(visit=share.visit)
        if name in replay_view.proof_files(parts):
            return self._proof_file(share.visit, name)
        clips = _film_clips(parts)
        film = self._file_response(clip for clip in clips if clip.path.rpartition("/")[2] == name)
        self._view_log.record("film", share.visit, None, self._now)
        return film


def _film_address(clip: StoredClip) -> str:
    return f"/film/{clip.path}"


def _shared_film_address(clip: StoredClip, *, token: str) -> str:
    return f"/shared/{token}/{clip.path.rpartition('/')[2]}"


def _is_from_brand(film: FilmRecord) -> bool:
    """Return whether a brand made the delivery of a film: not for an incident or an own parcel."""
    return film.delivery is not None and not is_own(film.delivery)


def _film_clips(parts: Sequence[FilmRecord]) -> list[StoredClip]:
    return [clip for part in parts if part.erased is None for clip in part.clips]


def _history_address(filters: Mapping[str, str], **changes: str) -> str:
    """Return the address of the list with these filters; an empty one is left out."""
    return str(URL("/history").with_query({name: value for name, value in {**filters, **changes}.items() if value}))


PLOT_WIDTH, PLOT_HEIGHT, PLOT_MARGIN = 320, 120, 24  # of a plot, in its own units


def temperature_plot(place: str, readings: Sequence[TemperatureReading]) -> Mapping[str, Any]:
    """Return a fridge's readings as coordinates of a plot: each reading holds until the next one."""
    known = [(reading.at, reading.temp_c) for reading in readings if reading.temp_c is not None]
    if not known:
        return {"place": place, "points": "", "low": None, "high": None}
    begin, end = readings[0].at, readings[-1].at
    low, high = min(t for _, t in known), max(t for _, t in known)
    span, range_ = max((end - begin).total_seconds(), 1.0), max(high - low, 1.0)

    def x(at: datetime) -> float:
        return round(PLOT_MARGIN + (PLOT_WIDTH - 2 * PLOT_MARGIN) * (at - begin).total_seconds() / span, 1)

    def y(celsius: float) -> float:
        return round(PLOT_HEIGHT - PLOT_MARGIN - (PLOT_HEIGHT - 2 * PLOT_MARGIN) * (celsius - low) / range_, 1)

    steps: list[str] = []
    for (at, celsius), after in zip(known, [*known[1:], (end, known[-1][1])], strict=True):
        steps += [f"{x(at)},{y(celsius)}", f"{x(after[0])},{y(celsius)}"]
    return {"place": place, "points": " ".join(steps), "low": low, "high": high, "begin": begin, "end": end}
