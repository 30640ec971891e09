"""A robot with VDA 5050 at the door, and the supervisor who decides on the box's own page.

The robot speaks for itself at the broker; what it does at the door the simulated house's courier does for it.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from devices.commands import AnswerZoneRequest, ChallengeRobot, Grant
from devices.reports import AvailabilityReport, RobotIdentityReport, RobotMode, RobotReport, ZoneRequest, ZoneStatus
from devices.vendors import vda5050
from devices.vendors.words import DeviceRef, TopicSuffix
from gateway.cli.broker import open_session
from gateway.config.broker_acl import account_names
from gateway.demo.actors import PromisedDelivery
from gateway.demo.desk import CONNECTION_LOST, DemoBrowser, DemoHouseholdBrowser, pages_session, wait_for_pages
from gateway.demo.observers import POLL_INTERVAL_S, TIMEOUT_MARGIN_S, WaitTimeout
from gateway.demo.scenario import ScenarioRun
from gateway.mqtt.client import ShortSession
from gateway.protocol.browser_envelope import Jwk
from gateway.protocol.ed25519 import SigningKey
from gateway.protocol.robot_token import DecisionClaims, RobotClaims, sign_decision, sign_identity
from gateway.system.clock import machine_time

OPERATOR, SUPERVISOR, KID, ZONE = "trundle", "ines", "trundle-1", "door-1"
ROBOT_KEY = SigningKey.generate()  # of the operator, of every run of this process
STATE_INTERVAL_S = 1.0  # seconds between two states of a robot
SCALAR_BYTES = 32


class DemoRobot:
    """A robot: it reports its state, answers challenges, and remembers what it was answered."""

    def __init__(self, play: ScenarioRun, robot: str) -> None:
        self.id = robot
        self._play, self._home = play, play.plan.home
        self._device_ref = DeviceRef(address=self._home.devices[robot].address, kind="robot")
        self._topics = vda5050.topics(self._device_ref)
        self._session: ShortSession | None = None
        self._carries: tuple[str, ...] = ()
        self._delivery: PromisedDelivery | None = None
        self._request: ZoneRequest | None = None
        self._mode = RobotMode.AUTOMATIC
        self.is_stopped = False  # its emergency stop is pressed
        self.grants: list[Grant] = []  # the different answers, in order
        self._answered = asyncio.Event()

    async def run(self) -> None:
        """Speak at the broker until cancelled."""
        account = next(name for name in account_names(self._home) if name.endswith(self._device_ref.address[-4:]))
        inbound = [self._topics[TopicSuffix.SET], self._topics[TopicSuffix.GET]]
        async with open_session(self._home.broker.account(account), inbound) as self._session:
            self._say(AvailabilityReport(online=True), retain=True)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._report_state())
                group.create_task(self._listen(self._session))

    async def asks(self, parcels: PromisedDelivery) -> None:
        """Come to the door with a delivery, and ask to be let in."""
        self._play.narrate(self.id, "asks to be let in")
        self._delivery, self._carries = parcels, parcels.codes
        self._request = ZoneRequest(id=secrets.token_hex(4), zone=ZONE, status=ZoneStatus.REQUESTED)
        self._report()

    async def waits_for(self, grant: Grant, within: float = TIMEOUT_MARGIN_S) -> None:
        """Wait until the box has answered this. WaitTimeout: it did not."""
        try:
            async with asyncio.timeout(within):
                while grant not in self.grants:
                    self._answered.clear()
                    await self._answered.wait()
        except TimeoutError:
            answers = [one.value for one in self.grants]
            raise WaitTimeout(f"{self.id} is not answered {grant.value}, but {answers}") from None

    def turns_back(self) -> None:
        """Give its request up, also while the box cannot hear it: it reports so as soon as it can."""
        self._request = None

    async def drops(self) -> None:
        """Leave its load inside."""
        self._carries = ()
        self._report()

    async def leaves(self) -> None:
        """Drive out, and report that it has left the zone."""
        self._play.narrate(self.id, "reports that it is out")
        self.is_stopped = False
        self._request = None
        self._report()

    async def is_driven_by_hand(self) -> None:
        """A person drives it: it has no request for the zone any longer (VDA 5050, `INTERVENED`)."""
        self._play.narrate(self.id, "is driven by a person, and gives its request up")
        self._mode, self._request = RobotMode.INTERVENED, None
        self._report()

    async def drives_again(self) -> None:
        """Drive by itself again, without a request, wherever it is."""
        self._play.narrate(self.id, "drives by itself again, and asks for nothing")
        self._mode = RobotMode.AUTOMATIC
        self._report()

    async def asks_again(self) -> None:
        """Ask for the zone anew, to drive out of it."""
        self._play.narrate(self.id, "asks for the zone again, to drive out")
        self._request = ZoneRequest(id=secrets.token_hex(4), zone=ZONE, status=ZoneStatus.REQUESTED)
        self._report()

    async def stops(self) -> None:
        """Report that its emergency stop is pressed."""
        self._play.narrate(self.id, "stands still: its emergency stop is pressed")
        self.is_stopped = True
        self._report()

    async def _report_state(self) -> None:
        while True:
            self._report()
            await asyncio.sleep(STATE_INTERVAL_S)

    def _report(self) -> None:
        self._say(
            RobotReport(
                mode=self._mode, emergency_stop=self.is_stopped, field_violation=False,
                requests=() if self._request is None else (self._request,), loads=self._carries,
            )
        )  # fmt: skip

    def _say(self, report: Any, *, retain: bool = False) -> None:  # noqa: ANN401 - any report
        if self._session is None:
            return
        for publication in vda5050.encode_report(report, self._device_ref):
            self._session.publish(self._topics[publication.suffix], publication.payload, retain=retain)

    async def _listen(self, session: ShortSession) -> None:
        while True:
            incoming = await session.receive()
            suffix = next(one for one, topic in self._topics.items() if topic == incoming.topic)
            match vda5050.decode_command(suffix, incoming.payload, self._device_ref):
                case ChallengeRobot(nonce=nonce) if self._delivery is not None:
                    self._say(RobotIdentityReport(token=self._identity(nonce, self._delivery)))
                case AnswerZoneRequest(request=request, grant=grant) if (
                    self._request is not None and request == self._request.id
                ):
                    self._take(grant)
                case _:
                    pass

    def _take(self, grant: Grant) -> None:
        if grant not in self.grants[-1:]:
            self.grants.append(grant)
            self._answered.set()
        if self._request is not None and grant in (Grant.GRANTED, Grant.REVOKED):
            status = ZoneStatus[grant.name]
            self._request = ZoneRequest(id=self._request.id, zone=ZONE, status=status)

    def _identity(self, nonce: str, parcels: PromisedDelivery) -> bytes:
        now = int(machine_time().timestamp())
        claims = RobotClaims(
            iss=OPERATOR, sub=vda5050.serial_of(self._device_ref.address), aud=self._home.box,
            jti=secrets.token_urlsafe(16), nonce=nonce, iat=now, exp=now + 60, brand=parcels.brand,
            delivery=parcels.id, loads=self._carries,
        )  # fmt: skip
        return sign_identity(claims, ROBOT_KEY.sign, kid=KID)


class DemoSupervisor(DemoBrowser):
    """A supervisor's browser: it makes its key, and signs decisions on the pictures that the box serves."""

    def __init__(self, play: ScenarioRun, session: Any) -> None:  # noqa: ANN401 - aiohttp's session
        super().__init__(session, "supervisor", play.narrate)
        self._play, self._box = play, play.plan.home.box
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._ident = ""

    async def sign_in(self, link: str) -> None:
        """Open the owner's link, and send the public half of the key."""
        await self._press(link, "opens the link", key=Jwk.of(self._key.public_key()).model_dump_json())
        cookies = [cookie.value for cookie in self._session.cookie_jar if cookie.key.endswith("supervisor")]
        self._ident = cookies[0].partition(".")[0] if cookies else ""

    async def waits_for_question(self) -> dict[str, Any]:
        """Wait until the page asks about an opening, and return what it shows. WaitTimeout: it does not."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TIMEOUT_MARGIN_S + self._play.timing.ring):
                while True:
                    with contextlib.suppress(CONNECTION_LOST):  # a box that was killed starts anew
                        for visit in await self._visits():
                            if visit["closure"] is not None:
                                return visit
                    await asyncio.sleep(POLL_INTERVAL_S)
        raise WaitTimeout("the supervisor is asked nothing")

    async def looks(self, visit: str) -> bytes:
        """Look at the picture that the box serves. WaitTimeout: there is none."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TIMEOUT_MARGIN_S):
                while True:
                    async with self._session.get(f"/supervisor/picture/{visit}") as answer:
                        if answer.status == 200:
                            return await answer.read()
                    await asyncio.sleep(POLL_INTERVAL_S)
        raise WaitTimeout("the box shows the supervisor no picture")

    async def decides(self, *, yes: bool, picture: bytes | None = None) -> str:
        """Decide on what is asked; without `picture` on a new one. Return why it does not count; empty: it does."""
        shown = await self.waits_for_question()
        seen = picture if picture is not None or not yes else await self.looks(shown["visit"])
        now = int(machine_time().timestamp())
        claims = DecisionClaims(
            iss=OPERATOR, sub=SUPERVISOR, aud=self._box, jti=secrets.token_urlsafe(16), iat=now, exp=now + 30,
            visit=shown["visit"], closure=shown["closure"],
            picture_sha256=None if seen is None else sha256(seen).hexdigest(), yes=yes,
        )  # fmt: skip
        self._on_action("supervisor", "says yes" if yes else "says no")
        token = sign_decision(claims, self._sign, kid=self._ident)
        async with self._session.post("/supervisor/decide", data={"token": token.decode()}) as answer:
            return str((await answer.json())["text"])

    async def says_yes_while_box_dies(self) -> None:
        """Say yes; the box may die before it answers."""
        with contextlib.suppress(CONNECTION_LOST):
            await self.decides(yes=True)

    async def _visits(self) -> list[dict[str, Any]]:
        async with self._session.get("/supervisor/visits") as answer:
            body: dict[str, Any] = await answer.json()
            return list(body["visits"])

    def _sign(self, data: bytes) -> bytes:
        r, s = decode_dss_signature(self._key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(SCALAR_BYTES) + s.to_bytes(SCALAR_BYTES)


@asynccontextmanager
async def open_robots(play: ScenarioRun, *robots: str) -> AsyncIterator[tuple[DemoSupervisor, tuple[DemoRobot, ...]]]:
    """Claim the box, sign the supervisor in, and start the robots. WaitTimeout: the pages do not answer."""
    home = play.plan.home
    if home.pages is None:
        raise ValueError("a supervisor needs the box's pages")
    await wait_for_pages(home)
    async with pages_session(home.pages) as owners, pages_session(home.pages) as supervisors:
        household = DemoHouseholdBrowser(owners, "owner", play.narrate)
        await household.claim(home.claim_code_file.read_text(encoding="ascii").strip())
        supervisor = DemoSupervisor(play, supervisors)
        await supervisor.sign_in(await household.make_supervisor_link(SUPERVISOR))
        made = tuple(DemoRobot(play, robot) for robot in robots)
        tasks = [asyncio.create_task(robot.run()) for robot in made]
        try:
            yield supervisor, made
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
