"""Plays one run at a time, each in a house of its own, and keeps what the page shows of it."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from devices.simulators.control import Impossible
from gateway.cli.failure import Failure
from gateway.config.home import Home, MessagesSection
from gateway.demo.actors import DemoRetailer
from gateway.demo.observers import ObservedMessage, WaitTimeout
from gateway.demo.page.cable import CableRelay
from gateway.demo.page.event_lines import line_of_event
from gateway.demo.page.phone import DemoPhone, PhoneMessage
from gateway.demo.page.proof import read_sealed_film
from gateway.demo.page.script import SHOW_TITLE, make_show
from gateway.demo.page.snapshot import (
    BoxStatusChanged,
    DemoEvent,
    DemoFilmSealed,
    DemoSnapshot,
    PhoneMessageShown,
    RunEnded,
    RunStarted,
    StageReady,
    apply_event,
    message_text,
)
from gateway.demo.page.words import LANGUAGES
from gateway.demo.plan import TemplateMissing
from gateway.demo.processes import ProcessDied
from gateway.demo.result import LogLine
from gateway.demo.rig_control import BoxStatus, RigClient, SetPhoneLanguages
from gateway.demo.run import DemoObserver, run_scenario
from gateway.demo.scenario import Scenario, ScenarioRun
from gateway.demo.scenarios import SCENARIOS
from gateway.demo.stage import Stage
from gateway.demo.verdict import Judgement
from gateway.mqtt.mosquitto.provisioning import BrokerMissing
from gateway.system.changes import ChangeNotifier
from gateway.system.i18n import Language
from gateway.video.ipc import CameraProof
from gateway.web.server.live_video import is_live

POLL_INTERVAL_S = 0.05  # seconds between two looks at what the box thinks of its cameras
MAX_PICTURES = 20  # of the phone's that are kept for the page


@dataclass(frozen=True, slots=True)
class CurrentRun:
    """The present run. `folder` is the run's own and contains the box's folder."""

    title: str
    folder: Path

    @property
    def box(self) -> Path:
        """The box's folder."""
        return self.folder / "box"


class DemoRunner:
    """Plays scenarios for the demo's page. `folder_for` makes a folder for a title; `utc` is the clock.

    `make_observer` returns a further observer of a run, beside the page. `run` plays what `request_scenario` asked for,
    until cancelled.
    """

    def __init__(
        self,
        folder_for: Callable[[str], Path],
        utc: Callable[[], datetime],
        *,
        fast: bool,
        language: Language,
        make_observer: Callable[[Scenario], DemoObserver],
    ) -> None:
        self.is_fast, self.language = fast, language
        self.changes = ChangeNotifier()
        self.snapshot = DemoSnapshot()
        self.current_run: CurrentRun | None = None
        self.proofs: Mapping[str, CameraProof] = {}
        self.pictures: dict[str, bytes] = {}
        self.all_passed = True  # whether everything that was played to its end was as it must be
        self.cable = CableRelay()
        self._folder_for, self._utc, self._make_observer = folder_for, utc, make_observer
        self._requested: asyncio.Queue[str] = asyncio.Queue(1)
        self._task: asyncio.Task[None] | None = None
        self._approved = asyncio.Event()
        self._message_times: dict[str, datetime] = {}

    # ---- requests of the page ---------------------------------------------------------------------------------------

    def request_scenario(self, title: str) -> bool:
        """Request a scenario, or the show. False: the name is unknown, or a run is on."""
        if title != SHOW_TITLE and title not in {one.title for one in SCENARIOS}:
            return False
        if self._task is not None or self._requested.full():
            return False
        self._requested.put_nowait(title)
        return True

    def stop(self) -> None:
        """End the present run."""
        if self._task is not None:
            self._task.cancel()

    def approve(self) -> None:
        """Permit the brand that asks, as the owner; the viewer of the page pressed the button."""
        self._approved.set()

    async def run(self) -> None:
        """Play requested scenarios until cancelled."""
        while True:
            title = await self._requested.get()
            self._task = asyncio.create_task(self._play(title))
            try:
                await asyncio.wait([self._task])
                if self._task.cancelled():
                    self.apply(RunEnded(stopped=True))
                else:
                    self._task.result()
            finally:
                self._task.cancel()
                await asyncio.wait([self._task])
                self._task = None

    # ---- what the script asks (`script.ShowPage`) -------------------------------------------------------------------

    def apply(self, what: DemoEvent) -> None:
        """Apply an event to the page's snapshot."""
        before = self.snapshot
        now = apply_event(before, what)
        if now.title != SHOW_TITLE and (said := line_of_event(what)) is not None:
            now = replace(now, says=said)
        if isinstance(what, ObservedMessage) and what.kind == "message":
            for language in LANGUAGES:
                self._message_times[message_text(what.body, language)] = datetime.fromisoformat(what.body["at"])
        if now != before:
            self.snapshot = now
            self.changes.notify()

    async def wait_until(self, description: str, condition: Callable[[DemoSnapshot], bool], *, within: float) -> None:
        """Wait until the snapshot satisfies a condition.

        Raises:
            WaitTimeout: it did not within so many seconds.
        """
        try:
            async with asyncio.timeout(within):
                while not condition(self.snapshot):
                    await self.changes.wait_after(self.changes.count)
        except TimeoutError:
            raise WaitTimeout(f"awaited on the page for {within:.0f} s: {description}") from None

    async def wait_for_approval(self, *, within: float) -> None:
        """Wait until the viewer presses the owner's yes, at most so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._approved.wait()

    # ---- playing ----------------------------------------------------------------------------------------------------

    async def _play(self, title: str) -> None:
        self.apply(RunStarted(title=title))
        complaints: tuple[str, ...]
        try:
            complaints = await self._play_and_judge(title)
        except (
            ProcessDied,
            WaitTimeout,
            Impossible,
            ConnectionError,
            Failure,
            BrokerMissing,
            TemplateMissing,
            OSError,
        ) as failure:
            complaints = (str(failure),)
        self.all_passed = self.all_passed and not complaints
        self.apply(RunEnded(complaints=complaints))

    async def _play_and_judge(self, title: str) -> tuple[str, ...]:
        """Play a scenario in a fresh house whose only connection is the cable; return what was not as expected."""
        self._approved.clear()
        self.pictures.clear()
        self._message_times.clear()
        self.current_run = playing = CurrentRun(title, self._folder_for(title))
        chosen = (
            make_show(self, self._utc())
            if title == SHOW_TITLE
            else next(one for one in SCENARIOS if one.title == title)
        )
        async with DemoPhone(self._on_phone_message) as phone, CableRelay() as self.cable:
            wire = await self.cable.connect(phone.port)
            observer = self._make_observer(chosen)
            return await self._run_on_stage(self._with_cable(chosen, playing.folder, wire), playing, observer)

    async def _run_on_stage(self, scenario: Scenario, playing: CurrentRun, observer: DemoObserver) -> tuple[str, ...]:
        page_observer = _PageObserver(self, observer)
        watching = asyncio.create_task(self._poll_box(playing.box / "handles.sock"))
        try:
            judged = await run_scenario(
                scenario,
                playing.folder,
                fast=self.is_fast,
                observer=page_observer,
                language=self.language,
                on_judged=self._show_newest_film,
            )
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            self.proofs = {}
        return judged.complaints

    def _with_cable(self, scenario: Scenario, folder: Path, port: int) -> Scenario:
        """Return the scenario with messages and retailers that go through the cable."""
        phones = folder / "phones.txt"

        def home(home: Home) -> Home:
            phones.write_text(
                "".join(f"json://127.0.0.1:{port}/{language}\n" for language in LANGUAGES), encoding="utf-8"
            )
            return scenario.change_home(home).model_copy(update={"messages": MessagesSection(file=phones)})

        async def play(play: ScenarioRun) -> None:
            self.apply(StageReady())
            await self._route_retailers(play)
            await play.stage.change_box(SetPhoneLanguages(languages=LANGUAGES))
            await scenario.play(play)

        return replace(scenario, change_home=home, play=play)

    async def _route_retailers(self, play: ScenarioRun) -> None:
        home = play.plan.home
        outside = home.broker.model_copy(update={"port": await self.cable.connect(home.broker.port)})
        signers = tuple(play.plan.signers.values())
        play.retailer = DemoRetailer(
            home.model_copy(update={"broker": outside}), play.plan.entrance, signers, play.watch, play.narrate
        )

    async def _show_newest_film(self, stage: Stage, judged: Judgement) -> None:
        """Show the newest film, if there is one and the run has not shown it itself."""
        proof = judged.result.proof.folder
        if proof is not None and self.snapshot.film is None:
            self.apply(DemoFilmSealed(film=await read_sealed_film(stage.plan, Path(proof).name)))

    def _on_phone_message(self, message: PhoneMessage) -> None:
        """Show a message that reached the phone, with the delay since the box wrote it."""
        address = None
        if message.picture is not None:
            address = f"{self.snapshot.run}-{sum(self.snapshot.buzzes.values()) + 1}.jpg"
            self.pictures[address] = message.picture
            while len(self.pictures) > MAX_PICTURES:
                del self.pictures[next(iter(self.pictures))]
        said = self._message_times.get(message.text)
        waited = 0.0 if said is None else max(0.0, (self._utc() - said).total_seconds())
        self.apply(
            PhoneMessageShown(
                language=message.language,
                text=message.text,
                urgent=message.urgent,
                picture=address,
                waited=round(waited, 1),
            )
        )

    async def _poll_box(self, socket: Path) -> None:
        """Read what the box reports of its cameras and its clock; clear it while the box is away."""
        while True:
            with contextlib.suppress(OSError):
                async with RigClient(socket) as rig:
                    while True:
                        self._update_status(await rig.status())
                        await asyncio.sleep(POLL_INTERVAL_S)
            self.proofs = {}
            await asyncio.sleep(POLL_INTERVAL_S)

    def _update_status(self, status: BoxStatus) -> None:
        self.proofs = status.proofs
        self.apply(
            BoxStatusChanged(
                believed={name: is_live(status.proofs, name) for name in status.proofs}, clock=status.clock
            )
        )


class _PageObserver(DemoObserver):
    """Passes each event of a run to the page and to a further observer."""

    def __init__(self, runner: DemoRunner, other: DemoObserver) -> None:
        self._runner, self._other = runner, other

    def on_start(self, what: str) -> None:
        self._other.on_start(what)

    def on_event(self, what: ObservedMessage | LogLine) -> None:
        self._runner.apply(what)
        self._other.on_event(what)

    def on_action(self, who: str, what: str) -> None:
        self._other.on_action(who, what)
