"""`perron sentences` at a terminal."""

from gateway.cli.failure import ExitCode
from gateway.runtime.door_sentences import SENTENCES
from tests.gateway.cli.terminal import run_perron


def test_a_line_has_the_name_of_the_recording_and_the_text() -> None:
    made = run_perron("sentences", "fr")
    lines = [line.partition(" ") for line in made.stdout.splitlines()]
    assert {name: text for name, _, text in lines} == {
        f"{sound.value}_fr": text.to("fr") for sound, text in SENTENCES.items()
    }


def test_a_language_without_sentences_is_refused_and_the_known_ones_are_named() -> None:
    made = run_perron("sentences", "it")
    assert made.returncode == ExitCode.INVALID
    assert "They exist in: de, en, fr." in made.stderr
