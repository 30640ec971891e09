"""What the courier is to do next, in French and English: a part of `catalogue.py`."""

from collections.abc import Mapping

_Both = tuple[str, str]  # French, English

TURNS: Mapping[str, _Both] = {
    "turn.early": ("Trop tôt", "Not yet"),
    "turn.early.how": ("Créneau : {start} - {end}", "Window: {start} - {end}"),
    "turn.show": ("Scannez", "Scan"),
    "turn.show.how": ("Le colis, puis le code ci-dessous", "The parcel, then the code below"),
    "turn.other": ("Encore un", "One more"),
    "turn.other.how": ("Scannez aussi l'autre : colis ou code", "Scan the other one too: parcel or code"),
    "turn.wait": ("Patientez", "Please wait"),
    "turn.wait.how": ("On sonne, la porte va s'ouvrir", "It rings, the door is about to open"),
    "turn.go": ("Entrez", "Come in"),
    "turn.go.how": ("Poussez la porte. Déposez : {place}", "Push the door. Put it down: {place}"),
    "turn.inside": ("Déposez et sortez", "Put it down, come out"),
    "turn.inside.how": ("{place}. Refermez la porte derrière vous.", "{place}. Close the door behind you."),
    "turn.garage.how": ("{place}. Une fois dehors, sonnez : la porte descendra.",
                        "{place}. Once you are outside, ring the bell: the door will come down."),
    "turn.away": ("Merci", "Thank you"),
    "turn.away.how": ("La porte se verrouille", "The door is locking"),
    "turn.done": ("C'est fait", "Done"),
    "turn.done.how": ("Merci et bonne route", "Thank you, have a safe way"),
    "turn.no": ("Non", "No"),
    "turn.no.how": ("Cette porte ne s'ouvre pas maintenant", "This door does not open now"),
    "turn.help": ("Merci", "Thank you"),
    "turn.help.how": ("Fermez la porte si vous le pouvez ; le propriétaire est prévenu",
                      "Close the door if you can; the owner has been told"),
    "turn.over": ("Terminé", "Over"),
    "turn.over.how": ("Ce lien n'ouvre plus rien", "This link opens nothing any more"),
}  # fmt: skip
