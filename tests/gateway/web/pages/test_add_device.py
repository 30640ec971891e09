"""The page on which the house file grows: proposed by whoever puts Perron up, accepted by the owner alone."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import pytest
from multidict import MultiDict

from devices.vendor_name import VendorOf
from gateway.config.devices import AnyDevice
from gateway.config.editor import build_section, check_home, parse_value, with_item
from gateway.config.loader import load_home_file
from gateway.installation.discovery import read_broker_message
from gateway.installation.proposal_checks import (
    MAX_PENDING_PROPOSALS,
    MAX_PROPOSAL_BYTES,
    PROPOSAL_KINDS,
    ProposalRequest,
)
from gateway.installation.proposal_workflow import Proposals
from gateway.web.auth.roles import Role
from gateway.web.pages.add_device_form import FORM_FIELDS, initial_values, read_form
from gateway.web.pages.household import activity_lines
from tests.gateway.web.house import ANNA_PASSWORD
from tests.gateway.web.pages.house_file import ENGLISH, PAGE, Home, home_with_file, posted
from tests.shell.box import box, run_box
from tests.shell.house import make_home
from tests.shell.site import make_proposals, serve_site

SECRET = "eleven:blue ladders"  # noqa: S105 - of a camera that lives for one test
EMPTY = "box: b\nname: n\ndevices: {}\nentrances: {}\n"
DOOR = {"kind": "door", "id": "back-door", "vendor": "esphome", "answers": "1"}
CAMERA = {"kind": "camera", "id": "porch", "vendor": "rtsp", "url": "rtsp://192.168.1.30/stream", "user": "admin",
          "secret": SECRET}  # fmt: skip
LOCK = {"kind": "lock", "id": "back-lock", "vendor": "zigbee2mqtt", "address": "zigbee2mqtt/back", "auto_lock": "no"}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Home]:
    async with home_with_file(tmp_path, {}) as made:
        yield made


def waiting(text: str) -> list[str]:
    """The proposals that the owner may take, in the order in which they are shown."""
    return re.findall(r'name="take" value="(\w+)"', text)


def problems(text: str) -> list[str]:
    return re.findall(r'<span class="bad" id="wrong-([^"]+)">', text)


async def test_an_installer_proposes_the_owner_is_told_at_home_and_accepts_with_his_password(house: Home) -> None:
    ines, owner = await house.site.guest(Role.INSTALLER, "Ines"), house.site.owner
    before = house.file.read_text(encoding="utf-8")
    assert (await house.post(ines, DOOR))[0] == 303
    assert house.file.read_text(encoding="utf-8") == before, "a proposal is not in the house"
    assert "wait for your word" not in await house.page(ines, "/")
    assert "One addition to the house waits for your word" in await house.page(owner, "/")
    theirs = await house.page(ines)
    assert "The owner sees it on the page Home" in theirs
    assert waiting(theirs) == []
    text = await house.page(owner)
    assert "back-door:\n  kind: door\n  vendor: esphome" in text
    assert "Proposed by Ines." in text
    (one,) = waiting(text)

    assert (await house.post(owner, {"take": one, "password": "not it"}, "accept"))[0] == 422
    assert (house.file.read_text(encoding="utf-8"), house.reread) == (before, [])
    assert (await house.post(owner, {"take": one, "password": ANNA_PASSWORD}, "accept"))[0] == 303
    assert load_home_file(house.file).devices["back-door"].kind == "door"
    assert house.reread == [""]
    assert "Accepted by Anna." in await house.page(owner)
    told = [one.text for one in activity_lines(house.site.box.store, "en", person=None)]
    assert told[:2] == ["Anna accepted into the house: Door sensor back-door (proposed by Ines)",
                        "Ines proposed for the house: Door sensor back-door"]  # fmt: skip


async def test_an_owner_s_own_addition_is_taken_at_once_with_his_password_and_waits_for_nobody(house: Home) -> None:
    owner, before = house.site.owner, house.file.read_bytes()
    page = await house.page(owner, f"{PAGE}?kind=door")
    assert 'name="password"' in page
    for password in ("", "not it"):
        assert (await house.post(owner, DOOR | {"password": password}))[0] == 422
    assert (house.file.read_bytes(), waiting(await house.page(owner))) == (before, [])
    assert (await house.post(owner, DOOR | {"password": ANNA_PASSWORD}))[0] == 303
    assert "back-door" in load_home_file(house.file).devices
    assert (house.reread, waiting(await house.page(owner))) == ([""], [])
    ines = await house.site.guest(Role.INSTALLER, "Ines")
    page = await house.page(ines, f"{PAGE}?kind=door")
    assert 'name="password"' not in page
    assert "<button>Propose</button>" in page


async def test_an_installer_can_accept_nothing_however_he_asks(house: Home) -> None:
    ines, bruno = await house.site.guest(Role.INSTALLER, "Ines"), await house.site.guest(Role.HOUSEHOLD)
    before = house.file.read_bytes()
    assert (await house.post(ines, DOOR | {"accepted": "1", "done": "true", "by": house.site.owner.user.person}))[
        0
    ] == 303
    (one,) = waiting(await house.page(house.site.owner))
    for who in (ines, bruno):
        for password in (ANNA_PASSWORD, ""):
            assert (await house.post(who, {"take": one, "password": password}, "accept"))[0] == 403
        assert (await house.post(who, {"proposal": one}, "refuse"))[0] == 403
    assert (await house.post(bruno, DOOR))[0] == 403
    assert (await house.post(bruno, {"proposal": one}, "withdraw"))[0] == 403
    assert (house.file.read_bytes(), house.reread) == (before, [])
    assert waiting(await house.page(house.site.owner)) == [one]


async def test_who_proposed_may_withdraw_and_nobody_else_s(house: Home) -> None:
    ines, ida = await house.site.guest(Role.INSTALLER, "Ines"), await house.site.guest(Role.INSTALLER, "Ida")
    await house.post(ines, CAMERA)
    (one,) = waiting(await house.page(house.site.owner))
    assert "Withdraw" not in await house.page(ida)
    assert (await house.post(ida, {"proposal": one}, "withdraw"))[0] == 403
    assert house.lies() == [f"{one}.login", "proposals.json"]
    assert (await house.post(ines, {"proposal": one}, "withdraw"))[0] == 303
    assert (house.lies(), waiting(await house.page(house.site.owner))) == (["proposals.json"], [])
    assert (await house.post(ines, {"proposal": one}, "withdraw"))[0] == 409


async def test_a_camera_s_account_is_kept_apart_shown_nowhere_and_goes_with_a_refusal(house: Home) -> None:
    ines = await house.site.guest(Role.INSTALLER, "Ines")
    assert (await house.post(ines, CAMERA))[0] == 303
    (one,) = waiting(await house.page(house.site.owner))
    login = house.folder / f"{one}.login"
    assert (login.read_text(), login.stat().st_mode & 0o777) == (f"admin:{SECRET}\n", 0o600)
    shown = await house.page(house.site.owner) + await house.page(ines)
    assert SECRET not in shown
    assert "credentials_file: cameras/porch.login" in shown
    assert SECRET not in (house.folder / "proposals.json").read_text(encoding="utf-8")
    assert not (house.file.parent / "cameras").exists(), (
        "nothing of it is beside the house file before the owner's word"
    )
    assert (await house.post(house.site.owner, {"proposal": one}, "refuse"))[0] == 303
    assert house.lies() == ["proposals.json"]
    rows = json.dumps([row.body for row in house.site.box.store.log.entries()], default=str)
    assert SECRET not in rows

    await house.post(ines, CAMERA)
    (two,) = waiting(await house.page(house.site.owner))
    assert (await house.post(house.site.owner, {"take": two, "password": ANNA_PASSWORD}, "accept"))[0] == 303
    written = house.file.parent / "cameras" / "porch.login"
    assert (written.read_text(), written.stat().st_mode & 0o777) == (f"admin:{SECRET}\n", 0o600)
    assert load_home_file(house.file).devices["porch"].model_dump()["credentials_file"] == written


async def test_a_file_that_lies_where_the_account_would_go_is_left_alone(house: Home) -> None:
    (house.file.parent / "cameras").mkdir()
    other = house.file.parent / "cameras" / "porch.login"
    other.write_text("somebody:else\n")
    await house.post(await house.site.guest(Role.INSTALLER), CAMERA)
    (one,) = waiting(await house.page(house.site.owner))
    assert (await house.post(house.site.owner, {"take": one, "password": ANNA_PASSWORD}, "accept"))[0] == 303
    assert other.read_text() == "somebody:else\n"
    assert load_home_file(house.file).devices["porch"].model_dump()["credentials_file"] != other


REFUSED: list[tuple[dict[str, str], str]] = [
    (DOOR | {"id": "../../etc"}, "id"),
    (DOOR | {"id": "x" * 65}, "id"),
    (DOOR | {"id": ""}, "id"),
    (DOOR | {"vendor": "rtsp"}, "vendor"),
    (DOOR | {"vendor": ""}, "vendor"),
    (DOOR | {"heartbeat": "soon"}, "heartbeat"),
    (DOOR | {"heartbeat": "nan"}, "heartbeat"),
    (DOOR | {"heartbeat": "1e9"}, "heartbeat"),
    (CAMERA | {"url": "file:///etc/shadow"}, "url"),
    (CAMERA | {"url": f"rtsp://admin:{SECRET}@10.0.0.9/s"}, "url"),
    (CAMERA | {"user": ""}, "user"),
    (CAMERA | {"more": "credentials_file=/etc/shadow"}, "more"),
    (CAMERA | {"more": "ca=accounts/gateway.password"}, "more"),
    (CAMERA | {"more": "url=rtsp://10.0.0.9/other"}, "more"),
    (CAMERA | {"more": "kind=lock"}, "more"),
    (DOOR | {"more": "x"}, "more"),
    (DOOR | {"more": "topics={state: &a [*a]}"}, "more"),
    (DOOR | {"more": "\n".join(f"{'k' * n}=1" for n in range(1, 30))}, "more"),
    ({"kind": "entrance", "id": "side", "name": "Side", "lock": "cam", "door": "door", "signal": "signal",
      "cameras.outside": "cam", "places": "Hall", "way_out_by_hand": "1"}, "lock"),
    ({"kind": "entrance", "id": "side", "name": "Side", "lock": "lock", "door": "door", "signal": "signal",
      "cameras.outside": "cam", "places": "Hall"}, "way_out_by_hand"),
]  # fmt: skip


async def test_what_cannot_be_meant_is_refused_beside_its_field_with_what_was_typed_and_without_the_password(
    house: Home,
) -> None:
    async with house.site.client(await house.site.guest(Role.INSTALLER, "Ines")) as client:
        for fields, where in REFUSED:
            status, text = await posted(client, fields)
            assert (status, where in problems(text)) == (422, True), (fields, problems(text))
            assert SECRET not in text.replace(fields.get("url", "-"), ""), fields
            assert fields["id"] == "" or f'name="id" value="{fields["id"]}"' in text
    assert house.lies() == []


async def test_a_further_key_that_cannot_be_read_is_told_what_is_wrong_with_it(house: Home) -> None:
    async with house.site.client(await house.site.guest(Role.INSTALLER, "Ines")) as client:
        for more, said in (
            ("latency", "“latency” is not key=value."),
            ("Latency=8", "“Latency” cannot be a key"),
            ("topics={state: &a [*a]}", "The value of topics cannot be read"),
        ):
            _, text = await posted(client, DOOR | {"more": more})
            assert said in text, more


WHOLE: list[tuple[dict[str, str], str]] = [
    (DOOR | {"id": "door"}, "door is there already"),
    (DOOR | {"id": "gateway"}, "is a word of Perron&#39;s own"),
    (DOOR | {"more": "answer=true"}, "Did you mean `answers`?"),
    (LOCK | {"vendor": "somfy", "address": "a"}, "one device, once"),
    (LOCK | {"vendor": "somfy", "address": "b"}, ""),  # somfy speaks on our topics: the address is the maker's
    (LOCK | {"id": "hub", "vendor": "nukihub", "address": "a#b"}, "is not for a device to take"),
    ({"kind": "entrance", "id": "side", "name": "Side", "lock": "lock", "door": "door", "signal": "signal",
      "scanners": "scanner", "cameras.outside": "cam", "places": "Hall", "way_out_by_hand": "1"},
     "belongs to the entrance `front` already"),
    ({"kind": "entrance", "id": "front", "name": "Side", "lock": "lock", "door": "door", "signal": "signal",
      "cameras.outside": "cam", "places": "Hall", "way_out_by_hand": "1"}, "front is there already"),
    ({"kind": "entrance", "id": "side", "name": "a\u202eb", "lock": "lock", "door": "door", "signal": "signal",
      "cameras.outside": "cam", "places": "Hall", "way_out_by_hand": "1"}, "a name is 1 to 80 characters"),
]  # fmt: skip


@pytest.mark.slow
async def test_what_would_be_no_house_is_refused_in_words(house: Home) -> None:
    async with house.site.client(await house.site.guest(Role.INSTALLER, "Ines")) as client:
        for fields, why in WHOLE:
            status, text = await posted(client, fields)
            assert (status, why in text) == (422 if why else 303, True), (fields, text)


async def test_two_proposals_of_one_id_are_one(house: Home) -> None:
    ines = await house.site.guest(Role.INSTALLER, "Ines")
    assert (await house.post(ines, DOOR))[0] == 303
    status, text = await house.post(ines, DOOR)
    assert (status, "back-door is there already" in text) == (422, True)
    assert len(waiting(await house.page(house.site.owner))) == 1


@pytest.mark.slow
async def test_what_waits_is_bounded_in_number_and_size(house: Home) -> None:
    async with house.site.client(await house.site.guest(Role.INSTALLER, "Ines")) as client:
        long = {"address": "a" * 190, "more": "\n".join(f"topics.{c}={'t' * 250}" for c in "abcdefghijklmnop")}
        status, text = await posted(client, DOOR | long)
        assert (status, "too long" in text) == (422, True)
        assert MAX_PROPOSAL_BYTES < 8192
        async with client.post(PAGE, data=DOOR | {"more": "x" * 17_000}, headers=ENGLISH) as answer:
            assert answer.status == 413
        for n in range(MAX_PENDING_PROPOSALS):
            assert (await posted(client, {"kind": "signal", "id": f"s{n}", "vendor": "signal"}))[0] == 303
        status, text = await posted(client, {"kind": "signal", "id": "s", "vendor": "signal"})
        assert (status, "the owner decides first" in text) == (422, True)


@pytest.mark.slow
async def test_an_entrance_names_what_is_proposed_before_it_and_comes_with_it_or_not_at_all(house: Home) -> None:
    ines, owner = await house.site.guest(Role.INSTALLER, "Ines"), house.site.owner
    side = {"kind": "entrance", "id": "side", "name": "Side", "lock": "back-lock", "door": "back-door",
            "signal": "back-signal", "scanners": "back-scanner", "cameras.outside": "porch", "places": "Entrée\nHall",
            "way_out_by_hand": "1", "living_space": "1", "courier_proof": "1"}  # fmt: skip
    parts = (LOCK, DOOR, CAMERA, {"kind": "signal", "id": "back-signal", "vendor": "signal"},
             {"kind": "scanner", "id": "back-scanner", "vendor": "scanner"}, side)  # fmt: skip
    for fields in parts:
        status, text = await house.post(ines, fields)
        assert status == 303, text
    text = await house.page(owner)
    assert "Nobody has said" not in text  # auto_lock was said
    assert "Have somebody show you that back-lock and back-door are at this door" in text
    assert "The walk test was not made yet" in text
    taken = waiting(text)
    assert len(taken) == len(parts)
    before = house.file.read_bytes()
    status, text = await house.post(owner, {"take": taken[-1], "password": ANNA_PASSWORD}, "accept")
    assert (status, "there is no device `back-lock`" in text) == (409, True)
    assert house.file.read_bytes() == before
    async with house.site.client(owner) as client:
        ticked = [*(("take", one) for one in taken), ("password", ANNA_PASSWORD)]
        async with client.post(f"{PAGE}/accept", data=ticked, allow_redirects=False) as answer:
            assert answer.status == 303
    section = load_home_file(house.file).entrances["side"]
    assert {id_: place.name for id_, place in section.places.items()} == {"entree": "Entrée", "hall": "Hall"}
    assert house.reread == [""], "once for all of them"


async def test_a_house_file_that_cannot_be_written_says_the_terminal_s_command(
    house: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.post(await house.site.guest(Role.INSTALLER), CAMERA)
    (one,) = waiting(await house.page(house.site.owner))

    def fails(*_arguments: object, **_options: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("gateway.config.editor.write_whole", fails)
    status, text = await house.post(house.site.owner, {"take": one, "password": ANNA_PASSWORD}, "accept")
    assert (status, "could not be written (Read-only file system); nothing has changed" in text) == (409, True)
    assert list((house.file.parent / "cameras").iterdir()) == []
    assert waiting(text) == [one], "it waits as before"
    monkeypatch.setattr(Proposals, "is_writable", lambda _self: False)
    text = await house.page(house.site.owner)
    assert "perron add porch --kind camera" in text
    assert "--set &#39;url=&#34;rtsp://192.168.1.30/stream&#34;&#39;" in text


async def test_what_was_changed_at_the_terminal_meanwhile_counts(house: Home) -> None:
    owner = house.site.owner
    await house.post(await house.site.guest(Role.INSTALLER), DOOR)
    (one,) = waiting(await house.page(owner))
    document = json.loads(house.file.read_text(encoding="utf-8"))
    document["devices"]["back-door"] = {"kind": "door", "vendor": "esphome"}
    house.file.write_text(json.dumps(document), encoding="utf-8")
    text = await house.page(owner)
    assert "back-door is there already" in text
    assert "was changed at the terminal" in text
    status, _ = await house.post(owner, {"take": one, "password": ANNA_PASSWORD}, "accept")
    assert (status, house.reread) == (409, [])
    house.file.write_text("naem: x", encoding="utf-8")
    status, text = await house.post(owner, {"take": one, "password": ANNA_PASSWORD}, "accept")
    assert (status, house.reread) == (409, [])


async def test_a_crash_in_the_middle_of_accepting_loses_nothing_and_leaves_no_password(house: Home) -> None:
    owner, made = house.site.owner, house.site.box
    await house.post(await house.site.guest(Role.INSTALLER), CAMERA)
    (one,) = waiting(await house.page(owner))

    class Killed(BaseException):
        pass

    def dies(point: str) -> None:
        if point == "accepted":
            raise Killed

    first = make_proposals(made, house.file, lambda: None)
    first._writer.crash_point = dies  # noqa: SLF001 - as a process that is killed there
    before = house.file.read_bytes()
    with pytest.raises(Killed):
        await first.accept([one], by=owner.user.person, now=made.clock.now())
    assert house.file.read_bytes() == before
    again = make_proposals(made, house.file, lambda: None)
    assert again.waiting_count == 1, "it waits for the owner again"
    assert again.find(one) is not None
    assert await again.accept([one], by=owner.user.person, now=made.clock.now()) == ()
    assert "porch" in load_home_file(house.file).devices
    (house.folder / f"{'0' * 16}.login").write_text("left:behind")
    make_proposals(made, house.file, lambda: None)
    assert house.lies() == [f"{one}.login", "proposals.json"]


async def test_a_file_of_proposals_that_cannot_be_read_ends_nothing(house: Home) -> None:
    house.folder.mkdir(exist_ok=True)
    for text in ("", "[", '[{"id": 1}]', "x" * 10):
        (house.folder / "proposals.json").write_text(text)
        assert make_proposals(house.site.box, house.file, lambda: None).waiting_count == 0


async def test_hostile_words_stay_words(house: Home) -> None:
    ines = await house.site.guest(Role.INSTALLER, "<script>Ines")
    hostile = "</code></pre><script>hit=1</script>{{7*7}}"
    assert (await house.post(ines, LOCK | {"vendor": "somfy", "address": f"{hostile}\u202e"}))[0] == 303
    text = await house.page(house.site.owner)
    assert "<script>hit" not in text
    assert "&lt;script&gt;hit=1&lt;/script&gt;{{7*7}}" in text
    assert "\u202e" not in text


def test_every_kind_of_the_house_file_and_every_vendor_of_a_kind_has_its_form() -> None:
    models = get_args(get_args(AnyDevice)[0])
    kinds = {get_args(model.model_fields["kind"].annotation)[0]: model for model in models}
    assert set(FORM_FIELDS) == {*kinds, "entrance"} == set(PROPOSAL_KINDS)
    for kind, model in kinds.items():
        vendor = next(one for one in FORM_FIELDS[kind] if one.key == "vendor")
        assert vendor.choices == VendorOf(kind).names, kind
        keys = {one.key.partition(".")[0] for one in FORM_FIELDS[kind]}
        assert keys <= set(model.model_fields), kind
        needed = {
            key for key, one in model.model_fields.items() if one.is_required() and key not in ("kind", "address")
        }
        assert needed <= keys, kind


async def test_what_was_found_fills_the_form(house: Home) -> None:
    text = await house.page(
        house.site.owner, f"{PAGE}?kind=lock&id=front&vendor=zigbee2mqtt&address=zigbee2mqtt/a&more=x"
    )
    assert 'name="id" value="front"' in text
    assert 'value="zigbee2mqtt" selected' in text
    assert 'name="address" value="zigbee2mqtt/a"' in text
    assert ">x</textarea>" not in text
    path = f"{PAGE}?kind=door&id=d&vendor=zigbee2mqtt&address=z/d&answers=false&heartbeat=3600&keys.base=z&ca=/etc/x"
    text = await house.page(house.site.owner, path)
    assert re.search(r'name="answers" value="1">', text), "not ticked"
    assert 'name="heartbeat" value="3600"' in text
    assert "keys.base=z" in text
    assert await house.page(house.site.owner, f"{PAGE}?kind=nothing")


async def test_a_gateway_without_a_house_file_says_so(tmp_path: Path) -> None:
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made), serve_site(made) as site:
        bare = Home(site, tmp_path / "none")
        assert "not started with a house file" in await bare.page(site.owner)
        assert (await bare.post(site.owner, DOOR))[0] == 422


def test_what_a_radio_has_comes_into_the_form_as_the_terminal_s_line_would_write_it() -> None:
    root = Path(__file__).parents[4]
    known, payload = load_home_file(root / "config" / "home.yaml"), root / "tests" / "devices" / "payloads" / "bridges"
    found = [
        *read_broker_message(known, "radio/one/bridge/devices", (payload / "zigbee2mqtt_devices.json").read_bytes()),
        *read_broker_message(known, "zwave/5/98/0/currentMode", b"255"),
    ]
    tried, known_file = 0, Path("/house/home.yaml")
    for one in found:
        if one.known_as or not one.add_command:
            continue
        offer = dict(one.add_fields)
        kind, id_ = offer["kind"], offer["id"]
        form: MultiDict[object] = MultiDict()
        for key, values in initial_values(kind, offer).items():
            for value in values:
                form.add(key, value)
        asked = read_form(kind, form, known)
        assert isinstance(asked, ProposalRequest), (one.add_command, asked)
        line = {key: parse_value(key, value) for key, value in offer.items() if key not in ("id", "kind")}
        same = [
            check_home(with_item(EMPTY, known_file, id_, build_section(kind, fields)), known_file)
            for fields in (line, asked.fields)
        ]
        assert same[0] == same[1], one.add_command
        tried += 1
    assert tried > 3


async def test_an_installer_sees_at_home_what_became_of_each_of_his_proposals(house: Home) -> None:
    ines, owner = await house.site.guest(Role.INSTALLER, "Ines"), house.site.owner
    assert "What you proposed for the house" not in await house.page(ines, "/")
    for fields in (DOOR, CAMERA, LOCK):
        assert (await house.post(ines, fields))[0] == 303
    assert (await house.page(ines, "/")).count("Waits for the owner.") == 3
    door, camera, _ = waiting(await house.page(owner))
    assert (await house.post(owner, {"proposal": door}, "refuse"))[0] == 303
    assert (await house.post(owner, {"take": camera, "password": ANNA_PASSWORD}, "accept"))[0] == 303
    page = await house.page(ines, "/")
    assert re.findall(r"<b>([a-z-]+)</b> · ([^<]+)<", page) == [
        ("porch", "Written; the box reads the file anew."), ("back-lock", "Waits for the owner."),
        ("back-door", "Refused by the owner."),
    ]  # fmt: skip
    assert "What you proposed" not in await house.page(await house.site.guest(Role.INSTALLER, "Ida"), "/")
    assert "What you proposed" not in await house.page(owner, "/")
    house.site.box.time.mono += 8 * 86400
    assert "Refused by the owner." not in await house.page(ines, "/"), "not for ever"
