"""What the owner is told, word for word."""

import re
import string
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
import structlog
from hypothesis import example, given
from hypothesis import strategies as st

from devices.reports import BatteryLevel, OperationError
from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.delivery.features import Dimensions
from gateway.domain.delivery.result import Refusal
from gateway.domain.now import Now
from gateway.domain.visit.closures import BoltedDoor, CarBoot, Compartment, GarageDoor, KeySafe
from gateway.domain.visit.closures.compartment import OCCUPIED
from gateway.domain.visit.closures.contract import Fact
from gateway.domain.visit.closures.key_safe import ABSENT
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.domain.visit.conditions import AlarmPanel, ColdChain, Presence
from gateway.domain.visit.fence import Fence
from gateway.domain.visit.readiness import missing_conditions
from gateway.domain.visit.state import Entrance, Rules, SafeMode
from gateway.runtime.notifications.texts import (
    ALARM_TEXTS,
    BROKER_ACCOUNT,
    NOTIFICATION_TEXTS,
    READINESS_TEXTS,
    REFUSAL_TEXTS,
    ComposedMessage,
    log_message,
    message_facts,
    worded,
)
from gateway.system.i18n import Language, languages
from gateway.system.text import MAX_NAME_CHARS, isolate_direction, sanitized, without_links

PARIS = ZoneInfo("Europe/Paris")
NOW = Now(utc=datetime(2026, 6, 1, 12, 7, 59, tzinfo=UTC), trusted=True, mono=5)
LANGUAGES: tuple[Language, ...] = languages()


def known(**facts: str) -> dict[str, str]:
    return facts


FACTS = known(brand="Cdiscount", carrier="Chronopost", seconds="20")


def said(about: Notification | AlarmCode, language: Language, facts: dict[str, str] = FACTS, now: Now = NOW) -> str:
    return worded(about, message_facts(now.utc, PARIS, trusted=now.trusted, **facts), language)


def test_every_notification_alarm_and_refusal_has_its_words() -> None:
    assert set(NOTIFICATION_TEXTS) == set(Notification)
    assert set(ALARM_TEXTS) == set(AlarmCode)
    assert set(REFUSAL_TEXTS) == set(Refusal)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("about", [*Notification, *AlarmCode])
@pytest.mark.parametrize("facts", [known(), FACTS, known(entrance="Front door", place="hall", detail="x")])
def test_every_sentence_is_whole_whatever_is_known(
    about: Notification | AlarmCode, language: Language, facts: dict[str, str]
) -> None:
    text = said(about, language, facts)
    assert not set(text) & set("[]{}")
    assert "  " not in text
    assert "()" not in text
    assert text == text.strip()


@pytest.mark.parametrize(
    ("about", "language", "text"),
    [
        (Notification.AT_THE_DOOR, "fr", "Chronopost est à la porte pour Cdiscount, ouverture dans 20 s"),
        (Notification.AT_THE_DOOR, "en", "Chronopost is at the door for Cdiscount, opening in 20 s"),
        (Notification.LOCKED_AGAIN, "fr", "Reverrouillé à 14:07 (Cdiscount)"),
        (Notification.LOCKED_AGAIN, "en", "Locked again 14:07 (Cdiscount)"),
        (AlarmCode.LOCK_JAMMED, "en", "Alarm 14:07: the lock is jammed"),
    ],
)
def test_the_owner_reads(about: Notification | AlarmCode, language: Language, text: str) -> None:
    assert said(about, language) == text


def test_an_alarm_and_a_saying_of_the_same_word_are_two_sentences() -> None:
    assert said(Notification.SAFE_MODE, "en") != said(AlarmCode.SAFE_MODE, "en")
    assert said(Notification.STOPPED_INSIDE, "en") != said(AlarmCode.STOPPED_INSIDE, "en")


def test_why_a_lock_did_not_obey_is_told_in_words() -> None:
    text = said(AlarmCode.LOCK_REFUSED, "en", known(detail=OperationError.INSUFFICIENT_BATTERY))
    assert text == "Alarm 14:07: the lock did not obey: its battery is too weak"
    for language in LANGUAGES:
        told = {said(AlarmCode.LOCK_REFUSED, language, known(detail=failure)) for failure in OperationError}
        assert len(told) == len(OperationError), "each reason has words of its own"


def test_an_own_parcel_is_named_in_the_language_of_whoever_reads() -> None:
    facts = known(brand="Own parcel", own_parcel="yes")
    assert said(Notification.LOCKED_AGAIN, "fr", facts) == "Reverrouillé à 14:07 (Mon colis)"
    assert said(Notification.LOCKED_AGAIN, "en", facts) == "Locked again 14:07 (Own parcel)"


def test_a_refusal_is_told_in_words() -> None:
    text = said(Notification.NOT_OPENED, "fr", known(detail=Refusal.FRIDGE_TOO_WARM))
    assert text == "La porte est restée fermée : réfrigérateur trop chaud"


def test_what_an_entrance_lacks_is_told_in_words() -> None:
    state = Entrance(
        id="front",
        rules=Rules(
            cameras={"outside": True},
            conditions=(ColdChain(), Presence(people=("claire",)), AlarmPanel(device="panel")),
            closures=(
                GarageDoor(id="gate").model_copy(update={"obstruction_sensor": True}),
                BoltedDoor(id="door"),
                Compartment(id="c1", devices=dict.fromkeys(("latch", "lid", "content"), "c1"), size=(100, 100, 100)),
                Compartment(id="c2", devices=dict.fromkeys(("latch", "lid", "content"), "c2")),
                KeySafe(id="safe"),
                KeySafe(id="safe2"),
                CarBoot(id="car"),
                *(CarBoot(id=name, fence=Fence(latitude=48, longitude=2)) for name in ("car2", "car3")),
            ),
        ),
        facts={
            "c2/content": Fact(value=OCCUPIED),
            "safe2/key": Fact(value=ABSENT),
            "car2/boot": Fact(value="open"),
            "car2/locked": Fact(value="unlocked"),
            "car2/parked": Fact(value="driving"),
            "car2/place": Fact(value="away"),
        },
        window_near=True,
        safe=SafeMode(),
        walk_test_failed=True,
        batteries=dict.fromkeys(("lock", "door"), BatteryLevel.CRITICAL),
    )
    lacked = missing_conditions(state, cold_delivery(), Now(utc=NOW.utc, trusted=False, mono=0))
    words = {word.partition("/")[2] or word for word in lacked}
    assert {word if word in READINESS_TEXTS else word.partition(":")[0] for word in words} == (
        # Known at the door only: which robot comes, a guest's code; of a fridge only the first reason is named
        set(READINESS_TEXTS) - {BROKER_ACCOUNT, "robot", "fridge_too_cold", "fridge_full", "code"}
    )
    for word in ("fridge_too_cold", "fridge_full"):
        assert READINESS_TEXTS[word].to("en") in said(Notification.NOT_READY, "en", known(detail=word))
    text = said(Notification.NOT_READY, "en", known(detail=", ".join(lacked)))
    assert "the door is not proven closed" in text
    assert "the lock's battery needs changing" in text
    assert "no pictures from outside" in text
    assert not any(word in text for word in ("safe_mode", "camera:"))
    assert "quelque\u202ex" not in said(Notification.NOT_READY, "fr", known(detail="camera:quelque\u202ex, something"))


def cold_delivery() -> VisitDelivery:
    return VisitDelivery(
        id="d",
        version=1,
        permission_version=1,
        brand="b",
        carrier="c",
        entrance="front",
        place="fridge",
        refusal=None,
        start=NOW.utc,
        end=NOW.utc,
        openings_left=1,
        withdrawals_left=2,
        cold_max_c=5,
        dimensions=Dimensions(length=900, width=100, height=100),
    )


def test_an_unknown_courier_is_a_courier() -> None:
    assert said(Notification.AT_THE_DOOR, "en", known()) == "A courier is at the door"


def test_a_time_that_is_not_trusted_is_not_claimed() -> None:
    untrusted = Now(utc=NOW.utc, trusted=False, mono=5)
    assert said(Notification.LOCKED_AGAIN, "en", known(), untrusted) == "Locked again 14:07 (time not certain)"


def test_the_time_is_the_houses_on_both_sides_of_summer_time() -> None:
    winter = Now(utc=datetime(2026, 12, 1, 12, 7, tzinfo=UTC), trusted=True, mono=5)
    assert said(Notification.LOCKED_AGAIN, "en", known(), winter) == "Locked again 13:07"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Cdiscount", "Cdiscount"),
        ("Évian & fils", "Évian & fils"),
        ("line\nbreak\r\n2026 fake log line", "line break 2026 fake log line"),
        ("evil\u202etxt.exe", "eviltxt.exe"),
        ("a\u2066b\u2069c\u200bd\ufeff", "abcd"),
        ("nul\0bell\a\x1b[31mred", "nulbell[31mred"),
        ("  many \u00a0\u3000 blanks\u2028 ", "many blanks"),
        ("\ud800surrogate", "surrogate"),
        ("x" * 1000, "x" * (MAX_NAME_CHARS - 1) + "…"),
        ("\u202e", ""),
        ("a" + "\u0316" * 90 + "b", "a\u0316\u0316\u0316b"),
        ("Điện Biên Phủ", "Điện Biên Phủ"),
        ("מָזוֹן", "מָזוֹן"),
    ],
)
def test_a_hostile_name_is_inert(name: str, shown: str) -> None:
    assert sanitized(name) == shown


@pytest.mark.parametrize("name", ["מזון", "كارفور 24", "Shop מזון"])
def test_a_name_from_right_to_left_turns_nothing_that_follows_it(name: str) -> None:
    text = said(Notification.AT_THE_DOOR, "en", known(carrier=name, brand="Cdiscount", seconds="20"))
    assert text == f"\u2068{name}\u2069 is at the door for Cdiscount, opening in 20 s"
    assert isolate_direction(isolate_direction(name)) == isolate_direction(name)
    assert isolate_direction("Cdiscount") == "Cdiscount"


def test_a_name_that_looks_like_a_template_stays_a_name() -> None:
    text = said(Notification.AT_THE_DOOR, "en", known(brand="{time}[x {detail}]", carrier="{0.__class__}"))
    assert text == "{0.__class__} is at the door for {time}(x {detail})".replace("_", "\uff3f")


@pytest.mark.parametrize(
    "name",
    ["Müller & Söhne (Paris)", "L'Épicerie", "C&A", "Dr. Oetker", "Marks & Spencer", "7-Eleven", "Évian n° 3",
     "Boulangerie Paul, Lyon", "Mo-Fr 9-17 h", "50 % off!", "Ça & là"],
)  # fmt: skip
def test_a_shop_s_name_reads_on_a_phone_as_it_is_written(name: str) -> None:
    assert without_links(name) == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("https://evil.example/pay", "evil\u2024example/pay"),
        ("[Payer 1,99](https://evil.example)", "(Payer 1,99)(evil\u2024example)"),
        ("www.evil.example", "www\u2024evil\u2024example"),
        ("evil\uff0eexample", "evil\u2024example"),
        ("Shop HTTPS:////evil.example", "Shop evil\u2024example"),
        ("tel:0899", "tel: 0899"),
        ("@all <@everyone> #channel", "\uff20all \u2039\uff20everyone\u203a \uff03channel"),
        (
            "**bold** _it_ `code` ~~no~~ |",
            "\u2217\u2217bold\u2217\u2217 \uff3fit\uff3f 'code' \u223c\u223cno\u223c\u223c \u00a6",
        ),
        ("💩.la/pay", "💩\u2024la/pay"),
        ("i❤.ws", "i❤\u2024ws"),
        ("i❤️.ws", "i❤️\u2024ws"),
        ("evil-.com", "evil-\u2024com"),
        ("evil.💩", "evil\u2024💩"),
        ("evil﹒com", "evil\u2024com"),
        ("evil..com", "evil.\u2024com"),
        ("Amazon.fr", "Amazon\u2024fr"),
        ("S.Oliver", "S\u2024Oliver"),
    ],
)
def test_what_a_messenger_would_make_a_link_a_mention_or_markup_is_a_name_and_no_more(name: str, shown: str) -> None:
    assert without_links(name) == shown


@given(st.text(string.ascii_letters + string.punctuation + " .。\uff0e\uff1a\uff0f") | st.text())
@example("line_damaged")
@example(";\u3002.<")
def test_no_name_from_outside_is_a_link_a_mention_or_markup_in_a_message(name: str) -> None:
    facts = known(brand=name, carrier=name, entrance=name, place=name, detail=name)
    for about in (*Notification, *AlarmCode):
        text = said(about, "en", facts)
        plain = said(about, "en", known(brand="x", carrier="x", entrance="x", place="x", detail="x"))
        for mark in ("://", "www.", "@", "*", "_", "`", "[", "]", "<", ">", "|", "~", "#"):
            assert mark not in text or mark in plain, (about, mark)
        assert re.search(r"\w[.]\w", text) is None or re.search(r"\w[.]\w", plain) is not None, about
    assert without_links(without_links(name)) == without_links(name)


DOTS = ".\u3002\ufe52\uff0e\uff61"  # what a browser reads as a dot in a host's name


@example(".", "0", ".", "\u05d0")
@given(st.text(string.printable + DOTS + "é漢💩❤\ufe0f-"), st.characters(categories=["L", "N", "P", "S"]),
       st.sampled_from(DOTS), st.characters(categories=["L", "Nd"]))  # fmt: skip
def test_in_a_name_no_dot_stands_between_a_character_and_a_letter_or_a_digit(
    name: str, before: str, dot: str, after: str
) -> None:
    shown = without_links(f"{name[:20]}{before}{dot}{after}")
    assert re.search(rf"\S[{DOTS}](?=[^\W_])", shown) is None


@given(st.text(string.printable + "\u202e\u2066\u0000\u0085é漢"))
def test_no_name_breaks_the_line_or_hides_a_character(name: str) -> None:
    text = said(Notification.AT_THE_DOOR, "fr", known(brand=name, carrier=name, entrance=name, detail=name))
    assert text.isprintable()
    assert len(text.splitlines()) == 1


def test_the_log_keeps_what_was_said_but_no_picture() -> None:
    with structlog.testing.capture_logs() as lines:
        message = ComposedMessage(
            about=AlarmCode.DISK_FULL, facts={"time": "14:07"}, at=NOW.utc, visit="v1", picture=b"\xff\xd8"
        )
        log_message(message, message.words("en"))
    assert lines == [
        {
            "event": "told_owner",
            "log_level": "info",
            "about": "disk_full",
            "text": "Alarm 14:07: the disk is full or failing, no more openings",
            "urgent": True,
            "visit": "v1",
            "delivery": None,
            "picture_bytes": 2,
        }
    ]
