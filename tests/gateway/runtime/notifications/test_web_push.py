"""Web Push to a service of the tests' own: encrypted for the browser alone, signed for the service, and bounded."""

import json
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from socket import AddressFamily

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.domain.visit import commands as c
from gateway.installation.diagnostics.finding import FindingVerdict
from gateway.installation.diagnostics.house import phone_findings
from gateway.protocol.ed25519 import KeyDamaged, KeyUnusable
from gateway.protocol.keys import PUSH_KEY_FILE, push_key, renew_push_key
from gateway.runtime.notifications.action_links import OF_OWNERS, LinkPurpose
from gateway.runtime.notifications.batching import Button, PhoneNotification
from gateway.runtime.notifications.categories import MessageCategory, category, format_muted, parse_muted
from gateway.runtime.notifications.contacts import PhoneUrlError
from gateway.runtime.notifications.phone import SendResult
from gateway.runtime.notifications.pictures import MAX_PICTURES, PICTURE_LIFETIME, PictureShelf
from gateway.runtime.notifications.queue import MESSAGE_ACTIONS
from gateway.runtime.notifications.web_push import (
    MAX_ENDPOINT_CHARS,
    BadSubscriptionError,
    PushServices,
    PushSettings,
    parse_subscription,
    payload,
)
from gateway.storage.push_subscriptions import MAX_SUBSCRIPTIONS_PER_PERSON, PushSubscription
from gateway.system.base64url import decode_base64url
from gateway.system.destinations import DestinationPolicy
from gateway.web.auth.accounts import SessionSecrets, UserAccounts
from gateway.web.auth.roles import ROLE_RIGHTS, Role, UserRight
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import NOW, make_offer
from tests.gateway.installation.diagnostics.english import read_finding as read_out
from tests.gateway.web.house import ANNA_PASSWORD, cheap_passwords, signed_in
from tests.pushservice import PushBrowser, PushService, push_service
from tests.shell.box import IN_WINDOW_MONO_S, ShellBox, box, run_box
from tests.shell.house import PARCEL, make_home
from tests.shell.parts import ManualTime
from tests.waiting import wait_until

PICTURE = b"\xff\xd8 a picture of the door \xff\xd9"


@dataclass
class PushHouse:
    """A box whose pictures and pushes are real, a push service, and who has an account."""

    box: ShellBox
    service: PushService
    accounts: UserAccounts
    anna: SessionSecrets

    async def subscribe(
        self, who: SessionSecrets | None = None, *, browser: PushBrowser | None = None, language: str = "en"
    ) -> PushBrowser:
        """A browser in which somebody is signed in is told from now on."""
        user, browser = (who or self.anna).user, browser or PushBrowser(self.service)
        error = await self.box.phonebook.add_browser(
            browser.fields, device=user.device, person=user.person, language=language
        )
        assert error is None, error
        return browser

    async def guest(self, name: str, role: Role = Role.HOUSEHOLD) -> SessionSecrets:
        now = self.box.clock.now()
        await self.accounts.confirm_password(self.anna.user, ANNA_PASSWORD, now)
        invited = await self.accounts.invite(self.anna.user, role, now)
        return signed_in(await self.accounts.accept_invitation(invited.text, name, ANNA_PASSWORD, now))

    async def again(self, name: str = "Anna") -> SessionSecrets:
        """The same person, in another browser."""
        now = self.box.clock.now()
        return signed_in(await self.accounts.sign_in(name, ANNA_PASSWORD, address="a", device=None, now=now))

    async def tell(self, about: c.Notification, **details: str) -> None:
        """The box tells its owner something, through its store as a decision does."""
        made = self.box
        command = c.NotifyOwner(notification=about, **details)  # type: ignore[arg-type]  # text of the tests' own
        body = json.dumps({"command": "Tell", "saying": about.value, **details}).encode()

        def stored(db: object) -> int:
            from gateway.storage.outbox import queue_message  # noqa: PLC0415 - as the journal calls it

            return queue_message(db, "front", None, body, made.clock.now())  # type: ignore[arg-type]  # the connection

        number = await made.store.phones.write(stored)
        made.office.notify(command, made.front.state, made.clock.now(), message=number, picture=None)

    async def until(self, count: int) -> None:
        """Wait until the service has so many messages."""
        await wait_until(lambda: len(self.service.got) >= count)


@asynccontextmanager
async def pushing_house(folder: Path) -> AsyncIterator[PushHouse]:
    async with push_service(folder / "push") as service:
        house = make_home(folder).model_copy(update={"push": service.section})
        async with box(folder, house, time=ManualTime(mono=IN_WINDOW_MONO_S)) as made, run_box(made):
            await receive(made.store, make_offer(), now=NOW)
            await made.good_day()
            await made.quiet()
            accounts = UserAccounts(made.store, made.clock.now(), passwords=cheap_passwords())
            now = made.clock.now()
            anna = signed_in(await accounts.claim(await accounts.make_claim_code(now), "Anna", ANNA_PASSWORD, now))
            yield PushHouse(made, service, accounts, anna)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[PushHouse]:
    async with pushing_house(tmp_path) as made:
        yield made


async def test_what_rings_reaches_the_browser_in_its_language_with_both_answers_and_a_link_to_the_picture(
    house: PushHouse,
) -> None:
    french = await house.subscribe(language="fr")
    await house.box.ring(PARCEL)
    await house.until(1)
    (message,) = house.service.got
    assert message.path == french.path
    said = message.said
    assert said["title"] == house.box.home.name
    assert "est à la porte" in said["body"]
    assert (said["language"], said["ringing"], said["urgent"]) == ("fr", True, False)
    assert [one["action"] for one in said["actions"]][:1] == ["veto"]
    assert said["actions"][0]["title"] == "Ne pas ouvrir"
    assert said["actions"][0]["path"].startswith("/link/")
    assert said["actions"][0]["at_once"] is True
    headers = message.headers
    assert (headers["Urgency"], headers["TTL"], headers["Content-Encoding"]) == ("high", "900", "aes128gcm")
    assert len(headers["Topic"]) <= 32
    assert said["tag"].startswith("visit front.")
    token = said["picture"].removeprefix("/push/picture/")
    assert house.box.pushes.pictures.take(token, house.box.clock.now()) == house.box.eyes.jpeg


async def test_the_push_service_reads_nothing_and_is_told_nothing_but_how_urgent_it_is(house: PushHouse) -> None:
    await house.subscribe()
    await house.box.ring(PARCEL)
    await house.until(1)
    (message,) = house.service.got
    sent = message.body + json.dumps(message.headers).encode()
    for secret in (house.box.home.name, "door", "link/", PARCEL, "front"):
        assert secret.encode() not in sent, secret
    assert set(message.headers) <= {
        "Host", "Authorization", "Content-Encoding", "Content-Type", "TTL", "Urgency", "Topic", "Accept",
        "User-Agent", "Content-Length",
    }  # fmt: skip
    assert message.claims["aud"] == house.service.address
    hours = message.claims["exp"] - house.box.clock.now().utc.timestamp()
    assert 0 < hours <= 24 * 3600


def test_the_encryption_is_that_of_the_standard_s_own_example() -> None:
    """RFC 8291, appendix A: same keys, same salt, same bytes."""
    private = ec.derive_private_key(
        int.from_bytes(decode_base64url("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")), ec.SECP256R1()
    )
    encrypted = http_ece.encrypt(
        b"When I grow up, I want to be a watermelon",
        salt=decode_base64url("DGv6ra1nlYgDCS1FRnbzlw"),
        private_key=private,
        dh=decode_base64url("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
        auth_secret=decode_base64url("BTBZMqHH6r4Tts7J_aSIgg"),
        version="aes128gcm",
    )
    assert encrypted == decode_base64url(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3"
        "jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


async def test_the_result_of_a_visit_replaces_its_ringing_on_the_way_and_on_the_phone_and_an_alarm_replaces_nothing(
    house: PushHouse,
) -> None:
    await house.subscribe()
    pocket, now = house.box.pocket, house.box.clock.now()
    told = {}
    for about in (c.Notification.AT_THE_DOOR, c.Notification.LOCKED_AGAIN, c.AlarmCode.NOT_LOCKED):
        composed = house.box.office._composer.compose(  # noqa: SLF001 - as the outbox does
            c.RaiseAlarm(code=about) if isinstance(about, c.AlarmCode) else c.NotifyOwner(notification=about),
            "front", None, now,
        )  # fmt: skip
        told[about] = pocket.compose([replace(composed, visit="v1", number=7)], now, "en")
    ringing, locked, alarm = told.values()
    assert ringing.subject == locked.subject == "visit front.v1"
    assert (alarm.subject, alarm.alone, alarm.urgent) == (None, "message 7", True)


@pytest.mark.parametrize(
    ("notification", "urgency", "days"),
    [
        (PhoneNotification(title="t", text="t", is_ringing=True, subject="visit a.b"), "high", 0.25 / 24),
        (PhoneNotification(title="t", text="t", urgent=True), "high", 28),
        (PhoneNotification(title="t", text="t"), "normal", 3),
    ],
)
async def test_an_alarm_wakes_the_phone_and_waits_for_it_longest(
    house: PushHouse, notification: PhoneNotification, urgency: str, days: float
) -> None:
    await house.subscribe()
    (phone,) = house.box.pushes.phones()
    assert await phone.send(notification) is SendResult.TAKEN
    headers = house.service.got[-1].headers
    assert (headers["Urgency"], int(headers["TTL"])) == (urgency, round(days * 24 * 3600))
    assert ("Topic" in headers) is (notification.subject is not None)


async def test_a_picture_is_fetched_once_by_a_link_that_nobody_can_guess(house: PushHouse) -> None:
    shelf, now = PictureShelf(), house.box.clock.now()
    path = shelf.put(PICTURE, now)
    token = path.rpartition("/")[2]
    assert len(token) >= 32
    assert shelf.take("guessed", now) is None
    assert shelf.take(token, now) == PICTURE
    assert shelf.take(token, now) is None, "once"
    late = shelf.put(PICTURE, now).rpartition("/")[2]
    assert shelf.take(late, replace(now, mono=now.mono + PICTURE_LIFETIME.total_seconds())) is None
    kept = [shelf.put(PICTURE, now).rpartition("/")[2] for _ in range(MAX_PICTURES + 5)]
    assert [shelf.take(one, now) for one in kept[:5]] == [None] * 5, "the oldest go"


async def test_a_household_member_s_phone_gets_no_answer_that_only_an_owner_may_give(house: PushHouse) -> None:
    bruno = await house.guest("Bruno")
    await house.subscribe(bruno)
    phone = next(one for one in house.box.pushes.phones())
    assert not phone.decides_brands
    for purpose in LinkPurpose:
        right = {
            LinkPurpose.STOP: UserRight.STOP, LinkPurpose.APPROVE: UserRight.DECIDE_AT_DOOR,
            LinkPurpose.VETO: UserRight.DECIDE_AT_DOOR, LinkPurpose.PERMIT: UserRight.DECIDE_BRANDS,
            LinkPurpose.REFUSE_BRAND: UserRight.DECIDE_BRANDS, LinkPurpose.GIVE_TIME: UserRight.DECIDE_AT_DOOR,
            LinkPurpose.REFUSE_TIME: UserRight.DECIDE_AT_DOOR,
        }[purpose]  # fmt: skip
        assert (right in ROLE_RIGHTS[Role.HOUSEHOLD]) is (purpose not in OF_OWNERS), purpose


async def test_an_installer_is_told_nothing(house: PushHouse) -> None:
    ines = (await house.guest("Ines", Role.INSTALLER)).user
    fields = PushBrowser(house.service).fields
    error = await house.box.phonebook.add_browser(fields, device=ines.device, person=ines.person, language="en")
    assert error is PhoneUrlError.SIGNED_OUT
    assert house.box.pushes.phones() == ()
    assert house.box.phonebook.list_phones() == ()


@pytest.mark.parametrize("status", [404, 410])
async def test_a_browser_that_its_service_no_longer_knows_is_forgotten_and_others_get_what_waited(
    house: PushHouse, status: int
) -> None:
    await house.subscribe()
    house.service.status = status
    await house.tell(c.Notification.BATTERY_SOON, detail="lock")
    await wait_until(lambda: not house.box.phonebook.list_phones())
    assert house.box.pushes.phones() == ()
    assert len(house.service.requests) == 1, "asked once, not again and again"


@pytest.mark.parametrize("how", ["removed", "signed out", "password", "session ended"])
async def test_who_loses_access_is_told_nothing_from_that_moment_on(house: PushHouse, how: str) -> None:
    bruno, now = await house.guest("Bruno"), house.box.clock.now()
    await house.subscribe(bruno)
    anna = await house.subscribe()
    match how:
        case "removed":
            await house.accounts.remove_person(house.anna.user, bruno.user.person, now)
        case "signed out":
            await house.accounts.sign_out(bruno.user)
        case "password":
            other = await house.again("Bruno")
            await house.accounts.change_password(other.user, ANNA_PASSWORD, "eight yellow swans", now)
        case _:
            await house.accounts.end_session(house.anna.user, bruno.user.session, now)
    await house.tell(c.Notification.BATTERY_SOON, detail="lock")
    await house.until(1)
    assert [one.path for one in house.service.got] == [anna.path]
    assert house.service.requests == [anna.path]
    await wait_until(lambda: len(house.box.phonebook.list_phones()) == 1)


async def test_a_phone_that_is_used_for_nothing_but_messages_stays_known(house: PushHouse) -> None:
    await house.subscribe()
    late = house.box.clock.now().utc + timedelta(days=900)
    await house.box.store.accounts.expire_sessions(
        late, idle=timedelta(days=14), oldest=timedelta(days=90), known=timedelta(days=400)
    )
    assert len(house.box.pushes.phones()) == 1


async def test_each_person_chooses_what_each_phone_is_told(house: PushHouse) -> None:
    first = await house.subscribe()
    second = await house.subscribe(await house.again())
    mine = {one.device: one.name for one in house.box.phonebook.list_phones()}
    await house.box.phonebook.set_muted(mine[house.anna.user.device], frozenset({MessageCategory.UPKEEP}))
    await house.tell(c.Notification.BATTERY_SOON, detail="lock")
    await house.until(1)
    assert [one.path for one in house.service.got] == [second.path]
    await house.tell(c.Notification.NEW_KEY, detail="shop")
    await house.until(3)
    assert {one.path for one in house.service.got[1:]} == {first.path, second.path}
    await house.box.phonebook.set_muted(mine[house.anna.user.device], frozenset())
    await house.tell(c.Notification.MOVED)
    await house.until(5)
    assert len(house.service.got) == 5, "what it was not told is not told later"


async def test_another_phone_of_the_same_person_begins_with_what_the_person_chose(house: PushHouse) -> None:
    await house.subscribe()
    (one,) = house.box.phonebook.list_phones()
    await house.box.phonebook.set_muted(one.name, frozenset({MessageCategory.READINESS}))
    await house.subscribe(await house.again())
    await house.subscribe(await house.guest("Bruno"))
    muted = [one.muted for one in house.box.phonebook.list_phones()]
    assert sorted(map(len, muted)) == [0, 1, 1]


async def test_the_last_phone_that_is_told_alarms_is_known(house: PushHouse) -> None:
    await house.subscribe()
    book, alarms = house.box.phonebook, frozenset({MessageCategory.ALARM})
    (first,) = book.list_phones()
    assert book.silences_alarms(first.name, alarms)
    assert not book.silences_alarms(first.name, frozenset({MessageCategory.UPKEEP}))
    await house.subscribe(await house.again())
    assert book.silences_alarms(first.name, alarms), "the other one has never answered"
    await house.tell(c.Notification.BATTERY_SOON, detail="lock")
    await wait_until(lambda: all(one.standing.heard == SendResult.TAKEN for one in book.list_phones()))
    assert not book.silences_alarms(first.name, alarms)
    other = next(one for one in book.list_phones() if one.name != first.name)
    await book.set_muted(other.name, alarms)
    assert book.silences_alarms(first.name, alarms)


def test_every_message_has_a_category_and_every_alarm_is_one() -> None:
    for about in (*c.Notification, *c.AlarmCode):
        assert category(about) in MessageCategory
    assert {category(alarm) for alarm in c.AlarmCode} == {MessageCategory.ALARM}
    assert parse_muted(format_muted(frozenset(MessageCategory))) == frozenset(MessageCategory)
    assert parse_muted("alarm,of a later version,") == {MessageCategory.ALARM}
    assert parse_muted("") == frozenset()


async def test_another_person_cannot_take_a_subscription_over_by_its_address_alone(house: PushHouse) -> None:
    browser = await house.subscribe()
    bruno = await house.guest("Bruno")
    forged = PushBrowser(house.service).fields | {"endpoint": browser.endpoint}
    book, user = house.box.phonebook, bruno.user
    error = await book.add_browser(forged, device=user.device, person=user.person, language="en")
    assert error is PhoneUrlError.TAKEN
    assert [one.person for one in book.list_phones()] == [house.anna.user.person]
    assert await book.add_browser(browser.fields, device=user.device, person=user.person, language="en") is None
    assert [one.person for one in book.list_phones()] == [user.person], "the same browser, in which he signed in"


async def test_thousands_of_subscriptions_leave_a_few(house: PushHouse) -> None:
    book, errors = house.box.phonebook, set()
    devices = [house.anna.user, *[(await house.again()).user for _ in range(MAX_SUBSCRIPTIONS_PER_PERSON + 2)]]
    for user in devices:
        for _ in range(20):
            fields = PushBrowser(house.service).fields
            errors.add(await book.add_browser(fields, device=user.device, person=user.person, language="en"))
    assert errors == {None, PhoneUrlError.TOO_MANY}
    assert len(book.list_phones()) == MAX_SUBSCRIPTIONS_PER_PERSON
    assert len({one.device for one in book.list_phones()}) == MAX_SUBSCRIPTIONS_PER_PERSON, "one a device"


GOOD = {
    "endpoint": "https://push.example.org/a",
    "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoint": "http://push.example.org/a"},
        {"endpoint": "https://127.0.0.1/a"},
        {"endpoint": "https://localhost:8443/a"},
        {"endpoint": "https://[::1]/a"},
        {"endpoint": "https://169.254.169.254/latest/meta-data"},
        {"endpoint": "https://2130706433/"},
        {"endpoint": "https://router.lan/"},
        {"endpoint": "https://user:pass@push.example.org/a"},
        {"endpoint": "file:///etc/passwd"},
        {"endpoint": "https://push.example.org:22/"},
        {"endpoint": f"https://push.example.org/{'a' * MAX_ENDPOINT_CHARS}"},
        {"endpoint": ""},
        {"p256dh": ""},
        {"p256dh": "A" * 100_000},
        {"p256dh": GOOD["p256dh"][:-2]},
        {"p256dh": "BA" + "A" * 85},
        {"auth": ""},
        {"auth": GOOD["auth"][:-2]},
        {"auth": "é" * 22},
        {"auth": GOOD["p256dh"]},
    ],
)
def test_what_is_no_subscription_is_refused(wrong: dict[str, str]) -> None:
    assert parse_subscription(GOOD, DestinationPolicy()).endpoint == GOOD["endpoint"]
    with pytest.raises(BadSubscriptionError):
        parse_subscription(GOOD | wrong, DestinationPolicy())


@given(st.dictionaries(st.sampled_from(["endpoint", "p256dh", "auth", "other"]), st.text(max_size=300)))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_a_browser_sends_is_a_subscription_or_none(fields: dict[str, str]) -> None:
    try:
        keys = parse_subscription(GOOD | fields, DestinationPolicy())
    except BadSubscriptionError:
        return
    assert keys.endpoint.startswith("https://")
    assert (len(keys.p256dh), len(keys.auth)) == (65, 16)


def _leads_to(address: str, _host: str, _port: int) -> list[tuple[AddressFamily, str]]:
    return [(AddressFamily.AF_INET, address)]


async def test_a_name_that_leads_into_the_house_is_not_followed(house: PushHouse) -> None:
    """The name is public, its address is not: the guard stands at the socket."""
    browser = PushBrowser(house.service)
    subscription = PushSubscription(
        phone="p", device="d", person="a", role="owner", browser=None, made=house.box.clock.now().utc,
        endpoint=f"https://push.example.org:{house.service.port}{browser.path}",
        p256dh=decode_base64url(browser.fields["p256dh"]), auth=browser.auth,
    )  # fmt: skip
    for address in ("127.0.0.1", "169.254.169.254", "192.168.1.1", "::ffff:127.0.0.1"):
        services = PushServices(
            house.box.store, house.box.clock, house.box.pushes.key, pictures=PictureShelf(),
            settings=PushSettings(lookup=partial(_leads_to, address)),
        )  # fmt: skip
        assert await services.post(subscription, b"x", {}) is SendResult.REFUSED
    assert house.service.requests == []


async def test_a_redirect_is_not_followed(house: PushHouse) -> None:
    await house.subscribe()
    inside = PushBrowser(house.service)
    house.service.status, house.service.headers = 307, {"Location": inside.endpoint}
    (phone,) = house.box.pushes.phones()
    assert await phone.send(PhoneNotification(title="t", text="t")) is SendResult.REFUSED
    assert inside.path not in house.service.requests


@pytest.mark.parametrize(("status", "result"), [(429, SendResult.REFUSED), (500, SendResult.REFUSED),
                                                (403, SendResult.REFUSED)])  # fmt: skip
async def test_a_service_that_fails_keeps_the_browser_and_the_message(
    house: PushHouse, status: int, result: SendResult
) -> None:
    await house.subscribe()
    house.service.status = status
    (phone,) = house.box.pushes.phones()
    assert await phone.send(PhoneNotification(title="t", text="t")) is result
    await house.tell(c.Notification.BATTERY_SOON, detail="lock")
    await wait_until(lambda: len(house.service.requests) >= 2)
    house.service.status = 201
    await house.tell(c.Notification.NEW_KEY, detail="shop")
    await house.until(2)
    assert len(house.box.pushes.phones()) == 1


def test_a_message_is_cut_to_what_a_push_service_takes() -> None:
    buttons = tuple(Button(label="é" * 60, url=None, action="veto", path=f"/link/{'t' * 500}") for _ in range(5))
    said = payload(
        PhoneNotification(title="é" * 64, text="né 🏠 " * 5000, buttons=buttons, late_text="x" * 60),
        picture=f"/push/picture/{'p' * 32}",
    )
    assert len(said) <= 3800
    read = json.loads(said)
    assert read["body"].endswith("…")
    assert len(read["actions"]) == 2


async def test_the_key_is_made_once_kept_to_the_box_and_renewed_for_the_next_household(tmp_path: Path) -> None:
    folder = tmp_path / "key"
    first = push_key(folder)
    assert push_key(folder).public_text == first.public_text
    assert stat.S_IMODE((folder / PUSH_KEY_FILE).stat().st_mode) == 0o600
    renew_push_key(folder)
    assert push_key(folder).public_text != first.public_text
    (folder / PUSH_KEY_FILE).chmod(0o644)
    with pytest.raises(KeyUnusable):
        push_key(folder)
    (folder / PUSH_KEY_FILE).chmod(0o600)
    (folder / PUSH_KEY_FILE).write_bytes(b"-----BEGIN nothing-----")
    with pytest.raises(KeyDamaged):
        push_key(folder)


async def test_the_doctor_says_how_many_browsers_are_notified_and_whether_they_were_reached(house: PushHouse) -> None:
    await house.subscribe()
    (found,) = map(read_out, await phone_findings(house.box.home))
    assert (found.verdict, found.said) == (FindingVerdict.GOOD, "browsers notified: 1")
    house.service.status = 500
    await house.tell(c.Notification.BATTERY_SOON, detail="lock")
    await wait_until(lambda: house.box.phonebook.list_phones()[0].standing.heard)
    (found,) = map(read_out, await phone_findings(house.box.home))
    assert (found.verdict, "1 of 1" in found.said) == (FindingVerdict.DOUBTFUL, True)


def test_every_message_with_a_button_is_one_that_a_phone_can_answer() -> None:
    assert all(actions for actions in MESSAGE_ACTIONS.values())
    assert MESSAGE_ACTIONS[c.Notification.ASKS_FOR_YES][:2] == (LinkPurpose.APPROVE, LinkPurpose.VETO)
