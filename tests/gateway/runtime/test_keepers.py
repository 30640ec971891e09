"""A keeper at the scanner of a real entrance: store, log, messages to the owner, and what a restart remembers."""

import json
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from devices.reports import ScanReport
from gateway.domain.visit import commands as c
from gateway.protocol.key_custody import KeyWord, key_custody
from gateway.runtime.notifications.texts import REFUSAL_TEXTS
from gateway.web.server.visit_story import StoryNames, story_lines
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import NOW, make_cancel
from tests.shell.house import PARCEL
from tests.shell.keepers import BACK_WITHIN_S, CLAIRE, COMPANY, KeptBox, code_text, kept_box
from tests.waiting import wait_until

PARIS = ZoneInfo("Europe/Paris")


async def withdraw(kept: KeptBox, *codes: str) -> None:
    """The owner withdraws codes, as the page does."""
    withdrawn = await kept.box.store.keepers.withdraw(codes, kept.box.clock.now(), by="p-anna")
    kept.box.reception.withdraw_keeper_codes(frozenset(withdrawn))
    await kept.box.quiet()


def messages(kept: KeptBox) -> list[str]:
    """The owner's messages, in English."""
    return [json.loads(one.payload)["text"] for one in kept.box.line.on("perron/entrance/front/message")]


async def test_the_owner_reads_the_name_from_the_door_to_the_hook(tmp_path: Path) -> None:
    async with kept_box(tmp_path) as kept:
        visit = await kept.takes_key()
        assert any(text.startswith("Claire Martin is at the door (Front) for shop") for text in messages(kept))
        due = (kept.box.clock.now().utc + timedelta(seconds=BACK_WITHIN_S)).astimezone(PARIS)
        assert f"Claire Martin has the key (Front), to be back by {due:%H:%M}" in messages(kept)
        kept.box.passes(BACK_WITHIN_S + 1)
        await kept.box.quiet()
        kept.box.passes(61)
        await wait_until(lambda: any("Claire Martin has it" in text for text in messages(kept)))
        assert any(text.startswith("Claire Martin still has the key") for text in messages(kept))
        await kept.brings_key()
        await wait_until(lambda: "key_returned:claire" in kept.notes())
        steps = key_custody(kept.box.store.log.bodies_of_visit(visit))
        held = {KeyWord.TAKEN, KeyWord.LATE, KeyWord.RETURNED}
        assert [(step.word, step.holder) for step in steps if step.word in held] == [
            (KeyWord.TAKEN, CLAIRE), (KeyWord.LATE, CLAIRE), (KeyWord.RETURNED, CLAIRE),
        ]  # fmt: skip


async def test_the_story_of_the_visit_names_the_keeper_in_both_languages(tmp_path: Path) -> None:
    async with kept_box(tmp_path) as kept:
        visit = await kept.takes_key(2)
        rows = kept.box.store.log.bodies_of_visit(visit)
        names = StoryNames(keepers={COMPANY: "Oh my keys"})
        english = [line.text for line in story_lines(rows, language="en", zone=PARIS, names=names)]
        french = [line.text for line in story_lines(rows, language="fr", zone=PARIS, names=names)]
        assert "Oh my keys takes the key from its hook" in english
        assert "Oh my keys prend la clé sur son crochet" in french
        assert "Code of Oh my keys read: the bell rings" in english


async def test_what_was_cancelled_between_parcel_and_code_stays_shut(tmp_path: Path) -> None:
    async with kept_box(tmp_path) as kept:
        await kept.scans(PARCEL)
        assert (await receive(kept.box.store, make_cancel(), now=NOW)).result.accepted
        await kept.scans(code_text(1))
        assert kept.refusals() == ["cancelled"]
        assert kept.box.front.state.visit is None


async def test_a_strangers_and_a_withdrawn_code_are_named_in_the_log_and_open_nothing(tmp_path: Path) -> None:
    async with kept_box(tmp_path) as kept:
        await withdraw(kept, "code-1")
        await kept.scans(PARCEL, code_text(3), code_text(1), code_text(99))
        assert kept.refusals() == ["keeper_not_accepted", "keeper_not_accepted", "unknown_code"]
        rows = [row["event"] for row in kept.box.store.log.bodies_of_kind("step") if row["event"].get("keeper")]
        assert [(row["keeper"], row["withdrawn"]) for row in rows] == [("bruno", False), ("claire", True)]
        assert kept.box.front.state.visit is None


async def test_a_code_that_is_withdrawn_while_it_rings_ends_the_visit(tmp_path: Path) -> None:
    async with kept_box(tmp_path) as kept:
        await kept.scans(PARCEL)
        await kept.box.ring(code_text(1))
        await withdraw(kept, "code-1")
        await wait_until(lambda: kept.box.front.state.visit is None)
        assert kept.refusals() == ["keeper_not_accepted"]
        said = REFUSAL_TEXTS[kept.box.commands(c.AnswerScan)[-1].refusal].to("en")
        assert any(said in text for text in messages(kept)), "the owner reads why nothing opened"


async def test_a_withdrawal_that_the_entrance_has_not_heard_of_yet_rolls_the_intent_back(tmp_path: Path) -> None:
    async with kept_box(tmp_path) as kept:
        await kept.scans(PARCEL)
        visit = await kept.box.ring(code_text(1))
        await kept.box.store.keepers.withdraw(("code-1",), kept.box.clock.now(), by="p-anna")
        await kept.box.commits(visit)
        await wait_until(lambda: kept.box.front.state.visit is None)
        assert not kept.box.line.on("perron/flap/set")
        assert kept.refusals() == ["keeper_not_accepted"]
        assert "overtaken TimerExpired" in kept.box.order


async def test_a_keeper_who_has_the_key_brings_it_back_although_the_code_is_withdrawn(tmp_path: Path) -> None:
    async with kept_box(tmp_path) as kept:
        await kept.takes_key()
        await withdraw(kept, "code-1")
        assert kept.holder() == CLAIRE
        await kept.brings_key()
        await wait_until(lambda: "key_returned:claire" in kept.notes())


async def test_a_full_disk_gives_nobody_the_key(tmp_path: Path) -> None:
    async with kept_box(tmp_path) as kept:
        await kept.scans(PARCEL)
        visit = await kept.box.ring(code_text(1))
        kept.box.journal.fails = lambda step: any(isinstance(one, c.ReserveOpening) for one in step.commands)
        await kept.box.commits(visit)
        await kept.box.quiet()
        assert not kept.box.line.on("perron/flap/set")


@pytest.mark.parametrize("order", [("parcel", "keeper"), ("keeper", "parcel")])
async def test_the_codes_come_in_any_order(tmp_path: Path, order: tuple[str, str]) -> None:
    async with kept_box(tmp_path) as kept:
        codes = {"parcel": PARCEL, "keeper": code_text(2)}
        await kept.scans(codes[order[0]])
        await kept.box.ring(codes[order[1]])
        assert kept.holder() == COMPANY


async def test_guessing_codes_locks_the_scanner_out(tmp_path: Path) -> None:
    async with kept_box(tmp_path) as kept:
        for guess in range(3):
            kept.box.says("scanner", ScanReport(code=code_text(1000 + guess)))
            await kept.box.quiet()
            kept.box.time.mono += 12
        await kept.scans(PARCEL, code_text(1))
        assert kept.refusals() == [*["unknown_code"] * 3, "locked_out", "locked_out"]


async def test_a_restart_remembers_who_has_the_key(tmp_path: Path) -> None:
    async with kept_box(tmp_path) as kept:
        await kept.takes_key()
        stored = kept.box.store.entrances.state("front")
        assert stored is not None
        assert stored.visit is not None
        assert stored.visit.holder == CLAIRE
        assert "key_taken" in stored.visit.entry.marks
