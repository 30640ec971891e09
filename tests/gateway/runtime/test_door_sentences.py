"""What a speaker at the door says, in which language, and that nothing depends on it."""

import json
from pathlib import Path

import pytest
from aiohttp import ClientSession

from devices.commands import Sound
from gateway.domain.delivery.barcodes import courier_token_digest, new_courier_token
from gateway.runtime.door_sentences import (
    MAX_COURIERS,
    SENTENCES,
    CourierLanguages,
    sentence_for,
    spoken_languages,
)
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import NOW, make_offer
from tests.shell.box import ShellBox, box, run_box
from tests.shell.house import PARCEL, entrance_in_visit, make_home
from tests.shell.parts import ManualTime
from tests.shell.site import serve_site
from tests.waiting import wait_until

SECRET = bytes(range(16))
CODE, DIGEST = new_courier_token(SECRET), courier_token_digest(SECRET)
SAID = "perron/speaker/set"


def test_each_sound_of_the_signal_but_silence_has_its_sentence_in_the_three_languages_of_couriers() -> None:
    assert SENTENCES.keys() == set(Sound) - {Sound.NONE}
    assert set(spoken_languages()) >= {"en", "fr", "de"}
    for language in spoken_languages():
        assert len({text.to(language) for text in SENTENCES.values()}) == len(SENTENCES), "each says something else"


def test_silence_says_nothing(tmp_path: Path) -> None:
    state = entrance_in_visit(make_home(tmp_path))
    assert sentence_for(Sound.NONE, state, CourierLanguages(), "fr") is None


@pytest.mark.parametrize(
    ("read", "home", "said"), [("de", "fr", "de"), (None, "fr", "fr"), (None, "it", "en"), ("it", "fr", "en")]
)
def test_the_courier_hears_the_language_that_he_reads_or_that_of_the_home_or_english(
    tmp_path: Path, read: str | None, home: str, said: str
) -> None:
    state, known = entrance_in_visit(make_home(tmp_path)), CourierLanguages()
    known.note("another", "de")
    if read is not None:
        known.note("shop.d1", read)
    sentence = sentence_for(Sound.GO, state, known, home)
    assert sentence is not None
    assert (sentence.language, sentence.text) == (said, SENTENCES[Sound.GO].to(said))


def test_the_languages_of_the_newest_couriers_are_remembered_and_no_more() -> None:
    known = CourierLanguages()
    for number in range(MAX_COURIERS + 1):
        known.note(f"d{number}", "fr")
        known.note("d0", "de")  # looks at his page again and again
    assert (known.of("d0"), known.of("d1"), known.of(f"d{MAX_COURIERS}")) == ("de", None, "fr")


def spoken(made: ShellBox) -> list[tuple[str, str]]:
    """Sentence and language of what the speaker was told to say, in order."""
    told = [json.loads(one.payload) for one in made.line.on(SAID)]
    return [(one["sentence"], one["language"]) for one in told]


async def test_the_door_asks_a_german_courier_in_german_to_wait_and_nobody_else(tmp_path: Path) -> None:
    house = make_home(tmp_path)
    document = house.model_dump(mode="json")
    document["devices"]["speaker"] = {"kind": "speaker", "vendor": "homeassistant", "address": "media_player.door"}
    document["entrances"]["front"] |= {"courier_proof": True, "speaker": "speaker"}
    with_speaker = type(house).model_validate(document, strict=False)
    async with box(tmp_path, with_speaker, time=ManualTime(mono=7300.0)) as made:
        await receive(made.store, make_offer(courier_sha256=DIGEST), now=NOW)
        async with run_box(made), serve_site(made) as site, ClientSession() as phone:
            await made.good_day()
            await made.quiet()
            async with phone.get(f"{site.address}/c/{DIGEST}", headers={"Accept-Language": "de"}) as page:
                assert page.status == 200
            made.scan("RB123456785GB")
            await made.quiet()
            assert spoken(made) == [("no", house.language)], "nobody knows who scanned that"
            made.scan(PARCEL)
            await wait_until(lambda: made.front.state.pending_scan is not None)
            await made.ring(CODE)
            assert spoken(made)[-1] == ("ring", "de")
            assert len(made.line.on("perron/signal/set")) >= 2, "light and buzzer say it too"
