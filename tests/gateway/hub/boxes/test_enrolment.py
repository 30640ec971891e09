"""A box joins a hub and keeps its certificate young, each against a hub or a way there that is not as it should be."""

import asyncio
import json
import stat
import time
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from sqlalchemy import select, update

from gateway.config.home import HubSection
from gateway.hub import admin
from gateway.hub.boxes.authority import HubAuthority
from gateway.hub.boxes.broker import delete_expired
from gateway.hub.config import HubFile, Limits
from gateway.hub.database.tables import homes
from gateway.integrations.hub_client import enrolment
from gateway.integrations.hub_client.enrolment import HubError, HubUnavailable, WrongHub
from gateway.protocol.enrolment import (
    ClaimCode,
    answer_mac,
    renewal_statement,
    request_mac,
    secret_key,
)
from gateway.system.base64url import encode_base64url
from gateway.system.pki.authority import private_pem
from tests.hubs import RunningHub, run_hub
from tests.joins import DAY, JoiningBox, create_claim, lose_answer, with_boxes
from tests.shell.house import make_home as a_home


def now() -> datetime:
    return datetime.now(UTC)


async def test_a_box_joins_by_a_code_and_its_key_never_leaves_it(
    file: HubFile, hub: RunningHub, box: JoiningBox
) -> None:
    sent: list[str] = []

    def watched(address: str, body: Mapping[str, object]) -> bytes:
        sent.append(json.dumps(body))
        return enrolment.http_request(address, body)

    code = await create_claim(hub, file)
    member = await box.join(ClaimCode.of(code.text), watched)
    mine = box.identity
    assert member.home == mine.home
    assert mine.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
        x509.DNSName
    ) == [member.home]
    usage = mine.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH], "it is no server's"
    assert timedelta(days=89) < mine.valid_until - now() <= timedelta(days=90)
    for name in ("identity.pem", "authority.pem"):
        assert stat.S_IMODE((box.folder / name).stat().st_mode) == 0o600
    assert not (box.folder / "next.pem").exists()
    assert len(sent) == 1
    assert code.secret not in sent[0]
    assert "PRIVATE" not in sent[0]
    async with hub.hub.store.reading() as tx:
        row = (await tx.execute(select(homes))).one()
    assert (row.id, row.box_key, row.revoked) == (member.home, box.key.public.text, None)


async def test_a_claim_lets_one_box_in_and_that_one_again(
    file: HubFile, hub: RunningHub, box: JoiningBox, tmp_path: Path
) -> None:
    code = await create_claim(hub, file)
    with pytest.raises(HubUnavailable):
        await box.join(code, lose_answer)
    assert enrolment.read_identity(box.folder) is None
    member = await box.join(code)
    assert box.identity.home == member.home, "an answer that was lost is asked for again"
    thief = JoiningBox.new(tmp_path / "thief")
    with pytest.raises(HubError, match="used for another box") as no:
        await thief.join(code)
    assert no.value.code == "conflict"
    assert enrolment.read_identity(thief.folder) is None


async def test_who_has_not_the_secret_gets_nothing(file: HubFile, hub: RunningHub, box: JoiningBox) -> None:
    code = await create_claim(hub, file)
    with pytest.raises(HubError) as no:
        await box.join(replace(code, secret="a" * 26))
    assert no.value.code == "signature_refused"
    with pytest.raises(HubError) as no:
        await box.join(replace(code, claim=f"claim-{'a' * 26}"))
    assert no.value.code == "not_found"
    await box.join(code)


@pytest.mark.parametrize("part", ["csr", "box_key"])
async def test_what_is_swapped_on_the_way_is_refused(
    file: HubFile, hub: RunningHub, box: JoiningBox, tmp_path: Path, part: str
) -> None:
    other = JoiningBox.new(tmp_path / "other")
    theirs: dict[str, object] = {}

    def note(_address: str, body: Mapping[str, object]) -> bytes:
        theirs.update(body)
        raise HubUnavailable("stopped")

    def swapped(address: str, body: Mapping[str, object]) -> bytes:
        return enrolment.http_request(address, {**body, part: theirs[part]})

    code = await create_claim(hub, file)
    with pytest.raises(HubUnavailable):
        await other.join(code, note)
    with pytest.raises(HubError) as no:
        await box.join(code, swapped)
    assert no.value.code == "signature_refused"
    await box.join(code)


async def test_a_claim_ends_after_a_day(file: HubFile, hub: RunningHub, box: JoiningBox) -> None:
    code = await create_claim(hub, file, now=now() - DAY)
    with pytest.raises(HubError) as no:
        await box.join(code)
    assert no.value.code == "too_late"


async def test_claims_and_certificates_that_are_over_are_forgotten_after_a_month(
    file: HubFile, hub: RunningHub, box: JoiningBox
) -> None:
    store = hub.hub.store
    old, late = await create_claim(hub, file, now=now() - 40 * DAY), await create_claim(hub, file, now=now() - 2 * DAY)
    await box.join(await create_claim(hub, file))
    assert await delete_expired(store, now()) <= 1, "the hub that runs may have been first"
    with pytest.raises(HubError) as no:
        await box.join(old)
    assert no.value.code == "not_found"
    with pytest.raises(HubError) as no:
        await box.join(late)
    assert no.value.code == "too_late", "of late it is told what it was"
    assert await delete_expired(store, now()) == 0
    assert await box.counts(file), "what counts stays"
    assert await delete_expired(store, now() + 121 * DAY) == 3


async def test_no_key_but_one_of_p_256_is_certified(file: HubFile, hub: RunningHub) -> None:
    code = await create_claim(hub, file)
    for csr in (b"x" * 200, b"\x30" * 200):
        text = encode_base64url(csr)
        mac = request_mac(secret_key(code.secret), code.claim, csr, "k" * 43)
        async with hub.http.post(
            f"/v1/claims/{code.claim}", json={"csr": text, "box_key": "k" * 43, "mac": mac}
        ) as answer:
            said = await answer.json()
        assert (answer.status, said["code"], said["errors"][0]["pointer"]) == (422, "invalid", "/csr")


async def test_a_hub_of_another_authority_than_the_code_s_is_refused(
    file: HubFile, hub: RunningHub, box: JoiningBox, tmp_path: Path
) -> None:
    code = await create_claim(hub, file)
    with pytest.raises(WrongHub, match="another authority"):
        await box.join(replace(code, authority="0" * 64))
    impostor = HubAuthority.load(tmp_path / "impostor", now=now())

    def between(address: str, body: Mapping[str, object]) -> bytes:
        """Whoever stands between has any certificate of the web, and even the secret."""
        answer = json.loads(enrolment.http_request(address, body))
        csr = x509.load_der_x509_csr(_raw(str(body["csr"])))
        answer["authority"] = impostor.pem
        answer["certificate"] = _pem(impostor.certify(answer["home"], csr.public_key(), now=now()))  # type: ignore[arg-type]  # P-256
        return json.dumps(_macced(code, answer)).encode()

    with pytest.raises(WrongHub, match="another authority"):
        await box.join(code, between)
    assert {path.name for path in box.folder.iterdir()} == {"next.pem"}, "nothing of it is kept"


@pytest.mark.parametrize("part", ["home", "host", "certificate", "key"])
async def test_an_answer_that_is_changed_on_the_way_is_refused(
    file: HubFile, hub: RunningHub, box: JoiningBox, tmp_path: Path, part: str
) -> None:
    code = await create_claim(hub, file)
    other = JoiningBox.new(tmp_path / "other")
    await other.join(await create_claim(hub, file))

    def between(address: str, body: Mapping[str, object]) -> bytes:
        answer = json.loads(enrolment.http_request(address, body))
        match part:
            case "home":
                answer["home"] = other.identity.home
            case "host":
                answer["broker"]["host"] = "evil.example"
            case "key":
                key = other.identity.key.public_key()
                own = HubAuthority.load(file.folder, now=now()).certify(answer["home"], key, now=now())
                answer = _macced(code, {**answer, "certificate": _pem(own)})
            case _:
                answer = _macced(code, {**answer, "certificate": _pem(other.identity.certificate)})
        return json.dumps(answer).encode()

    with pytest.raises(WrongHub):
        await box.join(code, between)
    assert enrolment.read_identity(box.folder) is None


async def test_the_certificate_is_renewed_at_two_thirds_for_a_new_key(
    file: HubFile, hub: RunningHub, box: JoiningBox
) -> None:
    await box.join(await create_claim(hub, file))
    first = box.identity
    assert await box.renew(file, now() + 59 * DAY) is None
    second = await box.renew(file, now() + 61 * DAY)
    assert second is not None
    assert second.certificate == box.identity.certificate != first.certificate
    assert second.certificate.public_key() != first.certificate.public_key()
    assert not (box.folder / "next.pem").exists()
    async with hub.http.post("/v1/homes/renew", json=_renewal(first, "home-" + "a" * 26)) as answer:
        assert answer.status == 404
    async with hub.http.post("/v1/homes/renew", json=_renewal(first, first.home)) as answer:
        assert (answer.status, (await answer.json())["code"]) == (422, "signature_refused"), (
            "the old key counts no more"
        )


async def test_until_the_new_certificate_is_confirmed_the_old_one_counts(
    file: HubFile, hub: RunningHub, box: JoiningBox
) -> None:
    await box.join(await create_claim(hub, file))
    first, late = box.identity, now() + 61 * DAY
    with pytest.raises(HubUnavailable):
        await box.renew(file, late, lose_answer)
    assert box.identity.certificate == first.certificate
    key = (box.folder / "next.pem").read_bytes()
    renewed = await box.renew(file, late)
    assert renewed is not None
    assert key.endswith(private_pem(renewed.key)), "the same key was asked for again"


async def test_a_confirmation_that_was_lost_is_said_again(file: HubFile, hub: RunningHub, box: JoiningBox) -> None:
    await box.join(await create_claim(hub, file))
    first = box.identity

    def unsaid(address: str, body: Mapping[str, object]) -> bytes:
        if address.endswith("/confirm"):
            raise HubUnavailable("away")
        return enrolment.http_request(address, body)

    with pytest.raises(HubUnavailable):
        await box.renew(file, now() + 61 * DAY, unsaid)
    assert box.identity.certificate != first.certificate
    assert (box.folder / "next.pem").exists(), "it is not over"
    async with hub.http.post("/v1/homes/renew", json=_renewal(first, first.home)) as answer:
        assert answer.status == 200, "the old one counts still"
    with pytest.raises(HubError) as no:
        await box.renew(file, now())
    assert no.value.code == "signature_refused", "another key was asked for meanwhile, by whoever has the old one"


async def test_a_home_that_is_revoked_has_no_certificate_that_counts(
    file: HubFile, hub: RunningHub, box: JoiningBox
) -> None:
    """By its own mark too, not only by its certificates'."""
    member = await box.join(await create_claim(hub, file))
    async with hub.hub.store.writing() as tx:
        await tx.execute(update(homes).where(homes.c.id == member.home).values(revoked=hub.hub.now()))
    with pytest.raises(HubError) as no:
        await box.renew(file, now() + 61 * DAY)
    assert no.value.code == "signature_refused"


async def test_two_keys_that_are_asked_for_at_once_leave_one_that_counts(
    file: HubFile, hub: RunningHub, box: JoiningBox, tmp_path: Path
) -> None:
    await box.join(await create_claim(hub, file))
    late = now() + 61 * DAY
    copy = JoiningBox(tmp_path / "copy", box.key)
    copy.folder.mkdir()
    for name in ("identity.pem", "authority.pem"):
        (copy.folder / name).write_bytes((box.folder / name).read_bytes())
    for one in (box, copy):
        with pytest.raises(HubUnavailable):
            await one.renew(file, late, lose_answer)
    with pytest.raises(HubError) as no:
        await box.renew(file, late)
    assert no.value.code == "conflict"
    await copy.renew(file, late)
    with pytest.raises(HubError) as no:
        await box.renew(file, late)
    assert no.value.code == "signature_refused", "the older copy was put back or stolen: it joins anew"


async def test_a_revoked_home_renews_nothing_and_joins_anew_by_a_claim_of_its_own(
    file: HubFile, hub: RunningHub, box: JoiningBox
) -> None:
    member = await box.join(await create_claim(hub, file))
    await admin.revoke_home(hub.hub.store, member.home, now=hub.hub.now())
    with pytest.raises(HubError) as no:
        await box.renew(file, now() + 61 * DAY)
    assert no.value.code == "signature_refused"
    again = await box.join(await create_claim(hub, file, home=member.home))
    assert again.home == member.home
    assert await box.renew(file, now() + 61 * DAY) is not None
    with pytest.raises(admin.HomeNotFound):
        await admin.revoke_home(hub.hub.store, f"home-{'a' * 26}", now=hub.hub.now())


async def test_a_claim_to_join_anew_ends_when_the_home_is_revoked(
    file: HubFile, hub: RunningHub, box: JoiningBox
) -> None:
    member = await box.join(await create_claim(hub, file))
    anew = await create_claim(hub, file, home=member.home)
    await admin.revoke_home(hub.hub.store, member.home, now=hub.hub.now())
    with pytest.raises(HubError) as no:
        await box.join(anew)
    assert no.value.code == "too_late"


async def test_clocks_that_are_wrong_shut_nobody_out(file: HubFile, box: JoiningBox) -> None:
    """The hub's clock decides; the box's only when to ask."""
    ahead = [0.0]
    async with run_hub(file, wall=lambda: time.time() + ahead[0]) as hub:
        await box.join(await create_claim(hub, file))
        first = box.identity
        assert first.certificate.not_valid_before_utc < now() - timedelta(hours=23), "a broker a day late believes it"
        assert await box.renew(file, now() - 3 * DAY) is not None, "a box's clock that lies before it asks anew"
        assert await box.renew(file, now() + 3650 * DAY) is not None, "and one that lies far ahead"
        ahead[0] = 91 * DAY.total_seconds()
        with pytest.raises(HubError) as no:
            await box.renew(file, now() + 91 * DAY)
        assert no.value.code == "signature_refused", "an expired certificate renews nothing"


async def test_a_stranger_s_tries_are_rationed_by_address(tmp_path: Path) -> None:
    file = with_boxes(tmp_path)
    few = Limits(strangers=3)
    file = file.model_copy(update={"limits": few})
    async with run_hub(file) as hub:
        tried, wait = [], ""
        for _ in range(4):
            async with hub.http.post(f"/v1/claims/claim-{'a' * 26}", json=_NOTHING) as answer:
                tried.append((answer.status, (await answer.json())["code"]))
                wait = answer.headers.get("Retry-After", "")
        assert tried == [(404, "not_found")] * 3 + [(429, "rate_limited")]
        assert int(wait) > 0


async def test_behind_a_proxy_the_address_is_what_the_proxy_says_last(tmp_path: Path) -> None:
    file = with_boxes(tmp_path)
    listen = file.listen.model_copy(update={"behind_proxy": True})
    file = file.model_copy(update={"limits": Limits(strangers=1), "listen": listen})
    async with run_hub(file) as hub:
        tried = []
        for forwarded in ("192.0.2.1", "192.0.2.9, 192.0.2.1", "192.0.2.1, 2001:db8::1", "2001:db8::2"):
            to, headers = f"/v1/claims/claim-{'a' * 26}", {"X-Forwarded-For": forwarded}
            async with hub.http.post(to, json=_NOTHING, headers=headers) as answer:
                tried.append(answer.status)
        assert tried == [404, 429, 404, 429]


def test_a_code_is_read_whole_or_not_at_all() -> None:
    code = ClaimCode(url="https://hub.example", claim=f"claim-{'a' * 26}", secret="b" * 26, authority="c" * 64)
    assert ClaimCode.of(f" {code.text}\n") == code
    for wrong in ("", code.text[:-1], code.text.replace("https", "ftp"), code.text.replace("#", "?"), code.text + "0"):
        with pytest.raises(ValueError, match="no code of a claim"):
            ClaimCode.of(wrong)


def test_no_hub_is_asked_in_the_clear_on_another_machine() -> None:
    with pytest.raises(HubUnavailable, match="https"):
        enrolment.http_request("http://192.0.2.1:8643/v1/homes/renew", {})


_NOTHING = {"csr": "A" * 100, "box_key": "k" * 43, "mac": "0" * 64}


def _renewal(of: enrolment.HubIdentity, home: str) -> dict[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    csr = enrolment._csr(key)  # noqa: SLF001 - as a box asks
    signature = enrolment._sign(of.key, renewal_statement(home, csr))  # noqa: SLF001 - the same
    return {"home": home, "csr": encode_base64url(csr), "signature": signature}


def _macced(code: ClaimCode, answer: dict[str, object]) -> dict[str, object]:
    """The answer with a MAC that fits."""
    at = answer["broker"]
    assert isinstance(at, dict)
    parts = [str(part) for part in (answer["home"], answer["shard"], at["host"], at["port"], answer["certificate"],
                                    answer["authority"], answer["key"], answer["support_code"])]  # fmt: skip
    return {**answer, "mac": answer_mac(secret_key(code.secret), code.claim, parts)}


def _raw(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _pem(one: x509.Certificate) -> str:
    return one.public_bytes(Encoding.PEM).decode()


async def test_a_certificate_is_kept_young_whatever_goes_wrong_meanwhile(
    file: HubFile, hub: RunningHub, box: JoiningBox
) -> None:
    await box.join(await create_claim(hub, file))
    first, late, slept = box.identity, now() + 61 * DAY, list[float]()
    answers = iter(["away", "refused", "damaged", "well"])
    kept = (box.folder / "identity.pem").read_bytes()

    def ask(address: str, body: Mapping[str, object]) -> bytes:
        match next(answers, "well"):
            case "away":
                raise HubUnavailable("away")
            case "refused":
                raise HubError("unavailable", "not now")
            case "damaged":
                return b"{}"
            case _:
                return enrolment.http_request(address, body)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 5:
            raise asyncio.CancelledError
        if len(slept) == 4:
            assert (box.folder / "identity.pem").read_bytes() != kept

    with pytest.raises(asyncio.CancelledError):
        await enrolment.keep_renewed(file.url, box.folder, ask, now=lambda: late, sleep=sleep)
    assert slept == [
        enrolment.RETRY_DELAY_S,
        enrolment.CHECK_INTERVAL_S,
        enrolment.CHECK_INTERVAL_S,
        enrolment.CHECK_INTERVAL_S,
        enrolment.CHECK_INTERVAL_S,
    ]
    assert box.identity.certificate != first.certificate


async def test_only_a_house_that_joined_by_a_claim_keeps_a_certificate_young(
    file: HubFile, hub: RunningHub, tmp_path: Path
) -> None:
    house = a_home(tmp_path / "house")
    assert enrolment.renewal_tasks(house) == {}
    named = HubSection(url=file.url, home="home-1", host="127.0.0.1")
    house = house.model_copy(update={"hub": named})
    assert enrolment.renewal_tasks(house) == {}, "another's certificate is another's to renew"
    await JoiningBox.new(house.storage.folder / "hub").join(await create_claim(hub, file))
    work = enrolment.renewal_tasks(house)
    assert list(work) == ["hub certificate"]
