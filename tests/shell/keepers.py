"""A house whose front door opens with the key of a safe, for tests: two keepers, and one of another entrance."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from devices.reports import DoorReport, DoorState, KeyReport
from gateway.config.home import Home
from gateway.domain.delivery.barcodes import ParcelCode, courier_token_digest, new_courier_token, normalise
from gateway.domain.visit.commands import AnswerScan, LogNote
from gateway.domain.visit.state import KeeperCode
from gateway.storage.keepers import StoredKeeperCode
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import NOW, make_offer
from tests.shell.box import IN_WINDOW_MONO_S, ShellBox, box, run_box
from tests.shell.house import PARCEL, make_home
from tests.shell.parts import ManualTime
from tests.waiting import wait_until

CLAIRE, COMPANY, STRANGER = "claire", "oh-my-keys", "bruno"
BACK_WITHIN_S = 900.0


def home_with_keepers(folder: Path) -> Home:
    """The house of the shell's tests, with a key safe at the front."""
    document: dict[str, Any] = make_home(folder).model_dump(mode="json")
    document["language"] = "en"
    document["keepers"] = {
        CLAIRE: {"name": "Claire Martin"},
        COMPANY: {"name": "Oh my keys", "kind": "company"},
        STRANGER: {"name": "Bruno Petit"},
    }
    document["devices"] |= {
        "flap": {"kind": "strike", "vendor": "perron", "release": 5, "latency": 1},
        "flap-door": {"kind": "door", "vendor": "perron"},
        "hook": {"kind": "key", "vendor": "perron"},
        "hall-door": {"kind": "door", "vendor": "perron"},
    }
    document["entrances"]["front"] |= {
        "lock": None, "door": None, "holder": "keeper", "keepers": [CLAIRE, COMPANY], "closures": [
            {"id": "safe", "kind": "key_safe", "back_within": BACK_WITHIN_S,
             "devices": {"order": "flap", "flap": "flap-door", "key": "hook"}},
            {"id": "hall", "kind": "keyed_door", "devices": {"door": "hall-door"}},
        ],
    }  # fmt: skip
    return Home.model_validate(document, strict=False)


def code_text(number: int) -> str:
    """A code as a phone or a card shows it."""
    return new_courier_token(number.to_bytes(16))


def scanned(number: int) -> str:
    """The same code, as the gateway looks it up."""
    code = normalise(code_text(number))
    assert isinstance(code, ParcelCode)
    return code.value


def stored_code(number: int, keeper: str = CLAIRE, **changes: Any) -> StoredKeeperCode:  # noqa: ANN401 - any field
    """A code on a card."""
    digest = bytes.fromhex(courier_token_digest(number.to_bytes(16)))
    fields: dict[str, Any] = {
        "id": f"code-{number}", "keeper": keeper, "code": digest, "session": None, "browser": None, "by": "p-anna",
        "made": NOW.utc, "seen": NOW.utc,
    }  # fmt: skip
    return StoredKeeperCode(**fields | changes)


async def give_code(store: Store, number: int, keeper: str = CLAIRE) -> KeeperCode:
    """The owner gives a keeper this code, on a card."""
    code = stored_code(number, keeper)
    assert await store.keepers.add_code(code, NOW)
    return KeeperCode(code=code.id, keeper=keeper)


class KeptBox:
    """A box with a key safe; Claire has the code 1, the company 2, and a keeper of another entrance 3."""

    def __init__(self, made: ShellBox) -> None:
        self.box = made
        self.hang_up(is_there=True)
        made.answers |= {name: DoorReport(door=DoorState.CLOSED) for name in ("flap-door", "hall-door")}

    def hang_up(self, *, is_there: bool) -> None:
        """Whether the key hangs on its hook, when somebody queries it."""
        self.box.answers["hook"] = KeyReport(present=is_there)

    async def scans(self, *codes: str) -> None:
        """Codes before the scanner, one after the other."""
        for code in codes:
            self.box.scan(code)
            await self.box.quiet()

    async def opens(self, number: int = 1) -> str:
        """Parcel and keeper's code are scanned, nobody answers, and the order to open leaves; the visit's id."""
        await self.scans(PARCEL)
        visit = await self.box.ring(code_text(number))
        await self.box.commits(visit)
        await wait_until(lambda: self.box.line.on("perron/flap/set"))
        return visit

    async def takes_key(self, number: int = 1) -> str:
        """The key is out."""
        visit = await self.opens(number)
        await self.hangs(is_there=False)
        await wait_until(lambda: self.notes()[-1:] == [f"key_taken:{self.holder()}"])
        return visit

    async def hangs(self, *, is_there: bool) -> None:
        """The key is taken from its hook, or hangs there again; then the flap is shut."""
        self.hang_up(is_there=is_there)
        self.box.says("flap-door", DoorReport(door=DoorState.OPEN))
        self.box.says("hook", KeyReport(present=is_there))
        self.box.says("flap-door", DoorReport(door=DoorState.CLOSED))
        await self.box.quiet()

    async def brings_key(self) -> None:
        """The key hangs there again, and the flap is shut."""
        await self.hangs(is_there=True)

    async def announce_with_token(self) -> str:
        """The shop announces another parcel, with a courier's token; the SHA-256 of it."""
        digest = courier_token_digest(bytes(16))
        offer = make_offer(id="d2", parcels=("LX123456785FR",), courier_sha256=digest)
        assert (await receive(self.box.store, offer, now=NOW)).result.accepted
        return digest

    def holder(self) -> str:
        visit = self.box.front.state.visit
        return "" if visit is None else visit.holder

    def notes(self) -> list[str]:
        return [note.what for note in self.box.commands(LogNote)]

    def refusals(self) -> list[str]:
        """Why scans were refused."""
        return [one.refusal.value for one in self.box.commands(AnswerScan) if one.refusal is not None]


@asynccontextmanager
async def kept_box(folder: Path, *, announces: bool = True, runs: bool = True) -> AsyncIterator[KeptBox]:
    """The middle of a window at a key safe, on a good day; a parcel is announced."""
    time = ManualTime(mono=IN_WINDOW_MONO_S)
    async with box(folder, home_with_keepers(folder), time=time) as made:
        kept = KeptBox(made)
        for number, keeper in ((1, CLAIRE), (2, COMPANY), (3, STRANGER)):
            await give_code(made.store, number, keeper)
        if announces:
            answer = await receive(made.store, make_offer(courier_sha256=None), now=NOW)
            assert answer.result.accepted, answer.result
        if not runs:
            yield kept
            return
        async with run_box(made):
            await made.good_day()
            yield kept
