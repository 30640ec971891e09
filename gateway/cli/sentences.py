"""`perron sentences`: prints what a loudspeaker at the door says, so that somebody can record it."""

from typing import Annotated

import typer

from gateway.cli.failure import Failure
from gateway.cli.options import cli, print_line
from gateway.runtime.door_sentences import SENTENCES, spoken_languages


@cli.example(
    "perron sentences fr",
    'perron sentences fr | while read -r name text; do espeak-ng -v fr -w "$name.wav" "$text"; done',
)
def sentences(
    language: Annotated[str, typer.Argument(help="A language that the sentences exist in: en, fr, de.")],
) -> None:
    """Print each sentence that a speaker at the door says: the name of its recording, a space, the text."""
    if language not in spoken_languages():
        known = ", ".join(sorted(spoken_languages()))
        raise Failure(f"The sentences at the door do not exist in {language!r}.", f"They exist in: {known}.")
    for sound, text in SENTENCES.items():
        print_line(f"{sound.value}_{language} {text.to(language)}")
