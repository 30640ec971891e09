"""The show: scenes that the demo plays by itself, in chapters.

Each chapter requires what it claims, so a show that the gateway does not live up to stops there and says so.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from devices.simulators import control as ask
from gateway.demo.actors import DemoPerson, PromisedDelivery
from gateway.demo.names import DEMO_HOURS, name_of
from gateway.demo.observers import TIMEOUT_MARGIN_S, Body
from gateway.demo.page.proof import read_sealed_film, verify_changed_copy
from gateway.demo.page.runner import SHOW_TITLE, DemoRunner
from gateway.demo.page.snapshot import DemoSnapshot, LineShown, for_next_delivery, line_text, message_text
from gateway.demo.page.words import LANGUAGES
from gateway.demo.plan import DemoPlan
from gateway.demo.result import PhysicalOpening, physical_openings
from gateway.demo.rig_control import CrashPoint
from gateway.demo.scenario import (
    MOVES_ONCE_IN_AND_OUT,
    PHASES_WHOLE_VISIT,
    USUAL_NOTIFICATIONS,
    Expectation,
    Scenario,
    ScenarioRun,
)
from gateway.demo.scenarios.failures import EXPECT_FOUND_UNLOCKING
from gateway.demo.scenarios.homes import with_long_open_limit
from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import Frozen
from gateway.domain.visit.commands import Notification
from gateway.domain.visit.state import Phase
from gateway.system.i18n import Text, _

FAST_DURATION_S, NORMAL_DURATION_MIN = 70, 3  # about how long it takes at --fast and at real times
FREEZE_TIMEOUT_S = 2.0  # seconds within which a frozen picture must be greyed
MIN_ACTION_S = 0.6  # seconds that the courier takes for each thing he does, at least: so that it can be followed
READING_TIME_S = 2.2  # seconds to read a line by
SECOND_PARCEL_CODES = ("LP123456785CN",)  # the second courier's parcel
FIRST_BRAND = "cdiscount"
DOOR_CAMERA = "doorbell"
CRASH_POINT: CrashPoint = "after-report"
PROMISE_DURATION_S = 3000  # seconds from now until a promise ends: within the two hours that the brand asks for
MAX_DOOR_OPEN_S = 30.0  # seconds: here everybody goes slowly enough to be followed


@dataclass(slots=True)
class ShowState:
    """The running show: the house, the page, and what later chapters need of earlier ones."""

    play: ScenarioRun
    page: DemoRunner
    chapter: int = 0
    delivery: PromisedDelivery = field(init=False)  # that the present courier brings
    visit: str = ""
    message_count: int = 0  # of both phones, before the cable was pulled
    log_position: int = 0  # the lines of the house's log before the second courier

    async def show_line(self, text: Text, *, read: float = 0.0, **facts: Any) -> None:  # noqa: ANN401 - of `LineShown`
        """Show one line for `read` seconds."""
        line = LineShown(text=text, chapter=self.chapter, **facts)
        self.page.change(says=line)
        self.play.narrate("show", line_text(line, self.page.language))
        await asyncio.sleep(read)


async def _a_brand_asks_to_be_let_in(act: ShowState) -> None:
    """Its first signed offer without a permission is the request; the owner's yes goes the way of every wish."""
    play, home = act.play, act.play.plan.home
    terms = home.brands[FIRST_BRAND].permission
    act.delivery = await play.retailer.promise(ends_in=PROMISE_DURATION_S)
    answer = act.delivery.answer
    play.require(answer.get("state") == "awaiting_permission", f"the offer waits for the owner: {dict(answer)}")
    notification = await play.wait_for_notification(Notification.BRAND_ASKS)
    await act.page.wait_until(
        "the brand's request on the phone", lambda now: _on_each_phone(now, notification),
        within=2 * TIMEOUT_MARGIN_S,
    )  # fmt: skip
    act.page.change(asked=True)
    start, _dash, end = terms.hours.partition("-")
    await act.show_line(_(
        "{brand} asks to be let in. By {carrier}: {place} only, between {start} and {end}.",
        brand=home.brands[FIRST_BRAND].name, carrier=terms.carriers[0],
        place=name_of(play.section.places[terms.places[0]].name), start=start, end=end,
    ), look="phone")  # fmt: skip
    await act.page.wait_for_approval(within=2 * READING_TIME_S)
    await play.owner.send_request("permit", brand=FIRST_BRAND)

    def granted() -> bool:
        return any(body["accepted"] for body in play.watch.events("wish"))

    await play.watch.wait_until("the owner's yes stored", granted)
    act.page.change(granted=True)
    await act.show_line(_("The owner says yes."), read=1.2, look="phone")


async def _everything_is_proven_good(act: ShowState) -> None:
    """Lock, door, cameras and clock turn green because the box itself says so."""
    await act.play.wait_until_ready()
    await act.page.wait_until("the cameras and the clock believed", _all_cameras_trusted)
    act.play.watch.mark_seen()
    await act.show_line(_("Lock, door, cameras, clock: all proven good."), read=READING_TIME_S, look="checks")


async def _the_cable_is_pulled(act: ShowState) -> None:
    act.message_count = len(act.page.snapshot.phone)
    act.page.cable.pull()
    act.page.change(cable=False)
    await act.show_line(_("The internet is unplugged. The box is alone."), read=READING_TIME_S, look="house")


async def _the_courier_rings(act: ShowState) -> None:
    await act.play.courier.does("arrive")
    await act.play.house.ask(ask.PressBell())
    await act.show_line(_("The courier rings. Nobody is home."), read=READING_TIME_S, look="film")


async def _the_box_decides_alone(act: ShowState) -> None:
    """Parcel, hour, brand, courier, filming: each is ticked by what the box says, none by the page."""
    play, parcels = act.play, act.delivery
    await act.show_line(_("He holds up the label and his one-time code."), look="house")
    await play.courier.scans(parcels.codes[0])
    await asyncio.sleep(0.6)
    await play.courier.scans(parcels.courier_code)
    await play.wait_for_ringing()
    await act.page.wait_until("all five ticked", _all_checks_passed)
    await act.show_line(_("All is right. The box decided alone, without the internet."), tone="good", look="checks")
    play.require(not act.page.cable.is_plugged, "the cable is out")
    play.require(len(act.page.snapshot.phone) == act.message_count, "nothing has left the house")
    await _tell_of_the_ringing(act)


async def _tell_of_the_ringing(act: ShowState) -> None:
    """Show what is waited for, where the ringing lasts longer than it takes to read of it (not with --fast)."""
    ring_s = act.play.timing.ring
    if ring_s > 2 * READING_TIME_S:
        await asyncio.sleep(READING_TIME_S)
        seconds = f"{ring_s:.0f}"
        await act.show_line(
            _("It rings for {seconds} seconds: somebody at home could still answer.", seconds=seconds), look="light"
        )


async def _the_door_opens_once(act: ShowState) -> None:
    """With the door open the promise is spent."""
    play = act.play
    await play.wait_for_unlocked()
    act.visit = str(play.watch.state["visit"])
    await act.show_line(_("The bolt turns."), read=1.5, look="house")
    await play.courier.does("open")
    await play.wait_for_phase(Phase.INSIDE)
    await act.page.wait_until("the opening spent", lambda now: now.spent)
    await act.show_line(
        _("The door opens. The promise is used: it cannot open again."), read=READING_TIME_S, look="house"
    )


async def _the_parcel_is_put_down(act: ShowState) -> None:
    courier = act.play.courier
    await courier.does("walk_in")
    await act.show_line(_("The parcel is put down, the film runs."), look="film")
    await courier.does("put_parcel", "walk_out", "close")
    await act.show_line(_("Out, and the door is shut."), look="house")
    await courier.does("leave")


async def _the_phone_hears_of_it(act: ShowState) -> None:
    """The bolt is out, and only now the cable comes back: the phone gets what waited, "locked again" with a picture."""
    play, page = act.play, act.page
    await act.show_line(_("The box locks, then asks lock and door once more."), look="house")
    await play.wait_for_locked_again()
    await act.show_line(_("The bolt is out: locked again, proven."), read=1.2, look="house")
    play.require(len(page.snapshot.phone) == act.message_count, "nothing has left the house while the cable was out")
    page.cable.plug()
    page.change(cable=True)
    notification = await play.wait_for_notification(Notification.LOCKED_AGAIN)
    await page.wait_until(
        "“locked again” on the phone, with a picture",
        lambda now: _on_each_phone(now, notification, pictured=True), within=2 * TIMEOUT_MARGIN_S,
    )  # fmt: skip
    await act.show_line(
        _("The internet is back, the phone buzzes: “{text}”"), read=READING_TIME_S, message=notification, look="phone"
    )


async def _the_film_is_sealed(act: ShowState) -> None:
    """Film and log verify, and the film stands on the page with its timeline."""
    play = act.play
    await act.show_line(_("The cameras film a little longer. Then film and log are sealed."), look="film")
    await play.wait_for_seal()
    film = await asyncio.to_thread(read_sealed_film, play.plan, act.visit)
    act.page.change(film=film, films=() if film is None else (film,))
    play.require(film is not None and len(film.moments) > 4, "the timeline tells the visit")
    await act.show_line(
        _("Film and log are sealed. Scrub the film: the timeline follows."), read=3 * READING_TIME_S, look="film"
    )


async def _the_same_label_again(act: ShowState) -> None:
    play = act.play
    await act.show_line(_("Someone tries the same label again."), is_live=True, look="house")
    await play.courier.does("arrive")
    await play.courier.scans(act.delivery.codes[0])
    await play.wait_for_refusal(Refusal.ALREADY_USED)
    await act.show_line(_("No: already used."), read=READING_TIME_S, tone="bad", look="light")
    await play.courier.does("leave")


async def _a_thief_freezes_the_camera(act: ShowState) -> None:
    """Packets flow on, the picture looks perfect; the clock that is burnt in stands still."""
    play, clock = act.play, asyncio.get_running_loop().time
    act.delivery = await play.announce_delivery(codes=SECOND_PARCEL_CODES, ends_in=PROMISE_DURATION_S)
    act.log_position = len(play.log.lines)
    act.page.show(for_next_delivery(act.page.snapshot))
    await act.page.wait_until("the cameras believed", _all_cameras_trusted)
    await act.show_line(_("Another courier comes. A thief freezes the camera: the picture looks perfect."), look="film")
    await play.thief.does("arrive")
    await play.set_fault(DOOR_CAMERA, "frozen")
    frozen = clock()
    await act.page.wait_until("a frozen picture greyed", lambda now: (now.believed or {}).get(DOOR_CAMERA) is False)
    delay = clock() - frozen
    play.require(
        delay <= FREEZE_TIMEOUT_S,
        f"a frozen picture is greyed within {FREEZE_TIMEOUT_S} s, not after {delay:.1f} s",
    )
    await play.thief.does("leave")
    seconds = f"{delay:.1f}"
    await act.show_line(
        _("Perron saw it within {seconds} s and greys it.", seconds=seconds), read=READING_TIME_S, look="film"
    )
    await act.show_line(_("He scans. It rings, and Perron waits for a living picture."), look="film")
    await play.scan_codes(act.delivery)
    await play.wait_for_refusal(Refusal.CAMERA_UNAVAILABLE, due=play.timing.ring + play.timing.live)
    await act.show_line(
        _("The door stays shut: no living picture, no opening."), read=READING_TIME_S, tone="bad", look="checks"
    )
    play.require(not _openings_since(act), "the door has stayed shut")


async def _the_box_is_killed_in_mid_opening(act: ShowState) -> None:
    """The bolt is withdrawn as the box dies; its restart finds who is there, and opens nothing again."""
    play, parcels = act.play, act.delivery
    await play.set_fault(DOOR_CAMERA, "frozen", on=False)
    await act.page.wait_until("the cameras believed", _all_cameras_trusted)
    await act.show_line(_("The camera is back. He scans again."), look="film")
    await play.kill_gateway(CRASH_POINT)
    await play.courier.scans(parcels.codes[0])
    await play.courier.scans(parcels.courier_code)
    await _tell_of_the_ringing(act)
    await play.log.wait_for_line(
        "bolt", within=play.timing.ring + play.timing.live + TIMEOUT_MARGIN_S, after=act.log_position, state="withdrawn"
    )
    await act.show_line(_("In mid-opening, the box is killed."), tone="bad", look="house")
    await play.courier.does("open")
    await play.wait_for_gateway()
    await act.show_line(_("It restarts, finds the courier, films on."), read=READING_TIME_S, look="house")
    await play.courier.does("walk_in", "put_parcel")
    await play.courier.comes_out()
    await play.wait_for_visit_end()
    play.require(len(_openings_since(act)) == 1, f"one opening, not {len(_openings_since(act))}")
    await act.page.wait_until("openings 1 on the page", lambda now: now.openings == 1)
    count = str(act.page.snapshot.openings)
    await act.show_line(_("Locked again. Openings: {count}.", count=count), read=READING_TIME_S, look="house")


async def _one_byte_is_changed(act: ShowState) -> None:
    """In a copy of the first visit's proof: verification names the second of the film."""
    await act.show_line(_("One single byte of the film is changed."), look="house")
    stage = act.play.stage
    intact, broken = await asyncio.to_thread(
        verify_changed_copy, stage.folder, stage.plan, act.visit, stage.checkpoint_file
    )
    act.play.require(intact.holds, f"the proof holds before: {intact.where}")
    act.page.change(verified=intact)
    await asyncio.sleep(READING_TIME_S / 2)
    act.page.change(verified=broken)
    act.play.require(broken.second is not None and not broken.holds, f"verify names the second: {broken.where}")
    second = f"{broken.second or 0.0:.2f}"
    text = _("Verification finds the changed byte at {second} s.", second=second)
    await act.show_line(text, read=2 * READING_TIME_S, tone="bad", look="house")


class Chapter(Frozen):
    """One chapter: its name, and what it has shown, if that is one of the show's six claims."""

    name: Text
    play: Callable[[ShowState], Awaitable[None]]
    claim: Text | None = None


CHAPTERS: tuple[Chapter, ...] = (
    Chapter(name=_("A brand asks"), play=_a_brand_asks_to_be_let_in),
    Chapter(name=_("All is checked"), play=_everything_is_proven_good),
    Chapter(name=_("No internet"), play=_the_cable_is_pulled),
    Chapter(name=_("It rings"), play=_the_courier_rings),
    Chapter(
        name=_("The box decides"), play=_the_box_decides_alone,
        claim=_("It decides at home, without the internet: parcel, hour, brand, courier, film."),
    ),
    Chapter(
        name=_("One opening"), play=_the_door_opens_once,
        claim=_("It opens once. The promise is used up as the door opens."),
    ),
    Chapter(name=_("The parcel is in"), play=_the_parcel_is_put_down),
    Chapter(
        name=_("Locked, you know"), play=_the_phone_hears_of_it,
        claim=_("It proves that the door is locked again, and tells you so with a picture."),
    ),
    Chapter(name=_("The film is sealed"), play=_the_film_is_sealed),
    Chapter(name=_("The label again"), play=_the_same_label_again),
    Chapter(
        name=_("A frozen camera"), play=_a_thief_freezes_the_camera,
        claim=_("It refuses a used label, and a camera whose picture stands still."),
    ),
    Chapter(
        name=_("The box is killed"), play=_the_box_is_killed_in_mid_opening,
        claim=_("Killed as it opens, it comes back, finds the courier and opens nothing twice."),
    ),
    Chapter(
        name=_("One byte"), play=_one_byte_is_changed,
        claim=_("One changed byte in the film is found, to the second."),
    ),
)  # fmt: skip

SHOW_EXPECTATION = Expectation(
    movements=(*MOVES_ONCE_IN_AND_OUT, *MOVES_ONCE_IN_AND_OUT),
    phases=(*PHASES_WHOLE_VISIT, Phase.RINGING, "ready", *EXPECT_FOUND_UNLOCKING.phases),
    refusals=(Refusal.ALREADY_USED, Refusal.CAMERA_UNAVAILABLE),
    notifications=(Notification.AT_THE_DOOR, Notification.NOT_OPENED, *USUAL_NOTIFICATIONS),
    sealed_visits=2,
    gateway_deaths=1,
)


def make_show(page: DemoRunner) -> Scenario:
    """Return the show as a scenario, which is played and judged as every other."""

    async def play_it(play: ScenarioRun) -> None:
        act = ShowState(play, page)
        action_s, scanner = max(MIN_ACTION_S, play.plan.action_s), play.section.all_scanners[0]
        play.courier = DemoPerson("courier", play.house, play.narrate, action_s, scanner=scanner)
        await page.show_opening()
        for number, chapter in enumerate(CHAPTERS, start=1):
            act.chapter = number
            await chapter.play(act)

    return Scenario(
        title=SHOW_TITLE,
        summary=_(
            "a whole delivery without internet, then a used label, a frozen camera, a killed box, a changed film"
        ),
        play=play_it,
        expected=SHOW_EXPECTATION,
        equip=lambda plan: with_long_open_limit(without_permission(plan), MAX_DOOR_OPEN_S),
    )


def without_permission(plan: DemoPlan) -> DemoPlan:
    """The first brand has no permission yet, and asks for little: one carrier, one place, two hours."""
    brand = plan.home.brands[FIRST_BRAND]
    terms = brand.permission
    little = terms.model_copy(
        update={
            "state": "pending",
            "carriers": terms.carriers[:1],
            "places": terms.places[:1],
            "hours": DEMO_HOURS,
        }
    )
    return plan.with_home(brands={**plan.home.brands, FIRST_BRAND: brand.model_copy(update={"permission": little})})


def _on_each_phone(now: DemoSnapshot, notification: Body, *, pictured: bool = False) -> bool:
    texts = {language: message_text(notification, language) for language in LANGUAGES}
    shown = [message for message in now.phone if message.picture or not pictured]
    return all(
        any(message.language == language and text in message.text for message in shown)
        for language, text in texts.items()
    )


def _all_cameras_trusted(now: DemoSnapshot) -> bool:
    return now.clock and bool(now.believed) and all((now.believed or {}).values())


def _all_checks_passed(now: DemoSnapshot) -> bool:
    return now.checks is not None and all(now.checks.values())


def _openings_since(act: ShowState) -> tuple[PhysicalOpening, ...]:
    """Return each opening since the second courier came, by the house's own log."""
    return physical_openings(act.play.log.lines[act.log_position :])
