"""Plays one thing at a time, each in a house of its own, and keeps what the page shows of it."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from devices.simulators.control import Impossible
from gateway.cli.failure import Failure
from gateway.config.home import Home, Messages
from gateway.demo.actors import Retailer
from gateway.demo.handles import Handles, Sight, Speak
from gateway.demo.page.cable import Cable
from gateway.demo.page.phone import Buzz, Phone
from gateway.demo.page.plain import plain
from gateway.demo.page.proof import sealed_film
from gateway.demo.page.script import SHOW, show
from gateway.demo.page.snapshot import Begins, Buzzed, Happening, Over, Raised, Saw, Sealed, Snapshot, after, in_words
from gateway.demo.page.words import LANGUAGES
from gateway.demo.plan import NoTemplate
from gateway.demo.processes import Died
from gateway.demo.result import Line
from gateway.demo.run import Audience, run
from gateway.demo.scenario import Play, Scenario
from gateway.demo.scenarios import SCENARIOS
from gateway.demo.stage import Stage
from gateway.demo.verdict import Judged
from gateway.demo.watch import NeverCame, Seen
from gateway.mqtt.mosquitto.provisioning import BrokerMissing
from gateway.system.i18n import Language
from gateway.video.ipc import Proof
from gateway.web.server.changes import Changes
from gateway.web.server.live_video import believed

LOOK = 0.05  # seconds between two looks at what the box thinks of its cameras
PICTURES = 20  # of the phone's that are kept for the page


@dataclass(frozen=True, slots=True)
class Playing:
    """What is played now: `folder` is the run's own; the box's is in it."""

    title: str
    folder: Path

    @property
    def box(self) -> Path:
        """The box's folder."""
        return self.folder / "box"


class Theatre:
    """One for the demo. `folder_for` makes a folder for a title; `utc` is the clock; `seats` tells who else looks on.

    `run` plays whatever is asked for by `press`, until cancelled.
    """

    def __init__(
        self,
        folder_for: Callable[[str], Path],
        utc: Callable[[], datetime],
        *,
        fast: bool,
        language: Language,
        seats: Callable[[Scenario], contextlib.AbstractContextManager[Audience]],
    ) -> None:
        self.fast, self.language = fast, language
        self.changes = Changes()
        self.snapshot = Snapshot()
        self.playing: Playing | None = None
        self.proofs: Mapping[str, Proof] = {}
        self.pictures: dict[str, bytes] = {}
        self.good = True  # whether everything that was played to its end was as it must be
        self.cable = Cable()
        self._folder_for, self._utc, self._seats = folder_for, utc, seats
        self._pressed: asyncio.Queue[str] = asyncio.Queue(1)
        self._task: asyncio.Task[None] | None = None
        self._yes = asyncio.Event()
        self._said: dict[str, datetime] = {}

    # ---- what is asked on the page ----------------------------------------------------------------------------------

    def press(self, title: str) -> bool:
        """Ask for a scenario, or the show; False where there is none of this name, or something is played already."""
        if title != SHOW and title not in {one.title for one in SCENARIOS}:
            return False
        if self._task is not None or self._pressed.full():
            return False
        self._pressed.put_nowait(title)
        return True

    def stop(self) -> None:
        """End what is played."""
        if self._task is not None:
            self._task.cancel()

    def say_yes(self) -> None:
        """The owner's yes to the brand that asks, by whoever watches."""
        self._yes.set()

    async def run(self) -> None:
        """Play until cancelled."""
        while True:
            title = await self._pressed.get()
            self._task = asyncio.create_task(self._play(title))
            try:
                await asyncio.wait([self._task])
                if self._task.cancelled():
                    self.tell(Over(stopped=True))
                else:
                    self._task.result()
            finally:
                self._task.cancel()
                await asyncio.wait([self._task])
                self._task = None

    # ---- what the script asks (`script.Prompter`) -------------------------------------------------------------------

    def tell(self, what: Happening) -> None:
        """Let something happen on the page."""
        before = self.snapshot
        now = after(before, what)
        if now.title != SHOW and (said := plain(what)) is not None:
            now = replace(now, says=said)
        if isinstance(what, Seen) and what.kind == "message":
            for language in LANGUAGES:
                self._said[in_words(what.body, language)] = datetime.fromisoformat(what.body["at"])
        if now != before:
            self.snapshot = now
            self.changes.tell()

    async def until(self, what: str, test: Callable[[Snapshot], bool], *, within: float) -> None:
        """Wait until the page shows this.

        Raises:
            NeverCame: it did not within so many seconds.
        """
        try:
            async with asyncio.timeout(within):
                while not test(self.snapshot):
                    await self.changes.after(self.changes.count)
        except TimeoutError:
            raise NeverCame(f"awaited on the page for {within:.0f} s: {what}") from None

    async def pressed_yes(self, *, within: float) -> None:
        """Wait for whoever watches to press the owner's yes, at most so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._yes.wait()

    # ---- playing ----------------------------------------------------------------------------------------------------

    async def _play(self, title: str) -> None:
        self.tell(Begins(title=title))
        complaints: tuple[str, ...]
        try:
            complaints = await self._judged(title)
        except (Died, NeverCame, Impossible, ConnectionError, Failure, BrokerMissing, NoTemplate, OSError) as failure:
            complaints = (str(failure),)
        self.good = self.good and not complaints
        self.tell(Over(complaints=complaints))

    async def _judged(self, title: str) -> tuple[str, ...]:
        """Play in a fresh house, its box's only way out being the cable; return what was not as it must be."""
        self._yes.clear()
        self.pictures.clear()
        self._said.clear()
        self.playing = playing = Playing(title, self._folder_for(title))
        chosen = show(self, self._utc()) if title == SHOW else next(one for one in SCENARIOS if one.title == title)
        async with Phone(self._buzzed) as phone, Cable() as self.cable:
            wire = await self.cable.lay(phone.port)
            with self._seats(chosen) as others:
                judged = await self._in_the_house(self._wired(chosen, playing.folder, wire), playing, others)
        return judged

    async def _in_the_house(self, scenario: Scenario, playing: Playing, others: Audience) -> tuple[str, ...]:
        seats = _Seats(self, others)
        watching = asyncio.create_task(self._look(playing.box / "handles.sock"))
        try:
            judged = await run(
                scenario,
                playing.folder,
                fast=self.fast,
                audience=seats,
                language=self.language,
                afterwards=self._sealed,
            )
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            self.proofs = {}
        return judged.complaints

    def _wired(self, scenario: Scenario, folder: Path, port: int) -> Scenario:
        """The same scenario in a house whose messages and retailers come and go by the cable."""
        phones = folder / "phones.txt"

        def home(home: Home) -> Home:
            phones.write_text(
                "".join(f"json://127.0.0.1:{port}/{language}\n" for language in LANGUAGES), encoding="utf-8"
            )
            return scenario.home(home).model_copy(update={"messages": Messages(file=phones)})

        async def play(play: Play) -> None:
            self.tell(Raised())
            await self._retailers_by_cable(play)
            async with play.stage.handles() as handles:
                await handles.turn(Speak(languages=LANGUAGES))
            await scenario.play(play)

        return replace(scenario, home=home, play=play)

    async def _retailers_by_cable(self, play: Play) -> None:
        home = play.plan.home
        outside = home.broker.model_copy(update={"port": await self.cable.lay(home.broker.port)})
        signers = tuple(play.plan.signers.values())
        play.retailer = Retailer(
            home.model_copy(update={"broker": outside}), play.plan.entrance, signers, play.watch, play.narrate
        )

    async def _sealed(self, stage: Stage, judged: Judged) -> None:
        """Leave the newest film on the page, where there is one and the play did not show it itself."""
        proof = judged.result.proof.folder
        if proof is not None and self.snapshot.film is None:
            self.tell(Sealed(film=await sealed_film(stage.plan, Path(proof).name)))

    def _buzzed(self, buzz: Buzz) -> None:
        """A message reached the phone; how long it was on its way is told by the box's own time of it."""
        address = None
        if buzz.picture is not None:
            address = f"{self.snapshot.run}-{sum(self.snapshot.buzzes.values()) + 1}.jpg"
            self.pictures[address] = buzz.picture
            while len(self.pictures) > PICTURES:
                del self.pictures[next(iter(self.pictures))]
        said = self._said.get(buzz.text)
        waited = 0.0 if said is None else max(0.0, (self._utc() - said).total_seconds())
        self.tell(
            Buzzed(language=buzz.language, text=buzz.text, urgent=buzz.urgent, picture=address, waited=round(waited, 1))
        )

    async def _look(self, socket: Path) -> None:
        """Keep what the box thinks of its cameras and its clock; nothing while it is away."""
        while True:
            with contextlib.suppress(OSError):
                async with Handles(socket) as handles:
                    while True:
                        self._saw(await handles.look())
                        await asyncio.sleep(LOOK)
            self.proofs = {}
            await asyncio.sleep(LOOK)

    def _saw(self, sight: Sight) -> None:
        self.proofs = sight.proofs
        self.tell(Saw(believed={name: believed(sight.proofs, name) for name in sight.proofs}, clock=sight.clock))


class _Seats(Audience):
    """The page, and who else looks on."""

    def __init__(self, theatre: Theatre, others: Audience) -> None:
        self._theatre, self._others = theatre, others

    def starting(self, what: str) -> None:
        self._others.starting(what)

    def seen(self, what: Seen | Line) -> None:
        self._theatre.tell(what)
        self._others.seen(what)

    def narrated(self, who: str, what: str) -> None:
        self._others.narrated(who, what)
