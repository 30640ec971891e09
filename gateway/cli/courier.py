"""`perron scan`: presents codes as a courier does and prints the answers of the door."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from devices.reports import ScanReport
from devices.simulators import control as ask
from devices.vendors import VENDORS
from devices.vendors.scanner import MAX_CODE_CHARS
from gateway.cli.broker import DOCTOR_HINT, open_session, publish, wait_for_message
from gateway.cli.failure import ExitCode, Failure, failure_on, load_home
from gateway.cli.lines import DEFAULT_HOME, command_line, relative_path
from gateway.cli.options import HomeFile, cli, exit_unless, print_line
from gateway.cli.simulation import carries_in, control_socket
from gateway.config.closures import declared_latencies
from gateway.config.home import EntranceSection, Home
from gateway.config.topics import BRIDGE_STATE, device_topic, entrance_topic
from gateway.domain.delivery.own_parcel import approval_limit_s
from gateway.domain.delivery.result import DoorResult, Refusal
from gateway.domain.visit.commands import Notification, ScanAnswer
from gateway.domain.visit.state import Evidence, Holder
from gateway.mqtt.client import ShortSession
from gateway.mqtt.packets import InboundMessage
from gateway.mqtt.publisher import is_gateway_online
from gateway.runtime.notifications.texts import REFUSAL_TEXTS
from gateway.system.i18n import SOURCE

ANSWER_TIMEOUT_S = 5.0  # seconds for the gateway to answer a scan
ELSEWHERE_TIMEOUT_S = 2.0  # seconds after "no" for the house to move the parcel to another place
RETAINED_TIMEOUT_S = 1.0  # seconds for the broker to hand out what it keeps
TIMEOUT_MARGIN_S = 10.0  # seconds beyond what the entrance's own waiting times allow
ACTION_INTERVAL_S = 1.0  # seconds for each thing that the simulated courier does

REMEDIES: Mapping[Refusal, str] = {
    Refusal.UNKNOWN_CODE: "No delivery that is announced here has this code: see `perron retailer announce --help`.",
    Refusal.COURIER_NOT_PROVEN: "Scan the courier's code within the same minute: see `perron scan --help`.",
    Refusal.COLLECT_INSIDE: "The code of a parcel to collect opens nothing. Scan it while the door stands open.",
    Refusal.KEEPER_NOT_PROVEN: "Scan a keeper's code within the same minute: see `perron scan --help`. The page"
    " Keepers gives one.",
    Refusal.KEEPER_NOT_ACCEPTED: "`keepers` of this entrance lists the keepers whose code it accepts. The page"
    " Keepers shows the valid codes.",
    Refusal.NOT_READY: DOCTOR_HINT,
    Refusal.CLOCK_UNTRUSTED: DOCTOR_HINT,
    Refusal.CAMERA_UNAVAILABLE: DOCTOR_HINT,
}
CARRY_IN_ACTIONS: tuple[tuple[str, ask.Request], ...] = (
    ("opens the door", ask.OpenDoor()),
    ("goes in", ask.WalkIn()),
    ("puts the parcel down", ask.PutParcel()),
    ("comes out", ask.WalkOut()),
    ("closes the door", ask.CloseDoor()),
    ("goes away", ask.Leave()),
)

BEGINNINGS = frozenset({Notification.AT_THE_DOOR, Notification.ASKS_FOR_YES})
"""The messages to the owner with which a visit begins."""

Body = Mapping[str, Any]


@cli.example(
    "perron scan 8L20524752032",
    "perron scan 8L20524752032 perron:ipqz6kjkvwu4bqg2mx3vjbmspa --deliver",
    "perron scan 8L20524752032 --scanner front-scanner",
)
def scan(
    codes: Annotated[list[str], typer.Argument(help="What the barcode says; then the courier's code, if asked for.")],
    *,
    home: HomeFile = DEFAULT_HOME,
    scanner: Annotated[str | None, typer.Option(help="Which scanner, where there are several.")] = None,
    deliver: Annotated[
        bool, typer.Option("--deliver", help="On go, let the simulated house's courier carry the parcel in.")
    ] = False,
) -> None:
    """Hold codes before the scanner, in the simulated house where it runs, and tell what the door says: go or no."""
    house = load_home(home)
    reader = resolve_scanner(house, scanner)
    exit_unless(asyncio.run(present_codes(house, tuple(codes), reader, deliver=deliver)))


def resolve_scanner(home: Home, scanner: str | None) -> str:
    """Return the named scanner, or the only one."""
    known = [id_ for id_, device in home.devices.items() if device.kind == "scanner"]
    names = ", ".join(known) or "none"
    if scanner is None:
        if len(known) != 1:
            raise Failure(f"Which scanner? The house has: {names}.", "Say --scanner.")
        return known[0]
    if scanner not in known:
        raise Failure(f"There is no scanner {scanner!r}. The house has: {names}.", "Say --scanner with one of these.")
    return scanner


async def present_code(home: Home, code: str, scanner: str) -> str:
    """Hold `code` before the scanner and say which way it went.

    Where the simulated house runs, a courier in it holds the code up. Else the code is published in the scanner's own
    name, which pushes a real scanner of that account off the broker for a moment.
    """
    with suppress(FileNotFoundError, ConnectionError):
        await _simulate(control_socket(home), ask.Scan(code=code, scanner=scanner))
        return f"held before {scanner} of the simulated house"
    device = home.devices[scanner]
    async with open_session(home.broker.account(scanner), []) as session:
        for message in VENDORS[device.vendor].encode_report(ScanReport(code=code), device.device_ref):
            topic = device_topic(home, scanner, message.suffix)
            await publish(session, topic, message.payload, expiry=int(ANSWER_TIMEOUT_S))
    return f"published as {scanner}"


async def _simulate(socket: Path, request: ask.Request) -> None:
    todo = "See what it tells of itself."
    with failure_on(ask.Impossible, "The simulated house says no: {why}.", todo, ExitCode.NEGATIVE):
        async with ask.HouseControl(socket) as house:
            await house.ask(request)


async def present_codes(home: Home, codes: tuple[str, ...], scanner: str, *, deliver: bool) -> bool:
    """Present the codes to the scanner one after the other, and print the answers until "go" or "no".

    `deliver`: on "go" the courier of the simulated house carries the parcel in; this waits until the film is sealed.
    Returns False after "no".
    """
    if any(not 1 <= len(code) <= MAX_CODE_CHARS for code in codes):
        raise Failure(f"A code has 1 to {MAX_CODE_CHARS} characters.", "Type what the barcode says.")
    if any("\ud800" <= char <= "\udfff" for code in codes for char in code):  # Python's sign of bytes that are no text
        raise Failure("A code is not text in UTF-8.", "Type what the barcode says.")
    if deliver and not control_socket(home).is_socket():
        raise Failure(f"No simulated house runs here ({control_socket(home)}): nobody can carry a parcel in.",
                      "Start it with `perron simulate`, or leave --deliver out.")  # fmt: skip
    ways: dict[str, tuple[str, ...]] = {
        **{id_: section.all_scanners for id_, section in home.entrances.items()},
        **{id_: desk.scanners for id_, desk in home.receptions.items()},
    }
    way_id = next((id_ for id_, scanners in ways.items() if scanner in scanners), None)
    if way_id is None:
        what = f"No entrance and no reception has the scanner {scanner!r}."
        raise Failure(what, "Name it under `scanners:` of an entrance or a reception.")
    if deliver and (way_id not in home.entrances or not carries_in(home, way_id)):
        what = f"The simulated courier carries parcels in through a door with a lock only, and {way_id} is none."
        todo = 'Leave --deliver out. docs/contributor/try-it.md, "Other ways in", says how to act in the house.'
        raise Failure(what, todo)
    topics = [BRIDGE_STATE, entrance_topic(way_id, "event"), entrance_topic(way_id, "message")]
    async with open_session(home.broker.account("installer"), topics) as session:
        bridge = await wait_for_message(session, lambda i: i.topic == BRIDGE_STATE, within=RETAINED_TIMEOUT_S)
        door = _EntranceListener(home, session, scanner, way_id)
        reply: ScanAnswer | None = None
        for code in codes:
            print_line(f"…{code[-4:]}: {await present_code(home, code, scanner)}.")
            if bridge is None or not is_gateway_online(bridge.payload):
                raise Failure("Nobody answers: no gateway is connected to the broker.",
                              "Start it with `perron run`, then scan again.", ExitCode.NO_ANSWER)  # fmt: skip
            reply = await door.wait_for_answer()
            if reply is ScanAnswer.NO:
                await door.tell_elsewhere()
                return False
        if reply is ScanAnswer.WAIT and door.is_visited:
            print_line("It counts for the visit that is under way.")
        elif reply is ScanAnswer.WAIT:
            reply = await door.wait_for_go()
            if reply is ScanAnswer.NO:
                await door.tell_elsewhere()
        if reply is ScanAnswer.GO and deliver and not door.is_reception:
            return await door.carry_in()
        if reply is ScanAnswer.GO and not door.is_reception:
            print_line(_next_step(home, way_id))
        return reply is not ScanAnswer.NO


def _next_step(home: Home, way: str) -> str:
    """Return what the person who scanned does after "go"."""
    needs_scan = way in home.entrances and home.entrances[way].evidence is Evidence.SCAN
    scan_again = " Scan the parcel once more after closing: only that says that it was left." if needs_scan else ""
    if not control_socket(home).is_socket():
        return f"Go in now, and close behind you: the gateway locks again.{scan_again}"
    by_itself = " Scanned with --deliver, the simulated courier does all of it." if carries_in(home, way) else ""
    return f"Act in the simulated house now, or the visit ends unused: `perron hands` lists how.{by_itself}{scan_again}"


class _EntranceListener:
    def __init__(self, home: Home, session: ShortSession, scanner: str, way: str) -> None:
        self._home, self._session, self._scanner, self._way = home, session, scanner, way
        self._events, self._messages = entrance_topic(way, "event"), entrance_topic(way, "message")
        self.is_reception = way in home.receptions
        self.is_visited = False  # a visit was under way at the last scan
        self._visit = ""

    @property
    def _section(self) -> EntranceSection:
        return self._home.entrances[self._way]  # a reception answers go or no, and never wait

    async def _wait_for_event(self, *kinds: str, within: float) -> Body | None:
        """Wait for the next event of these kinds that concerns our scan; None: none came in time.

        The kind `message` is the message to the owner with which our visit begins.
        """

        def is_ours(incoming: InboundMessage) -> bool:
            body = self._read(incoming)
            return body.get("kind") in kinds and (body["kind"] != "answer" or body["scanner"] == self._scanner)

        event = await wait_for_message(self._session, is_ours, within=within)
        return None if event is None else self._read(event)

    def _read(self, incoming: InboundMessage) -> Body:
        """Return an event, or the message with which our visit begins; empty: it is neither."""
        if incoming.retain or incoming.topic not in {self._events, self._messages}:
            return {}
        body: Body = json.loads(incoming.payload)
        if incoming.topic == self._events:
            return body
        return {**body, "kind": "message"} if body["visit"] == self._visit and body["about"] in BEGINNINGS else {}

    async def wait_for_answer(self) -> ScanAnswer:
        """Wait for the answer to the last scan, and print it."""
        answer = await self._wait_for_event("answer", within=ANSWER_TIMEOUT_S)
        if answer is None:
            merge = "a second" if self.is_reception else f"{self._section.timing.merge:g} s"
            raise Failure(f"The gateway does not answer within {ANSWER_TIMEOUT_S:.0f} s.",
                          f"The same code again within {merge} counts as one scan: then wait and scan again. Else"
                          " `perron doctor` looks for the cause.", ExitCode.NO_ANSWER)  # fmt: skip
        return self._report(answer)

    def _report(self, answer: Body) -> ScanAnswer:
        reply = ScanAnswer(answer["word"])
        self._visit = answer["scan"]
        self.is_visited = answer.get("visit", self._visit) != self._visit
        refusal = None if answer["refusal"] is None else Refusal(answer["refusal"])
        why = "" if refusal is None else f" ({REFUSAL_TEXTS[refusal].to(SOURCE)})"
        print_line(f"The {'reception' if self.is_reception else 'door'} says {reply.value}{why}.")
        if refusal is not None and refusal in REMEDIES:
            print_line(REMEDIES[refusal])
        return reply

    async def tell_elsewhere(self) -> None:
        """Print where the parcel goes instead, if the house moves it after the "no"."""
        if not self._home.fallback.order:
            return
        event = await self._wait_for_event("elsewhere", within=ELSEWHERE_TIMEOUT_S)
        place = "" if event is None else event["moved_to"]
        if place in self._home.destinations:
            name = self._home.destinations[place].name
            print_line(f"The scanner shows `elsewhere`: bring the parcel to {name} ({place}) and scan it there.")

    async def wait_for_go(self) -> ScanAnswer:
        """After "wait", print each step until "go" or "no". Returns `WAIT` if the other code of the pair is missing."""
        timing, approval = self._section.timing, 0.0
        event = await self._wait_for_event("ring", "phase", "message", within=RETAINED_TIMEOUT_S)
        if event is None:
            whose = "a keeper's" if self._section.holder is Holder.KEEPER else "the courier's"
            print_line(f"It waits for the other half, the parcel's code or {whose}: scan it within"
                       f" {timing.courier:g} s.")  # fmt: skip
            return ScanAnswer.WAIT
        latency = max(0.0, *declared_latencies(self._home, self._section))
        longest = timing.ring + timing.approval + timing.live + latency + TIMEOUT_MARGIN_S
        while event is not None:
            if event["kind"] == "answer" and event["word"] != ScanAnswer.WAIT:
                return self._report(event)
            if event["kind"] == "house":
                print_line("The visit is over without a go: somebody answered the bell, or the box was restarted.")
                return ScanAnswer.NO
            if event["kind"] == "message":
                needs_yes = event["about"] == Notification.ASKS_FOR_YES
                approval = approval_limit_s(event["delivery"].partition(".")[0], timing) if needs_yes else 0.0
                self._print_what_opens(approval)
            if event.get("phase") == "approving":
                print_line(f"The owner has {approval:g} s more to say yes.")
            event = await self._wait_for_event("answer", "phase", "house", "message", within=longest)
        what = f"The gateway said neither go nor no within {longest:.0f} s."
        raise Failure(what, DOCTOR_HINT, ExitCode.NO_ANSWER)

    def _print_what_opens(self, approval: float) -> None:
        """Print what opens it. `approval`: the seconds for the owner's yes after the ringing; 0: it needs none."""
        ring = 0.0 if self._section.signal is None else self._section.timing.ring
        bell = "This entrance has no signal." if self._section.signal is None else "The bell rings inside."
        if approval:
            print_line(
                f"{bell} It opens only if the owner says yes within {ring + approval:g} s; else the answer is no."
            )
        elif self._section.signal is None:
            when = "as soon as all cameras record" if self._section.film_cameras else "at once"
            print_line(f"{bell} It opens {when}.")
        else:
            print_line(f"{bell} Unless somebody answers, it opens in {ring:g} s.")

    async def carry_in(self) -> bool:
        """Let the simulated courier carry the parcel in; wait for the seal. True: the door is locked again."""
        todo = "Start it again: `perron simulate`."
        for action, request in CARRY_IN_ACTIONS:
            with failure_on(OSError, "The simulated house has ended.", todo, ExitCode.NO_ANSWER):
                await _simulate(control_socket(self._home), request)
            print_line(f"The courier {action}.")
            await asyncio.sleep(ACTION_INTERVAL_S)
        timing = self._section.timing
        house = await self._wait_for_event("house", within=timing.stable + 3 * timing.relock + TIMEOUT_MARGIN_S)
        if house is None or house["house"] != DoorResult.LOCKED_AGAIN:
            print_line("The door is not proven locked again: the gateway's log says why.")
            return False
        print_line(f"The door is locked again. The film runs on for {timing.post_roll:g} s, then it is sealed.")
        sealed = timing.post_roll + timing.film_closes + TIMEOUT_MARGIN_S
        while (event := await self._wait_for_event("phase", within=sealed)) is not None:
            if event["phase"] == "ready":
                box = self._home.storage.folder
                visit, key = relative_path(box / "visits" / self._visit), relative_path(box / "key" / "box.pub.pem")
                print_line("Sealed. Check it:")
                print_line(f"  $ {command_line('verify', visit, '--key', key)}")
                return True
        print_line("The film is not sealed yet: the gateway's log says why.")
        return True
