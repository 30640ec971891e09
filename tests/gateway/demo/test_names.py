"""What the demo's house is called, in each reader's language."""

import pytest

from gateway.demo.names import ALL_NAMES, name_of, with_readers_names
from gateway.system.i18n import in_language


@pytest.mark.parametrize(
    ("text", "french", "english"),
    [
        ("Locked again 14:07, Front door (Cdiscount)", "Locked again 14:07, Porte d'entrée (Cdiscount)", None),
        ("In the hall seulement (Front door)", "Dans l'entrée seulement (Porte d'entrée)", None),
        ("Reverrouillé à 14:07, Porte d'entrée", None, "Reverrouillé à 14:07, Front door"),
        ("Flatten the Garage", None, None),
    ],
)
def test_a_message_has_the_names_of_its_readers_language(text: str, french: str | None, english: str | None) -> None:
    assert with_readers_names(text, "fr") == (french or text)
    assert with_readers_names(text, "en") == (english or text)


def test_each_name_is_known_by_what_it_is_called_in_any_language() -> None:
    for name in ALL_NAMES:
        assert in_language(name_of(name.to("fr")), "en") == name.to("en")
        assert in_language(name_of(name.to("en")), "fr") == name.to("fr")
    assert name_of("Marc Petit") == "Marc Petit"
