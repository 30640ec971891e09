"""Plays one run at a time, each in a house of its own, and keeps what the page shows of it."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from devices.simulators.control import Impossible
from gateway.cli.failure import Failure
from gateway.config.home import MessagesSection
from gateway.demo.actors import DemoRetailer
from gateway.demo.names import with_readers_names
from gateway.demo.observers import TIMEOUT_MARGIN_S, DemoEvent, ObservedMessage, WaitTimeout, wait_for_change
from gateway.demo.page.cable import CableRelay
from gateway.demo.page.drawing import scene_of
from gateway.demo.page.event_lines import line_of_event
from gateway.demo.page.phone import DemoPhone, PhoneMessage
from gateway.demo.page.proof import read_sealed_film
from gateway.demo.page.snapshot import DemoSnapshot, PhoneMessageShown, apply_event, message_text, ways_at_start
from gateway.demo.page.tape import DemoTape
from gateway.demo.page.words import LANGUAGES
from gateway.demo.plan import DemoPlan
from gateway.demo.rig_control import SetPhoneLanguages, read_box_status
from gateway.demo.run import DemoObserver, run_scenario
from gateway.demo.scenario import Scenario, ScenarioRun
from gateway.demo.scenarios import SCENARIOS, find_scenarios
from gateway.demo.stage import Stage
from gateway.demo.verdict import Judgement
from gateway.demo.wording import THE_DOOR, DoorNames
from gateway.mqtt.mosquitto.provisioning import BrokerMissing
from gateway.system.beside import run_beside
from gateway.system.changes import ChangeNotifier
from gateway.system.i18n import Language
from gateway.video.ipc import CameraProof
from gateway.web.server.live_video import is_live

SHOW_TITLE = "show"
OPENING_S = 4.0  # seconds for which the first sentence is shown at least; a house takes longer to be set up
READING_S = 1.6  # seconds of what would be over before anybody has read of it
POLL_INTERVAL_S = 0.05  # seconds between two looks at what the box thinks of its cameras
MAX_PICTURES = 20  # of the phone's that are kept for the page


class DemoRunner:
    """Plays scenarios for the demo's page. `folder_for` makes a folder for a title; `utc` is the clock.

    `make_show` makes the scenario whose title is `SHOW_TITLE`; `make_observer` returns a further observer of a run,
    beside the page. `run` plays what `request_scenario` asked for, until cancelled.
    """

    def __init__(  # noqa: PLR0913 - each part of a demo has a name
        self,
        folder_for: Callable[[str], Path],
        utc: Callable[[], datetime],
        *,
        fast: bool,
        language: Language,
        make_show: Callable[["DemoRunner"], Scenario],
        make_observer: Callable[[Scenario], DemoObserver],
    ) -> None:
        self.is_fast, self.language = fast, language
        self.changes = ChangeNotifier()
        self.snapshot = DemoSnapshot()
        self.tape = DemoTape()
        self.current_box: Path | None = None  # the box's folder in the present run
        self.proofs: Mapping[str, CameraProof] = {}
        self.pictures: dict[str, bytes] = {}
        self.all_passed = True  # whether everything that was played to its end was as it must be
        self.cable = CableRelay()
        self._folder_for, self._utc = folder_for, utc
        self._make_show, self._make_observer = make_show, make_observer
        self._requested: asyncio.Queue[str] = asyncio.Queue(1)
        self._task: asyncio.Task[None] | None = None
        self._approved = asyncio.Event()
        self._message_times: dict[str, datetime] = {}
        self._began_mono = 0.0  # when the present run began

    def request_scenario(self, title: str) -> bool:
        """Request a scenario, or the show. False: the name is unknown, or a run is on."""
        is_known = title == SHOW_TITLE or title in {scenario.title for scenario in SCENARIOS}
        if not is_known or self._task is not None or self._requested.full():
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
                    self.change(stage="over", stopped=True, card=None)
                else:
                    self._task.result()
            finally:
                self._task.cancel()
                await asyncio.wait([self._task])
                self._task = None

    def show(self, snapshot: DemoSnapshot) -> None:
        """Let the page show this snapshot."""
        if snapshot != self.snapshot:
            self.snapshot = snapshot
            self.tape.record(snapshot, asyncio.get_running_loop().time())
            self.changes.notify()

    def change(self, **facts: Any) -> None:  # noqa: ANN401 - fields of `DemoSnapshot`
        """Change these fields of the page's snapshot."""
        self.show(replace(self.snapshot, **facts))

    def apply(self, event: DemoEvent, doors: DoorNames = THE_DOOR) -> None:
        """Apply an event at these doors to the page's snapshot."""
        snapshot = apply_event(self.snapshot, event)
        if snapshot.title != SHOW_TITLE and (line := line_of_event(event, doors)) is not None:
            snapshot = replace(snapshot, says=line)
        if isinstance(event, ObservedMessage) and event.kind == "message":
            for language in LANGUAGES:
                self._message_times[message_text(event.body, language)] = datetime.fromisoformat(event.body["at"])
        self.show(snapshot)

    async def wait_until(
        self, what: str, condition: Callable[[DemoSnapshot], bool], *, within: float = TIMEOUT_MARGIN_S
    ) -> None:
        """Wait until the snapshot satisfies a condition, at most `within` seconds (`WaitTimeout`)."""
        await wait_for_change(
            self.changes, lambda: condition(self.snapshot), within=within, describe=lambda: f" on the page: {what}"
        )

    async def wait_for_approval(self, *, within: float) -> None:
        """Wait until the viewer presses the owner's yes, at most so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._approved.wait()

    async def show_opening(self) -> None:
        """Keep the card with the first sentence for `OPENING_S` after the run began, then take it away."""
        left = self._began_mono + OPENING_S - asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, left))
        self.change(card=None)

    async def _play(self, title: str) -> None:
        is_show = title == SHOW_TITLE
        self._began_mono = asyncio.get_running_loop().time()
        self.show(
            DemoSnapshot(
                run=self.snapshot.run + 1, title=title, stage="setting", card="opening" if is_show else None,
                began=self._utc().isoformat(timespec="milliseconds"),
            )
        )  # fmt: skip
        try:
            complaints = await self._play_and_judge(title)
        except Failure as failure:
            complaints = (f"{failure} {failure.todo}",)
        except (WaitTimeout, Impossible, BrokerMissing, OSError) as failure:
            complaints = (str(failure),)
        self.all_passed = self.all_passed and not complaints
        self.change(stage="over", complaints=complaints, card=None)

    async def _play_and_judge(self, title: str) -> tuple[str, ...]:
        """Play a scenario in a fresh house whose only connection is the cable; return what was not as expected."""
        self._approved.clear()
        self.pictures.clear()
        self._message_times.clear()
        folder = self._folder_for(title)
        self.current_box = folder / "box"
        scenario = self._make_show(self) if title == SHOW_TITLE else find_scenarios(title)[0]
        observer = self._make_observer(scenario)
        observer.listener = lambda event: self.apply(event, observer.doors)
        async with DemoPhone(self._on_phone_message) as phone, CableRelay() as self.cable:
            wired = self._with_cable(scenario, folder, await self.cable.connect(phone.port))
            try:
                async with run_beside(self._poll_box(self.current_box / "handles.sock")):
                    judged = await run_scenario(
                        wired, folder, fast=self.is_fast, language=self.language, observer=observer,
                        on_judged=self._show_newest_film,
                    )  # fmt: skip
            finally:
                self.proofs = {}
        return judged.complaints

    def _with_cable(self, scenario: Scenario, folder: Path, port: int) -> Scenario:
        """Return the scenario with messages and retailers that go through the cable."""
        phones = folder / "phones.txt"

        def equip(plan: DemoPlan) -> DemoPlan:
            addresses = "".join(f"json://127.0.0.1:{port}/{language}\n" for language in LANGUAGES)
            phones.write_text(addresses, encoding="utf-8")
            equipped = scenario.equip(plan)
            scene = scene_of(equipped)
            self.change(scene=scene, ways=ways_at_start(scene, equipped.house.things))
            return equipped.with_home(messages=MessagesSection(file=phones))

        async def play(play: ScenarioRun) -> None:
            self.change(stage="playing")
            play.reading_s = READING_S
            broker = play.plan.home.broker
            outside = broker.model_copy(update={"port": await self.cable.connect(broker.port)})
            play.retailer = DemoRetailer(play.plan.with_home(broker=outside), play.watch, play.narrate)
            await play.stage.change_box(SetPhoneLanguages(languages=LANGUAGES))
            await scenario.play(play)

        return replace(scenario, equip=equip, play=play)

    async def _show_newest_film(self, stage: Stage, judged: Judgement) -> None:
        proof = judged.result.proof.folder
        film = None if proof is None else await asyncio.to_thread(read_sealed_film, stage.plan, Path(proof).name)
        shown = self.snapshot
        if film is not None and film not in shown.films:
            self.change(film=shown.film or film, films=(*shown.films, film))

    def _on_phone_message(self, message: PhoneMessage, language: Language) -> None:
        """Show a message that reached the phone, with the delay since the box wrote it."""
        address = None
        if message.picture is not None:
            address = f"{self.snapshot.run}-{len(self.snapshot.phone) + 1}.jpg"
            self.pictures[address] = message.picture
            while len(self.pictures) > MAX_PICTURES:
                del self.pictures[next(iter(self.pictures))]
        text = with_readers_names(message.message, language)
        written = self._message_times.get(text)
        waited = 0.0 if written is None else max(0.0, (self._utc() - written).total_seconds())
        message_shown = PhoneMessageShown(
            language=language, text=text, urgent=message.type == "warning", picture=address,
            waited=round(waited, 1),
        )  # fmt: skip
        self.change(phone=(*self.snapshot.phone, message_shown))

    async def _poll_box(self, socket: Path) -> None:
        """Read what the box reports of its cameras and its clock; clear it while the box is away."""
        while True:
            try:
                status = await read_box_status(socket)
            except OSError:
                self.proofs = {}
            else:
                self.proofs = status.proofs
                believed = {name: is_live(status.proofs, name) for name in status.proofs}
                self.change(believed=believed, clock=status.clock)
            await asyncio.sleep(POLL_INTERVAL_S)
