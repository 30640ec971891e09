from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from gateway.hub.database.tables import connections, events, jobs
from gateway.hub.deliveries.connections import ANSWER_PERIOD, MAX_CODE_TRIES, due_connections
from gateway.protocol.box_hub import PermissionDecision
from gateway.protocol.brand_statement import sign_proof
from gateway.protocol.consent_request import parse_consent
from gateway.protocol.keys import BoxKey
from gateway.protocol.support_code import new_support_code
from tests.announcing import connected_home
from tests.boxes import worker_context
from tests.connecting import ASKED_TERMS, GRANTED_DECISION, HubRetailer
from tests.hubs import RunningHub, hub_file, run_hub
from tests.stranger import UnknownBrand


async def shop_of(hub: RunningHub, *, sandbox: bool = False) -> HubRetailer:
    shop = HubRetailer(hub, await hub.retailer(sandbox=sandbox))
    await shop.brand()
    await shop.enrol()
    return shop


async def look(shop: HubRetailer, *, later: timedelta = timedelta()) -> None:
    """What follows by itself, at a moment of the test's."""
    at = {"now": lambda: shop.hub.hub.now() + later, "url": shop.hub.url}
    work = due_connections(worker_context(shop.hub.hub.store, **at))
    while await work.run_due():
        pass


async def test_from_the_question_to_the_home_s_yes(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        shop = await shop_of(hub)
        code = await shop.home()
        made = await shop.ask(reference="customer 7", return_url="https://lune.example/back?x=1")
        assert (made["state"], made["home"], made["terms"]) == ("pending", None, None)
        status, page = await shop.says(made["consent_url"], code)
        assert status == 200
        assert "Answer on your box or phone" in page
        (job,) = await shop.rows(jobs)
        asking = parse_consent(job.token)
        assert (job.home, job.kind) == ("home-1", "connect")
        assert asking is not None
        assert (asking.brand, asking.name, asking.connection) == ("lune", "Maison Lune", made["id"])
        assert [(key.kid, key.x) for key in asking.keys] == [("lune-1", shop.key.public.text)]
        assert asking.asked is not None
        assert asking.asked.carriers == ("Chronopost",)
        for reference, found in (("customer 7", [made["id"]]), ("customer 8", [])):
            _, listed = await shop.call("GET", f"/v1/connections?reference={quote(reference)}")
            assert [one["id"] for one in listed["data"]] == found, "by the retailer's own name of the customer"
        status, still = await shop.call("GET", f"/v1/connections/{made['id']}")
        assert (still["state"], still["home"]) == ("pending", None), "the hub says nothing for the home"
        assert await shop.decides(GRANTED_DECISION)
        status, read = await shop.call("GET", f"/v1/connections/{made['id']}")
        assert (read["state"], read["home"], read["version"]) == ("granted", "home-1", 1)
        assert read["terms"]["entrances"] == ["garage"]
        assert "consent_url" not in read, "the page's address is told once"
        (told,) = await shop.rows(events)
        assert (told.type, told.object, told.data) == ("connection.decided", made["id"], read)


async def test_null_days_mean_every_day(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        asked = {"carriers": ["Chronopost"], "days": None}
        status, made = await home.ask("POST", "/v1/connections", {"brand": home.brand, "asked": asked})
        assert (status, made["asked"]["days"]) == (201, ["mon", "tue", "wed", "thu", "fri", "sat", "sun"])
        _, refused = await home.ask("POST", "/v1/connections", {"brand": home.brand, "asked": {**asked, "days": []}})
        assert refused["errors"][0]["pointer"] == "/asked/days"


async def test_an_older_word_of_the_home_never_overwrites_a_newer_one(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        shop = await shop_of(hub)
        made = await shop.ask()
        await shop.says(made["consent_url"], await shop.home())
        assert await shop.decides(GRANTED_DECISION.model_copy(update={"version": 4}))
        for version in (3, 4):
            no = PermissionDecision(brand="lune", version=version, standing="revoked")
            assert not await shop.decides(no)
        assert await shop.decides(PermissionDecision(brand="lune", version=5, standing="revoked"))
        _, read = await shop.call("GET", f"/v1/connections/{made['id']}")
        assert (read["state"], read["terms"], read["home"], read["version"]) == ("revoked", None, None, 5)


@pytest.mark.parametrize("hours", ["noon", "99:00-12:00"])
async def test_terms_that_cannot_be_meant_give_nothing(tmp_path: Path, hours: str) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        shop = await shop_of(hub)
        made = await shop.ask()
        await shop.says(made["consent_url"], await shop.home())
        await shop.decides(GRANTED_DECISION)
        await shop.decides(GRANTED_DECISION.model_copy(update={"version": 2, "hours": hours}))
        assert (await shop.call("GET", f"/v1/connections/{made['id']}"))[1]["state"] == "revoked"


async def test_silence_is_no_and_the_retailer_is_told(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        shop = await shop_of(hub)
        made = await shop.ask()
        await shop.says(made["consent_url"], await shop.home())
        await look(shop, later=ANSWER_PERIOD - timedelta(minutes=1))
        assert await shop.rows(events) == []
        await look(shop, later=ANSWER_PERIOD)
        (told,) = await shop.rows(events)
        assert told.data["state"] == "expired"
        assert not await shop.decides(GRANTED_DECISION), "what was asked too long ago is asked anew"
        assert (await shop.rows(connections))[0].state == "expired"


@pytest.mark.slow
async def test_what_the_retailer_ends_is_ended_whatever_the_home_says_then(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        shop = await shop_of(hub)
        made = await shop.ask()
        await shop.says(made["consent_url"], await shop.home())
        await shop.decides(GRANTED_DECISION)
        for _ in range(2):
            status, ended = await shop.call("POST", f"/v1/connections/{made['id']}/end")
            assert (status, ended["state"], ended["terms"]) == (200, "ended", None)
        assert not await shop.decides(GRANTED_DECISION.model_copy(update={"version": 2}))


async def test_a_brand_s_new_key_goes_to_every_home_that_was_asked_and_to_no_other(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        shop = await shop_of(hub)
        for name in ("home-1", "home-2"):
            made = await shop.ask()
            await shop.says(made["consent_url"], await shop.home(name))
        await shop.decides(GRANTED_DECISION, "home-1")
        await shop.ask()
        await shop.home("home-3")
        before = {job.id for job in await shop.rows(jobs)}
        await look(shop)
        assert {job.id for job in await shop.rows(jobs)} == before, "the keys that it was asked with are known there"
        new = BoxKey.generate()
        await shop.enrol("lune-2", key=new)
        for _ in range(2):
            await look(shop)
        job, other = sorted((job for job in await shop.rows(jobs) if job.id not in before), key=lambda job: job.home)
        asking = parse_consent(job.token)
        assert (job.home, other.home) == ("home-1", "home-2")
        assert asking is not None
        assert (asking.connection, asking.asked) == (None, None), "nothing is asked for but the keys"
        assert {key.x for key in asking.keys} == {shop.key.public.text, new.public.text}


async def test_a_support_code_never_tells_whether_a_home_has_it_and_tries_are_bounded(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        shop = await shop_of(hub)
        right = await shop.home()
        first, second = await shop.ask(), await shop.ask()
        pages = [(await shop.says(first["consent_url"], code))[1] for code in (new_support_code(), right)]
        assert pages[0].replace("Tries left: 4", "") == pages[1].replace("Tries left: 3", ""), "not a word differs"
        for _ in range(MAX_CODE_TRIES):
            await shop.says(second["consent_url"], new_support_code())
        assert "No further code is taken" in (await shop.says(second["consent_url"], right))[1]
        assert [job.home for job in await shop.rows(jobs)] == ["home-1"], "of the first question alone"


async def test_a_slip_in_a_code_is_told_and_is_no_try(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        shop = await shop_of(hub)
        made = await shop.ask()
        for wrong in ("", "ABCD", "O" * 12, "<script>"):
            status, page = await shop.says(made["consent_url"], wrong)
            assert (status, "There is a slip in this code" in page) == (422, True), wrong
        assert (await shop.rows(connections))[0].tries == 0


async def test_real_homes_and_those_of_the_sandbox_never_meet(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        trial = await shop_of(hub, sandbox=True)
        made = await trial.ask()
        await trial.says(made["consent_url"], await trial.home("home-real"))
        assert await trial.rows(jobs) == []
        await trial.says(made["consent_url"], await trial.home("home-played", sandbox=True))
        assert [job.home for job in await trial.rows(jobs)] == ["home-played"]


async def test_another_s_connection_is_not_there(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        ours = await shop_of(hub)
        path = f"/v1/connections/{(await ours.ask())['id']}"
        hours = "start=2026-11-30T10:00:00Z&end=2026-11-30T12:00:00Z"
        for stranger in (await hub.retailer("Soleil"), await hub.retailer("Essai", sandbox=True)):
            other = HubRetailer(hub, stranger)
            assert (await other.call("GET", path))[0] == 404
            assert (await other.call("POST", f"{path}/end"))[0] == 404
            assert (await other.call("GET", f"{path}/availability?{hours}"))[0] == 404
            assert (await other.call("GET", "/v1/connections"))[1]["data"] == []
            body = {"brand": "lune", "asked": ASKED_TERMS}
            assert (await other.call("POST", "/v1/connections", body))[1]["code"] == "conflict", "nor is his brand"
        assert (await ours.call("GET", path))[1]["state"] == "pending"


async def test_connections_are_listed_by_state_a_page_at_a_time(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        shop = await shop_of(hub)
        made = [(await shop.ask())["id"] for _ in range(5)]
        for id_ in made[:2]:
            await shop.call("POST", f"/v1/connections/{id_}/end")
        for state, wanted in (("pending", made[:1:-1]), ("ended", made[1::-1]), ("granted", [])):
            seen, more = [], ""
            while True:
                _, page = await shop.call("GET", f"/v1/connections?state={state}&limit=2{more}")
                seen += [one["id"] for one in page["data"]]
                if page["next"] is None:
                    break
                more = f"&cursor={page['next']}"
            assert seen == wanted, state


async def test_availability_follows_the_home_s_terms(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        shop = await shop_of(hub)
        made = await shop.ask()
        path = f"/v1/connections/{made['id']}/availability"

        async def asked(day: str, entrance: str = "garage") -> tuple[bool, str | None]:
            hours = f"start={day}T13:00:00Z&end={day}T15:00:00Z&entrance={entrance}"
            status, said = await shop.call("GET", f"{path}?{hours}")
            assert status == 200
            return said["possible"], said["why"]

        monday, sunday = "2199-11-04", "2199-11-03"
        assert await asked(monday) == (False, "not_granted")
        await shop.says(made["consent_url"], await shop.home())
        await shop.decides(GRANTED_DECISION)
        assert await asked(monday) == (True, None)
        assert await asked(monday, "front") == (False, "entrance_not_permitted")
        assert await asked(sunday) == (False, "outside_window")
        await shop.decides(PermissionDecision(brand="lune", version=2, standing="revoked"))
        assert await asked(monday) == (False, "not_granted")
        status, refused = await shop.call("GET", f"{path}?start={monday}T13:00:00Z&end={monday}T13:00:00Z")
        assert (status, refused["code"], refused["errors"][0]["pointer"]) == (422, "invalid", "end")


async def test_what_the_brand_signs_goes_to_the_home_byte_for_byte_and_what_is_not_its_own_is_refused(
    tmp_path: Path,
) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        shop = await shop_of(hub)
        lune = UnknownBrand(keys=[shop.key], hub=hub.url, now=hub.hub.now())
        signed = lune.asks(**ASKED_TERMS, entrances=None, places=None)
        wrong = [
            UnknownBrand(hub=hub.url, now=hub.hub.now()).asks(**ASKED_TERMS, entrances=None, places=None),
            lune.asks(carriers=("Anybody",)),
            replace(lune, name="Amazon").asks(**ASKED_TERMS, entrances=None, places=None),
            replace(lune, hub="https://other.example").asks(**ASKED_TERMS, entrances=None, places=None),
            lune.asks(lives=timedelta(days=32), **ASKED_TERMS, entrances=None, places=None),
            lune.asks(lives=timedelta(seconds=-5), **ASKED_TERMS, entrances=None, places=None),
        ]
        for token in wrong:
            status, no = await shop.call(
                "POST", "/v1/connections", {"brand": "lune", "asked": ASKED_TERMS, "signed": token}
            )
            assert (status, no["code"], no["errors"][0]["pointer"]) == (422, "signature_refused", "/signed")
        made = await shop.ask(signed=signed)
        await shop.says(made["consent_url"], await shop.home())
        (job,) = await shop.rows(jobs)
        asking = parse_consent(job.token)
        assert asking is not None
        assert (asking.signed, asking.asked) == (signed, None)


async def test_an_earlier_key_vouches_for_the_next_and_what_was_taken_back_is_told(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        shop = await shop_of(hub)
        lune = UnknownBrand(keys=[shop.key], hub=hub.url, now=hub.hub.now())
        made = await shop.ask()
        await shop.says(made["consent_url"], await shop.home())
        await shop.decides(GRANTED_DECISION)
        lune.grows(), lune.grows()
        fields = {"kid": "lune-2", "x": lune.x(2),
                  "proof": sign_proof(lune.keys[1].sign, brand="lune", kid="lune-2", hub=hub.url)}  # fmt: skip
        for vouched in (lune.vouches(3), lune.vouches(2, by=2)):
            status, no = await shop.call("POST", "/v1/brands/lune/keys", {**fields, "vouched": vouched.vouched})
            assert (status, no["code"], no["errors"][0]["pointer"]) == (422, "signature_refused", "/vouched")
        word = lune.vouches(2).vouched
        assert (await shop.call("POST", "/v1/brands/lune/keys", {**fields, "vouched": word}))[0] == 201
        await shop.call("POST", "/v1/brands/lune/keys/lune-1/revoke")
        await look(shop)
        asking = parse_consent((await shop.rows(jobs))[-1].token)
        assert asking is not None
        assert [(key.kid, key.vouched) for key in asking.keys] == [("lune-2", word)]
        assert asking.withdrawn == (lune.x(),)


@pytest.mark.parametrize("signs", [True, False])
async def test_a_home_is_told_once_that_the_retailer_ended_it_by_the_brand_s_own_word_where_there_is_one(
    tmp_path: Path, signs: bool
) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        shop = await shop_of(hub)
        lune = UnknownBrand(keys=[shop.key], hub=hub.url, now=hub.hub.now())
        made, unasked = await shop.ask(), await shop.ask()
        await shop.says(made["consent_url"], await shop.home())
        path = f"/v1/connections/{made['id']}/end"
        for token in (lune.ends("con-other"), UnknownBrand(hub=hub.url).ends(made["id"])):
            status, no = await shop.call("POST", path, {"signed": token})
            assert (status, no["code"]) == (422, "signature_refused")
        word = lune.ends(made["id"]) if signs else None
        assert (await shop.call("POST", path, {"signed": word} if signs else None))[1]["state"] == "ended"
        await shop.call("POST", f"/v1/connections/{unasked['id']}/end")
        for _ in range(2):
            await look(shop)
        _, job = await shop.rows(jobs)
        asking = parse_consent(job.token)
        assert asking is not None
        assert (asking.ends, asking.ended) == (made["id"], word)
