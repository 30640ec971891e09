"""Answers a remote browser's queries with what its person may see on the home's own pages.

The answers come from the pages' own functions, and each query checks its right again. An answer is sealed for its
browser. A query is answered once, and only while it is fresh: if the hub replays it, the box does nothing. The
browser of a link that shares a visit is answered about that visit only, while it is shared.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, assert_never

from pydantic import TypeAdapter

from gateway.domain.visit.state import Entrance
from gateway.protocol import browser_messages
from gateway.protocol.browser_envelope import MAX_DOWN_BYTES
from gateway.protocol.strict_json import loads
from gateway.runtime.notifications.composer import MessageComposer
from gateway.storage.browsers import EnrolledBrowser
from gateway.storage.models import FilmRecord, SharedVisit, StoredClip
from gateway.storage.shares import GuestBrowser
from gateway.system.base64url import decode_base64url
from gateway.system.changes import ChangeNotifier
from gateway.system.i18n import SOURCE, Language
from gateway.video.stills import take_stills
from gateway.web.auth.roles import ROLE_RIGHTS, Role, UserRight, has_right
from gateway.web.remote.actions import question_digest, sorted_terms
from gateway.web.server.brand_terms import key_fingerprint
from gateway.web.server.context import GatewayServices, Viewer, ViewLog
from gateway.web.server.expected_view import expected_deliveries
from gateway.web.server.fragments import closure_facts, pause_facts, state_facts, visit_facts
from gateway.web.server.history_view import read_story
from gateway.web.server.live_video import SnapshotCache, is_live
from gateway.web.server.shares import active_shares

QUERY_ADAPTER: TypeAdapter[browser_messages.AnyBrowserQuery] = TypeAdapter(browser_messages.AnyBrowserQuery)
LONG_POLL_S = 20.0  # seconds for which a query waits while the state is unchanged
CHUNK_BYTES = 40_000  # bytes of a film or a picture in one answer
MAX_ITEMS_SHOWN = 30  # the newest messages, visits, brands
MAX_ORDERS_SHOWN = 20
MAX_REMEMBERED_QUERIES = 2_000  # queries, more than a person sends within two minutes
MAX_CONCURRENT_QUERIES = 4  # queries of one browser
MAX_CACHED_PICTURES = 8
MAX_STORY_LINES, MAX_GAPS = 120, 60  # of a shared visit, so that they fit in one answer

QueryAnswer = tuple[Mapping[str, Any], bytes]
T = TypeVar("T")

Asker = EnrolledBrowser | GuestBrowser
"""Who asks: a browser of the household, or the link that shares one visit."""


class QueryRefused(Exception):  # noqa: N818 - a refusal is a normal answer, not an error
    """A query that is not answered. Its argument is a code for which the page has a text."""


class QueryService:
    """Answers the queries of all remote browsers. `changes` notifies of changes of the home."""

    def __init__(self, services: GatewayServices, changes: ChangeNotifier, *, long_poll_s: float = LONG_POLL_S) -> None:
        self._services, self._changes, self._long_poll_s = services, changes, long_poll_s
        self._snapshots = SnapshotCache(services.take_picture)
        self._composer = MessageComposer(services.home, services.store)
        # Apart, so that the holder of a link cannot use up what the household needs
        self._seen_queries: dict[type[Asker], dict[tuple[str, str], float]] = {EnrolledBrowser: {}, GuestBrowser: {}}
        self._running_queries: Counter[str] = Counter()
        self._picture_lock = asyncio.Lock()
        self._pictures: dict[tuple[str, float], bytes] = {}
        self._view_log = ViewLog(services.store)

    async def answer(self, asker: Asker, text: bytes) -> tuple[bytes, bytes] | None:
        """Answer a query: JSON, and the bytes behind it. None: it is no valid query, so it gets no answer."""
        try:
            loads(text)
            question = QUERY_ADAPTER.validate_json(text)
        except ValueError:
            return None
        try:
            answer, raw = await self._answer_once(asker, question)
        except QueryRefused as refusal:
            return self._response_body(question.id, {"refused": str(refusal)}), b""
        body = self._response_body(question.id, {"answer": answer})
        if len(body) + len(raw) >= MAX_DOWN_BYTES:
            return self._response_body(question.id, {"refused": "too_much"}), b""
        return body, raw

    def _response_body(self, id_: str, body: Mapping[str, Any]) -> bytes:
        return json.dumps({"id": id_, "at": self._services.clock.now().utc.timestamp(), **body}).encode()

    async def _answer_once(self, asker: Asker, query: browser_messages.AnyBrowserQuery) -> QueryAnswer:
        """Answer a query that is fresh and new, if this browser has not too many others open."""
        self._reject_replay(asker, query)
        if self._running_queries[asker.id] >= MAX_CONCURRENT_QUERIES:
            raise QueryRefused("too_many")
        self._running_queries[asker.id] += 1
        try:
            if isinstance(asker, GuestBrowser):
                return await self._answer_guest(asker, query)
            return await self._answer_household(asker, query)
        finally:
            self._running_queries[asker.id] -= 1
            self._running_queries += Counter()

    async def _answer_household(self, browser: EnrolledBrowser, query: browser_messages.AnyBrowserQuery) -> QueryAnswer:
        match query:
            case browser_messages.StateQuery():
                return await self._state(browser, query.after), b""
            case browser_messages.MessagesQuery():
                return self._messages(browser, query), b""
            case browser_messages.VisitsQuery():
                return self._visits(browser), b""
            case browser_messages.FilmQuery():
                return await self._film(self._household_clip(browser, query.path), query.piece)
            case browser_messages.PictureQuery():
                return await self._picture(self._household_clip(browser, query.path), query)
            case browser_messages.LiveQuery():
                return await self._live(browser, query.camera)
            case browser_messages.SharedVisitQuery():
                raise QueryRefused("not_allowed")
            case _:
                assert_never(query)

    async def _answer_guest(self, guest: GuestBrowser, query: browser_messages.AnyBrowserQuery) -> QueryAnswer:
        """Answer what shows the shared visit, while it is shared; refuse everything else."""
        visit = self._shared_visit(guest)
        match query:
            case browser_messages.SharedVisitQuery():
                return self._guest_facts(visit, query.language), b""
            case browser_messages.FilmQuery():
                answer = await self._film(self._guest_clip(visit, query.path), query.piece)
            case browser_messages.PictureQuery():
                answer = await self._picture(self._guest_clip(visit, query.path), query)
            case _:
                raise QueryRefused("not_allowed")
        self._shared_visit(guest)  # it may have ended while the film was read
        return answer

    def _shared_visit(self, guest: GuestBrowser) -> SharedVisit:
        now, store = self._services.clock.now(), self._services.store
        if not now.trusted:
            raise QueryRefused("clock_untrusted")
        if store.browsers.guest(guest.id) is not None:
            for share in active_shares(store, now):
                if share.id == guest.share:
                    return share
        raise QueryRefused("not_shared")

    def _reject_replay(self, asker: Asker, query: browser_messages.AnyBrowserQuery) -> None:
        """Accept a query once, while it is fresh."""
        now = self._services.clock.now().utc.timestamp()
        if abs(query.at - now) > browser_messages.MAX_QUERY_SKEW_S:
            raise QueryRefused("stale")
        seen = self._seen_queries[type(asker)]
        if len(seen) >= MAX_REMEMBERED_QUERIES:
            fresh = browser_messages.MAX_QUERY_SKEW_S
            seen = self._seen_queries[type(asker)] = {id_: at for id_, at in seen.items() if abs(at - now) <= fresh}
        if (asker.id, query.id) in seen:
            raise QueryRefused("seen")
        if len(seen) >= MAX_REMEMBERED_QUERIES:
            raise QueryRefused("too_many")
        seen[asker.id, query.id] = query.at

    def _require(self, browser: EnrolledBrowser, right: UserRight) -> Role:
        """Return the present role of a browser's person, if it has this right and `AWAY`."""
        known = self._services.store.browsers.browser(browser.id)
        role = None if known is None else Role(known.person.role)
        if role is None or not has_right(role, UserRight.AWAY) or not has_right(role, right):
            raise QueryRefused("not_allowed")
        return role

    async def _state(self, browser: EnrolledBrowser, after: str | None) -> Mapping[str, Any]:
        """Return the state; if the browser has it already, once it changes or the time is over."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._long_poll_s
        while True:
            count = self._changes.count
            role = self._require(browser, UserRight.SEE_STATE)
            state = self._current_state(browser, role)
            version = _state_version(state)
            if version != after:
                return {"version": version, "unchanged": False, "state": state}
            left = until - loop.time()
            if left <= 0:
                return {"version": version, "unchanged": True, "state": None}
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, 1.0)):  # finds what no change announces (a pause begins)
                    await self._changes.wait_after(count)

    def _current_state(self, browser: EnrolledBrowser, role: Role) -> dict[str, Any]:
        box, row = self._services, self._services.store.browsers.browser(browser.id)
        return {
            "trusted": box.clock.now().trusted,
            "person": browser.person.name,
            "role": role.value,
            "may": sorted(right.value for right in ROLE_RIGHTS[role]),
            "number": 0 if row is None else row.number,
            "timezone": box.home.timezone,
            "entrances": [self._entrance_state(name, role) for name in box.home.entrances],
            "brands": self._brands() if has_right(role, UserRight.SEE_BRANDS) else [],
            "orders": self._orders(browser),
            "message": self._newest_message() if has_right(role, UserRight.SEE_HISTORY) else 0,
        }

    def _entrance_state(self, name: str, role: Role) -> dict[str, Any]:
        box, viewer = self._services, Viewer(language=self._services.home.language)
        state, _ = box.entrance_state(name)
        section, facts = box.home.entrances[name], state_facts(box, name, viewer)
        pause = next((pause for pause in pause_facts(box, name, viewer)["pauses"] if pause["holds"]), None)
        paused = None if pause is None else {"until": pause["planned"].end.isoformat(), "who": pause["who"]}
        return {
            "id": name, "name": section.name, "living_space": section.living_space, "door": facts["door"],
            "since": None if facts["since"] is None else facts["since"].isoformat(timespec="seconds"),
            "heard": state.broker_session is not None,
            "stopped": state.stopped, "safe_mode": state.safe_mode,
            "incident": state.incident is not None, "pause": paused, "visit": self._visit_state(name, viewer),
            "next": self._next_delivery(name, viewer) if has_right(role, UserRight.SEE_HISTORY) else None,
            "closures": self._closures(state),
            "cameras": [
                {"id": camera, "name": self._camera_name(camera), "inside": box.is_inside(camera),
                 "watch": box.may_be_watched(camera)}
                for camera in facts["cameras"]
            ] if has_right(role, UserRight.WATCH_LIVE) else [],
            "places": [{"id": id_, "name": place.name} for id_, place in section.places.items()],
        }  # fmt: skip

    @staticmethod
    def _closures(state: Entrance) -> list[dict[str, Any]]:
        """Return each closure, if an entrance has other closures than one door; the page has the names of the kinds."""
        return [
            {name: one[name] for name in ("id", "kind", "state", "is_private", "position", "way")}
            for one in closure_facts(state, SOURCE)
        ]

    def _visit_state(self, entrance: str, viewer: Viewer) -> dict[str, Any] | None:
        facts = visit_facts(self._services, entrance, viewer)
        if facts["visit"] is None:
            return None
        deadline = facts["deadline"]
        return {
            "id": facts["visit"].id, **{name: facts[name] for name in ("phase", "brand", "place", "may_veto", "asks")},
            "deadline": None if deadline is None else deadline.end.isoformat(timespec="seconds"),
        }  # fmt: skip

    def _next_delivery(self, entrance: str, viewer: Viewer) -> dict[str, Any] | None:
        coming = (
            one
            for one in expected_deliveries(self._services, viewer.language)
            if one.delivery.entrance == entrance and one.readiness is not None
        )
        following = next(coming, None)
        if following is None:
            return None
        start, end = (at.astimezone(self._services.zone) for at in (following.delivery.start, following.delivery.end))
        return {
            "brand": following.brand, "place": following.place, "start": start.isoformat(), "end": end.isoformat(),
        }  # fmt: skip

    def _brands(self) -> list[dict[str, Any]]:
        """Return the brands, first those that wait for an answer, without those whose request has expired."""
        store, now, facts = self._services.store.brands, self._services.clock.now(), []
        keys = store.waiting_keys()
        for permission in store.permissions():
            brand, ask = store.known.get(permission.brand), store.request_of(permission.brand)
            if brand is None or (ask is not None and ask.is_over(now)):
                continue
            facts.append({
                "id": permission.brand, "name": brand.name, "standing": permission.standing.value,
                "ask": question_digest(permission, ask), "terms": sorted_terms(permission),
                "asked": None if ask is None else ask.asked.model_dump(mode="json"),
                "hub": None if ask is None else ask.hub,
                "open": ask is not None and store.is_open(ask, now),
                "fingerprints": [] if ask is None else [key_fingerprint(key) for key in ask.keys],
                "keys": [{"key": key.x, "kid": key.kid, "fingerprint": key_fingerprint(key)}
                         for key in keys if key.brand == permission.brand],
            })  # fmt: skip
        facts.sort(key=lambda brand: brand["standing"] != "pending" and not brand["keys"])
        return facts[:MAX_ITEMS_SHOWN]

    def _orders(self, browser: EnrolledBrowser) -> list[dict[str, Any]]:
        facts = []
        for order in self._services.store.browsers.orders(browser.id, at_most=MAX_ORDERS_SHOWN):
            payload = json.loads(decode_base64url(order.signed.split(b".")[1]))
            facts.append({"number": order.number, "jti": payload["jti"], "do": payload["order"]["do"],
                          "state": order.state, "why": order.why})  # fmt: skip
        return facts

    def _newest_message(self) -> int:
        newest = self._services.store.messages.after(0, at_most=1)
        return newest[0].id if newest else 0

    def _messages(self, browser: EnrolledBrowser, query: browser_messages.MessagesQuery) -> Mapping[str, Any]:
        """Return the messages in the reader's language; an older page names none, and gets the home's."""
        self._require(browser, UserRight.SEE_HISTORY)
        now, messages = self._services.clock.now(), []
        for stored in self._services.store.messages.after(query.after, at_most=MAX_ITEMS_SHOWN):
            message = self._composer.recompose(stored, now)
            if message is not None:
                messages.append({
                    "id": stored.id, "at": stored.at.isoformat(), "entrance": stored.entrance,
                    "about": message.about.value, "urgent": message.urgent,
                    "text": message.words(query.language or self._services.home.language), "visit": stored.visit,
                })  # fmt: skip
        return {"messages": messages}

    def _camera_name(self, camera: str) -> str:
        return self._services.device_name(camera, self._services.home.language)

    def _visits(self, browser: EnrolledBrowser) -> Mapping[str, Any]:
        self._require(browser, UserRight.SEE_HISTORY)
        visits, language = dict[str, dict[str, Any]](), self._services.home.language
        for film in reversed(self._services.store.recordings.films()):
            if film.erased is not None or (film.visit not in visits and len(visits) >= MAX_ITEMS_SHOWN):
                continue
            visit = visits.setdefault(film.visit, {**self._visit_facts(film, language), "films": []})
            visit["films"] += self._film_facts(film, language)
        return {"visits": [*visits.values()]}

    def _visit_facts(self, film: FilmRecord, language: Language) -> dict[str, Any]:
        brand = None if film.delivery is None else film.delivery.partition(".")[0]
        return {
            "id": film.visit, "began": film.began.isoformat(), "entrance": film.entrance,
            "brand": brand and self._services.brand_name(brand, language),
        }  # fmt: skip

    def _film_facts(self, film: FilmRecord, language: Language) -> list[dict[str, Any]]:
        return [
            {"path": clip.path, "camera": clip.camera, "name": self._services.device_name(clip.camera, language),
             "start": clip.start.isoformat(), "end": clip.end.isoformat(), "size": clip.size}
            for clip in film.clips
        ]  # fmt: skip

    def _guest_facts(self, share: SharedVisit, language: Language) -> Mapping[str, Any]:
        """Return what the page of a shared visit shows beside its films."""
        box, parts = self._services, self._services.store.recordings.films(visit=share.visit)
        story = read_story(box, parts[0], box.store.log.bodies_of_visit(share.visit), language)
        self._view_log.record("film", share.visit, None, box.clock.now())
        return {
            **self._visit_facts(parts[0], language), "entrance": box.entrance_name(parts[0].entrance),
            "house": box.home.name, "timezone": box.home.timezone, "until": share.until.isoformat(),
            "films": [fact for part in parts if part.erased is None for fact in self._film_facts(part, language)],
            "gaps": [{"path": clip.path, "start": start.isoformat(), "end": end.isoformat()}
                     for part in parts for clip in part.clips for start, end in clip.gaps][:MAX_GAPS],
            "story": [{"at": line.at.isoformat(), "text": line.text, "tone": line.tone}
                      for line in story[:MAX_STORY_LINES]],
        }  # fmt: skip

    async def _film(self, clip: StoredClip, piece: int) -> QueryAnswer:
        """Return one piece of a clip."""
        pieces = _piece_count(clip.size, piece)
        raw = await self._read_film(clip, lambda film: _read_chunk(film, piece))
        return {"path": clip.path, "piece": piece, "pieces": pieces, "size": clip.size}, raw

    async def _picture(self, clip: StoredClip, query: browser_messages.PictureQuery) -> QueryAnswer:
        """Return a picture out of a film. A process of its own decodes it, one at a time, so no door waits."""
        name = (clip.path, query.second)
        async with self._picture_lock:
            jpeg = self._pictures.get(name)
            if jpeg is None:
                jpeg = await self._read_film(clip, lambda film: _still_picture(film, query.second))
                if jpeg is None:
                    raise QueryRefused("no_picture")
                while len(self._pictures) >= MAX_CACHED_PICTURES:
                    del self._pictures[next(iter(self._pictures))]
                self._pictures[name] = jpeg
        pieces = _piece_count(len(jpeg), query.piece)
        answer = {"path": clip.path, "second": query.second, "piece": query.piece, "pieces": pieces}
        return answer, jpeg[query.piece * CHUNK_BYTES : (query.piece + 1) * CHUNK_BYTES]

    def _household_clip(self, browser: EnrolledBrowser, path: str) -> StoredClip:
        self._require(browser, UserRight.SEE_HISTORY)
        return self._clip(path.split("/")[-2] if path.count("/") else "", path, person=browser.person.id)

    def _guest_clip(self, share: SharedVisit, path: str) -> StoredClip:
        return self._clip(share.visit, path, person=None)

    def _clip(self, visit: str, path: str, *, person: str | None) -> StoredClip:
        """Return a clip of this visit that the store knows, and log the view; no other file can be named."""
        films = [film for film in self._services.store.recordings.films(visit=visit) if film.erased is None]
        clip = next((clip for film in films for clip in film.clips if clip.path == path), None)
        if clip is None:
            raise QueryRefused("not_here")
        self._view_log.record("film", visit, person, self._services.clock.now())
        return clip

    async def _read_film(self, clip: StoredClip, read: Callable[[Path], T]) -> T:
        """Read in a thread. It may have been erased meanwhile, or the disk cannot read it."""
        try:
            return await asyncio.to_thread(read, self._services.films_folder / clip.path)
        except OSError as error:
            raise QueryRefused("not_here") from error

    async def _live(self, browser: EnrolledBrowser, camera: str) -> QueryAnswer:
        """Return what a camera sees now, if the person might watch it on the home's own pages."""
        self._require(browser, UserRight.WATCH_LIVE)
        device = self._services.home.devices.get(camera)
        if device is None or device.kind != "camera":
            raise QueryRefused("not_here")
        if not self._services.may_be_watched(camera):
            raise QueryRefused("private")
        self._view_log.record("live", camera, browser.person.id, self._services.clock.now())
        jpeg = await self._snapshots.newest(camera)
        self._require(browser, UserRight.WATCH_LIVE)
        if not self._services.may_be_watched(camera):
            raise QueryRefused("private")
        if jpeg is None or len(jpeg) > CHUNK_BYTES:
            raise QueryRefused("no_picture")
        return {"camera": camera, "live": is_live(self._services.camera_proofs(), camera)}, jpeg


def _piece_count(size: int, piece: int) -> int:
    pieces = -(-size // CHUNK_BYTES)
    if piece >= pieces:
        raise QueryRefused("not_here")
    return pieces


def _state_version(state: Mapping[str, Any]) -> str:
    """Return a version of a state, in which the time since the door's last change does not count."""
    still = {**state, "entrances": [{**entrance, "since": None} for entrance in state["entrances"]]}
    return sha256(json.dumps(still, sort_keys=True).encode()).hexdigest()[:16]


def _read_chunk(file: Path, piece: int) -> bytes:
    with file.open("rb") as film:
        film.seek(piece * CHUNK_BYTES)
        return film.read(CHUNK_BYTES)


def _still_picture(file: Path, second: float) -> bytes | None:
    with file.open("rb") as film:
        (still,) = take_stills(film, (second,))
    return None if still is None else still.jpeg
