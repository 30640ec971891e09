"""A house with a concierge, as tests play it: two receivers, a scanner at the desk, and parcels on their way."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from devices.reports import ScanReport
from devices.vendors import VENDORS
from gateway.config.home import Home
from gateway.config.topics import device_topic
from gateway.domain.custody import CustodyStage
from gateway.mqtt.packets import InboundMessage
from gateway.runtime.reception import ReceptionActor
from gateway.storage.custodies import StoredCustody
from gateway.system.containment import Containment
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import NOW, make_offer
from tests.shell.box import IN_WINDOW_MONO_S, ShellBox, box, run_box, run_tasks
from tests.shell.house import PARCEL, make_home
from tests.shell.parts import ManualTime
from tests.waiting import wait_until

DESK, MARC, NINA = "desk", "marc", "nina"
OTHER_PARCEL = "LX123456785FR"
RECEPTION: dict[str, Any] = {
    "name": "Concierge",
    "receivers": {
        MARC: {"name": "Marc Petit", "hours": "08:00-19:00"},
        NINA: {"name": "Nina Blanc", "hours": "08:00-19:00"},
    },
    "scanners": ["desk-scanner"],
    "keep_cold": 7200.0,
}


def home_with_desk(folder: Path, **changes: Any) -> Home:  # noqa: ANN401 - any key of the reception
    """The house of the shell's tests, with a reception where the shop may deliver."""
    document: dict[str, Any] = make_home(folder).model_dump(mode="json")
    document["language"] = "en"
    document["devices"]["desk-scanner"] = {"kind": "scanner", "vendor": "scanner"}
    document["receptions"] = {DESK: RECEPTION | changes}
    terms = document["brands"]["shop"]["permission"]
    terms["entrances"], terms["places"] = [*terms["entrances"], DESK], [*terms["places"], DESK]
    return Home.model_validate(document, strict=False)


class DeskBox:
    """A box with a running reception. `changes` counts what the pages would redraw."""

    def __init__(self, made: ShellBox) -> None:
        self.box = made
        self.changes = 0
        self.desk = ReceptionActor(
            DESK, home=made.home, store=made.store, clock=made.clock, publisher=made.line, outbox=made.office,
            seal=made.archive.seal_custody, on_change=self._changed, containment=Containment(),
        )  # fmt: skip

        made.receptions[DESK] = self.desk

    def _changed(self) -> None:
        self.changes += 1
        self.box.changes.notify()

    async def announce(self, **changes: Any) -> None:  # noqa: ANN401 - any field of an offer
        """The shop announces a parcel for the desk."""
        offer = make_offer(**{"entrance": DESK, "place": DESK, "courier_sha256": None} | changes)
        answer = await receive(self.box.store, offer, now=NOW)
        assert answer.result.accepted, answer.result

    def scan(self, code: str, *, retain: bool = False) -> None:
        """The courier holds a label before the scanner of the desk."""
        configured = self.box.home.devices["desk-scanner"]
        for letter in VENDORS[configured.vendor].encode_report(ScanReport(code=code), configured.device_ref):
            topic = device_topic(self.box.home, "desk-scanner", letter.suffix)
            self.desk.on_message(
                "desk-scanner",
                letter.suffix,
                InboundMessage(topic=topic, payload=letter.payload, retain=retain, session=1),
            )

    async def offered(self, code: str = PARCEL) -> None:
        """A receiver is on duty, and the courier's scan was answered with go."""
        assert await self.desk.set_duty(MARC, on=True)
        self.scan(code)
        await wait_until(lambda: self.stage(code) is CustodyStage.OFFERED)

    def parcel(self, code: str = PARCEL) -> StoredCustody | None:
        """What the store has of a parcel."""
        held = self.box.store.custodies.at(DESK, CustodyStage)
        return next((one for one in held if one.parcel == code), None)

    def stage(self, code: str = PARCEL) -> CustodyStage | None:
        held = self.parcel(code)
        return None if held is None else held.state.stage

    def shown(self) -> list[str]:
        """The words that the scanner showed."""
        return [json.loads(one.payload)["word"] for one in self.box.line.on("perron/desk-scanner/set")]

    def refusals(self) -> list[str | None]:
        """Why the courier was answered no, for each answer."""
        events = [json.loads(one.payload) for one in self.box.line.on("perron/entrance/desk/event")]
        return [event["refusal"] for event in events if event["kind"] == "answer"]

    def messages(self) -> list[dict[str, Any]]:
        """The messages to the owner, by the house's broker."""
        return [json.loads(one.payload) for one in self.box.line.on("perron/entrance/desk/message")]

    def results(self) -> list[dict[str, Any]]:
        """The results that the shop received."""
        return [json.loads(one.payload) for one in self.box.line.on("perron/deliveries/result/shop")]

    async def passes(self, seconds: float) -> None:
        """Time goes on, and the reception looks at its deadlines."""
        self.box.time.mono += seconds
        self.desk.wake()
        await asyncio.sleep(0.05)


@asynccontextmanager
async def desk_box(
    folder: Path,
    *,
    time: ManualTime | None = None,
    runs: bool = True,
    **changes: Any,  # noqa: ANN401 - of the reception
) -> AsyncIterator[DeskBox]:
    """A box in the middle of a window whose reception runs."""
    time = time or ManualTime(mono=IN_WINDOW_MONO_S)
    async with box(folder, home_with_desk(folder, **changes), time=time) as made:
        played = DeskBox(made)
        if not runs:
            yield played
            return
        async with run_box(made), run_tasks(played.desk.run()):
            yield played
