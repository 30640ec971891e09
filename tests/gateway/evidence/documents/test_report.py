"""The report of a visit, read back from the paper, over real films and real proofs."""

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.evidence.checkpoint import SealedPart
from gateway.evidence.documents import sources as accounts
from gateway.evidence.documents.photos import PhotoMoment
from gateway.evidence.documents.report import MOMENT_TEXTS, HouseNames, draw_report
from gateway.evidence.documents.sources import read_visit
from gateway.evidence.manifest import DeliveryFacts, FilmSpan
from gateway.evidence.retention import Tombstone, erase_folder
from gateway.evidence.verdict import ProofProblem, VerificationResult
from gateway.evidence.verify import verify_proof
from gateway.protocol.keys import BoxKey
from gateway.system.atomic_file import write_whole
from gateway.system.dates import day_text
from gateway.system.i18n import Language, Text
from tests.gateway.evidence.documents.printed import A4_POINTS, PrintedDocument, read_pdf, render_page
from tests.gateway.evidence.documents.visits import (
    DELIVERY_ROWS,
    bolt_event,
    door_event,
    fridge_event,
    scan_event,
    seal_visit,
    seconds_after,
)
from tests.gateway.evidence.visits import SCAN, VISIT, SealingBox, draft_of

pytestmark = pytest.mark.slow

MADE = datetime(2026, 6, 2, 8, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
NAMES = HouseNames(
    box="box-1",
    house="Maison des Lilas",
    entrances={"front": "Porte d'entrée"},
    places={"hall": "Dans l'entrée", "fridge": "Frigo"},
)


def printed(
    folder: Path, into: Path, language: Language = "en", *, key: BoxKey | None = None, names: HouseNames | None = None
) -> PrintedDocument:
    evidence = read_visit(folder, public_key=None if key is None else key.public)
    pdf = draw_report(evidence, language=language, zone=PARIS, made=MADE, names=names or NAMES)
    paper = read_pdf(pdf, into)
    assert paper.sizes == (A4_POINTS, A4_POINTS)  # always two pages, whatever the folder holds
    return paper


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_delivery_that_holds_is_told_whole(tmp_path: Path, language: Language) -> None:
    folder, key = seal_visit(tmp_path)
    first, second = printed(folder, tmp_path, language, key=key).words
    day = day_text(date(2026, 6, 1)).to(language)
    for phrase in (
        Text("Report of a visit"),
        Text("The proof holds"),
        Text("The key was compared with the one known from elsewhere."),
        Text("No checkpoint was given: a log that was rolled back would not show."),
        Text("No declared gap."),
    ):
        assert phrase.to(language) in first
    for told in ("cdiscount.d-1", "Chronopost", "…4711", "Dans l'entrée", "Porte d'entrée", VISIT, "Maison des Lilas"):
        assert told in first
    for moment, at in (
        ("SCANNED", "00"),
        ("UNLOCKED", "01"),
        ("OPENED", "01"),
        ("CLOSED", "03"),
        ("LOCKED_AGAIN", "04"),
    ):
        name = next(words.to(language) for known, words in MOMENT_TEXTS.items() if known.name == moment)
        assert f"{name} {day} 14:00:{at} {day} 12:00:{at}" in first
        assert name in second or moment in {"SCANNED", "UNLOCKED", "OPENED"}
    assert Text("Timeline").to(language) in second
    assert key.public.fingerprint in first
    assert read_visit(folder).hashes[0] in first
    assert Text("THE PROOF DOES NOT HOLD").to(language) not in first + second


def test_the_pictures_are_those_of_the_films_at_their_times(tmp_path: Path) -> None:
    folder, _ = seal_visit(tmp_path)
    told = read_visit(folder)
    taken = {view: (photo.camera, photo.at) for view, photo in told.photos.items()}
    arrival, carrying = taken.pop(PhotoMoment.ARRIVAL), taken.pop(PhotoMoment.CARRYING)
    assert taken == {
        PhotoMoment.CLOSED: ("hall", seconds_after(3)),
        PhotoMoment.LOCKED: ("outside", seconds_after(4.5)),
    }
    assert arrival[0] == "outside"
    assert SCAN <= arrival[1] <= seconds_after(1.5), "around the scan, before the door opens"
    assert carrying[0] == "hall"
    assert seconds_after(1.5) <= carrying[1] <= seconds_after(2.25), "in the first half of the time the door is open"
    paper = printed(folder, tmp_path)
    assert paper.pictures == (2, 2, 2, 2)
    assert "At the scan" in paper.words[1]
    assert "In with the parcel" in paper.words[1]
    assert "14:00:03 · hall" in paper.words[1]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_forged_film_is_told_in_words_on_both_pages_and_never_shown(tmp_path: Path, language: Language) -> None:
    folder, _ = seal_visit(tmp_path)
    film = folder / "hall-1-1.mp4"
    data = bytearray(film.read_bytes())
    data[len(data) // 2] ^= 1
    film.write_bytes(data)
    paper = printed(folder, tmp_path, language)
    first, second = paper.words
    assert Text("THE PROOF DOES NOT HOLD").to(language) in first
    assert Text("THE PROOF DOES NOT HOLD").to(language) in second
    assert {"fr": "Le film a été changé.", "en": "The film was changed."}[language] in first
    assert "hall-1-1.mp4, second" in first
    assert first.count(Text("Not proven: what this folder claims").to(language)) == 4
    assert Text("No pictures: the proof does not hold, what these films show is not proven.").to(language) in second
    assert Text("The proof holds").to(language) not in first
    assert paper.pictures == ()
    pdf = draw_report(read_visit(folder), language=language, zone=PARIS, made=MADE, names=HouseNames())
    red = np.asarray(render_page(pdf, tmp_path, 1, dots=30)).astype(int)
    assert ((red[..., 0] > 150) & (red[..., 1] < 60)).sum() > 1000  # a banner, not a word


def test_each_way_to_forge_ends_in_its_own_words(tmp_path: Path) -> None:
    folder, _ = seal_visit(tmp_path)
    for name, problem in (
        ("manifest.sig", ProofProblem.UNSIGNED),
        ("log.jsonl", ProofProblem.LOG_MISSING),
        ("outside-1-1.mp4", ProofProblem.FILM_MISSING),
        ("hall-1-1.jsonl", ProofProblem.CHAIN_MISSING),
        ("manifest.json", ProofProblem.NO_PROOF),
    ):
        copy = shutil.copytree(folder, tmp_path / f"without {name}" / VISIT)
        (copy / name).unlink()
        first, second = printed(copy, tmp_path).words
        assert "THE PROOF DOES NOT HOLD" in first, name
        assert read_visit(copy).verdict.code is problem
        assert ("No manifest that can be read: nothing can be told of this visit." in first) == (
            name == "manifest.json"
        )
        assert ("No timeline: neither manifest nor log can be read." in second) == (name == "manifest.json")
    unlogged, _ = printed(tmp_path / "without log.jsonl" / VISIT, tmp_path).words
    assert unlogged.count("not in the proof") == 5


def test_another_boxs_signature_is_told(tmp_path: Path) -> None:
    folder, _ = seal_visit(tmp_path)
    first, _ = printed(folder, tmp_path, "fr", key=BoxKey.generate()).words
    assert "Une autre box a signé." in first
    assert "La vérification s'arrête à la première chose fausse ; ce qui vient après n'a pas été vérifié." in first
    assert "La clé a été comparée avec celle que l'on connaissait d'ailleurs." not in first


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_folder_that_only_agrees_with_itself_is_not_called_proven(tmp_path: Path, language: Language) -> None:
    folder, _ = seal_visit(tmp_path)
    first, _ = printed(folder, tmp_path, language).words
    assert Text("The folder agrees, key not compared").to(language) in first
    assert Text("No key was given: compare the fingerprint above with the box's.").to(language) in first
    assert Text("The proof holds").to(language) not in first


def test_what_changes_between_verifying_and_reading_is_condemned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, problem in (("log.jsonl", ProofProblem.LOG_CHANGED), ("manifest.json", ProofProblem.SIGNATURE_WRONG)):
        root = tmp_path / name
        root.mkdir()
        folder, key = seal_visit(root)

        def late(
            where: Path, *, name: str = name, key: BoxKey = key, root: Path = root, **given: object
        ) -> VerificationResult:
            found = verify_proof(where)
            if name == "log.jsonl":
                write_whole(where / name, (where / name).read_bytes() + b"\n")
            else:
                (root / "other").mkdir()
                other, _ = seal_visit(root / "other", scan_event(0.1), key=key)
                write_whole(where / name, (other / name).read_bytes())
            assert set(given) == {"public_key", "checkpoint"}
            return found

        monkeypatch.setattr(accounts, "verify_proof", late)
        told = read_visit(folder)
        assert (told.verdict.ok, told.verdict.code, dict(told.photos)) == (False, problem, {})


def test_a_film_that_changes_after_verifying_gives_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = seal_visit(tmp_path)

    def late(where: Path, **_: object) -> VerificationResult:
        found = verify_proof(where)
        with (where / "outside-1-1.mp4").open("ab") as film:
            film.write(b"more")
        return found

    monkeypatch.setattr(accounts, "verify_proof", late)
    assert set(read_visit(folder).photos) == {PhotoMoment.CARRYING, PhotoMoment.CLOSED}  # those of the hall


def test_of_a_visit_without_a_scan_the_first_picture_is_shown(tmp_path: Path) -> None:
    folder, _ = seal_visit(tmp_path, door_event(1.5, "open"), door_event(3, "closed"))
    paper = printed(folder, tmp_path)
    assert "First picture" in paper.words[1]
    assert "At the scan" not in paper.words[1]
    assert paper.pictures == (2, 2, 2)


def test_what_the_log_does_not_tell_is_called_missing(tmp_path: Path) -> None:
    folder, _ = seal_visit(tmp_path, scan_event(0.5), bolt_event(1, "unlocked"))
    paper = printed(folder, tmp_path)
    first, second = paper.words
    assert first.count("not in the proof") == 3
    assert second.count("That instant is not in the proof") == 3
    assert paper.pictures == (2,)


def test_a_log_of_another_make_gives_no_times_and_says_so(tmp_path: Path) -> None:
    box = SealingBox()
    folder, _ = box.visit(tmp_path)
    first, _ = printed(folder, tmp_path, key=box.key).words
    assert "The proof holds" in first
    assert first.count("not in the proof") == 5


def test_an_instant_that_no_film_shows_has_no_picture(tmp_path: Path) -> None:
    rows = [*DELIVERY_ROWS[:3], door_event(30, "closed"), door_event(40, "closed", proven=True)]
    folder, _ = seal_visit(tmp_path, *rows)
    paper = printed(folder, tmp_path)
    assert paper.words[1].count("No film at that instant") == 2
    assert paper.pictures == (2, 2)


def test_declared_gaps_stand_on_the_paper_in_words(tmp_path: Path) -> None:
    film = FilmSpan(start=SCAN, end=seconds_after(20))
    longer = draft_of(()).model_copy(update={"film": film, "notes": ("hall:frozen", "no_clock")})
    folder, _ = seal_visit(tmp_path, draft=longer)
    first, second = printed(folder, tmp_path).words
    assert "outside: no film" in first
    assert "Declared gap, outside: 14:00:00 to 14:00:20 (not filmed)" in first
    assert "Also declared: hall: frozen picture" in first
    assert "Also declared: no_clock" in first
    assert "declared gap" in second


def test_temperatures_are_plotted_only_where_the_log_has_some(tmp_path: Path) -> None:
    (tmp_path / "cold").mkdir()
    (tmp_path / "plain").mkdir()
    cold, _ = seal_visit(
        tmp_path / "cold",
        *DELIVERY_ROWS[:2],
        fridge_event(1.2, 3.5),
        fridge_event(2, None),
        fridge_event(2.5, 6.25),
        *DELIVERY_ROWS[2:],
    )
    plain, _ = seal_visit(tmp_path / "plain")
    second = printed(cold, tmp_path).words[1]
    assert "Temperatures (°C)" in second
    assert "3.5" in second
    assert "6.2" in second
    assert "Frigo" in second
    assert "Temperatures (°C)" not in printed(plain, tmp_path).words[1]


def test_an_untrusted_clock_is_told(tmp_path: Path) -> None:
    folder, _ = seal_visit(tmp_path, scan_event(0.5, trusted=False), *DELIVERY_ROWS[1:])
    assert "The box was not certain of its time." in printed(folder, tmp_path).words[0]


def test_hostile_names_are_inert_and_fit(tmp_path: Path) -> None:
    strange = "<b>\u202eevil\u2066\x1b[31m" + "Ω" * 60
    delivery = DeliveryFacts(
        id="x" * 129, version=1, brand=strange, carrier="京" * 80, place=strange,
        window=FilmSpan(start=SCAN, end=seconds_after(90_000)), parcels=("\u202e711",) * 40,
    )  # fmt: skip
    hostile = draft_of(()).model_copy(update={
        "delivery": delivery, "outcome": Outcome.PARTLY_DELIVERED, "house": DoorResult.HANDED_TO_OWNER,
    })  # fmt: skip
    folder, _ = seal_visit(tmp_path, draft=hostile)
    names = HouseNames(box="box-1", house=strange * 3, entrances={"front": strange * 3})
    for language in ("fr", "en"):
        paper = printed(folder, tmp_path, language, names=names)
        first = paper.words[0]
        assert "<b>evil[31mΩΩΩ" in first
        assert "\N{REPLACEMENT CHARACTER}" * 5 in first
        assert not {"\u202e", "\u2066", "\x1b"} & set("".join(paper.words))
        assert {"fr": "et 35 de plus", "en": "and 35 more"}[language] in first


def test_a_houses_names_are_never_put_on_another_boxs_visit(tmp_path: Path) -> None:
    folder, _ = seal_visit(tmp_path)
    another = replace(NAMES, box="another")
    pdf = draw_report(read_visit(folder), language="en", zone=PARIS, made=MADE, names=another)
    first = read_pdf(pdf, tmp_path).words[0]
    assert "Maison des Lilas" not in first
    assert "hall" in first


@pytest.mark.parametrize("why", ["request", "retention"])
def test_an_erased_visit_says_that_it_was_erased(tmp_path: Path, why: str) -> None:
    folder, key = seal_visit(tmp_path)
    told = read_visit(folder)
    parts = () if why == "request" else tuple(_sealed_parts(told.hashes))
    stone = Tombstone(box="box-1", visit=VISIT, parts=parts, at=seconds_after(99), why=why, who="owner").signed(key)  # type: ignore[arg-type]  # a word, not a literal
    erase_folder(folder, stone)
    paper = printed(folder, tmp_path, key=key)
    first, second = paper.words
    assert "Erased visit" in first
    left = (
        Text("Erased on request. Only the signed note of erasure is left.")
        if why == "request"
        else Text("The films were erased when their time was over; what was decided is still proven.")
    )
    assert left.to("en") in first
    assert "No pictures: the films were erased." in second
    assert paper.pictures == ()
    assert ("Chronopost" in first) == (why == "retention")


def _sealed_parts(hashes: tuple[str, ...]) -> list[SealedPart]:
    return [SealedPart(visit=VISIT, part=n, manifest_sha256=one) for n, one in enumerate(hashes, start=1)]


def test_a_visit_in_two_parts_is_one_report(tmp_path: Path) -> None:
    box = SealingBox()
    box.visit(tmp_path)
    folder, _ = box.visit(tmp_path, part=2, at=seconds_after(60), shade=90)
    first, second = printed(folder, tmp_path, key=box.key).words
    assert "SHA-256 of manifest 2" in first
    assert "outside: 14:00:00-14:00:06, 14:01:00-14:01:06" in first
    assert second.count("outside") >= 1


def test_the_same_visit_gives_the_same_file(tmp_path: Path) -> None:
    folder, _ = seal_visit(tmp_path)
    first, second = (
        draw_report(read_visit(folder), language="fr", zone=PARIS, made=MADE, names=NAMES) for _ in range(2)
    )
    assert first == second
