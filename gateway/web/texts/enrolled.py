"""What is said of browsers that speak to the box through the hub, in French and English: part of `catalogue.py`."""

from collections.abc import Mapping

_Both = tuple[str, str]  # French, English

ENROLLED: Mapping[str, _Both] = {
    "away.no_hub": ("Cette maison n'a rejoint aucun hub : de loin, rien ne l'atteint.",
                    "This house has joined no hub: nothing reaches it from afar."),
    "away.unfit": ("Ce navigateur n'a pas donné ce qu'il faut : un nom et deux clés.",
                   "This browser did not bring what is needed: a name and two keys."),
    "away.browsers": ("Navigateurs qui vous suivent dehors", "Browsers that go out with you"),
    "away.browsers.why": (
        "Depuis chacun, on peut voir la maison et lui donner des ordres de loin. Retirez celui que vous avez perdu.",
        "From each of them one can see the house from afar and tell it what to do. End one that you have lost.",
    ),
    "away.browsers.none": ("Aucun.", "None."),
    "away.of": ("{who}, depuis le {day}", "{who}, since {day}"),
    "away.end": ("Retirer", "End"),
    "away.end.which": ("Retirer le navigateur {label}", "End the browser {label}"),
    "did.browser_enrolled": ("{who} joint la maison de loin : {what}", "{who} reaches the house from afar: {what}"),
    "did.browser_ended": ("{by} a retiré le navigateur de {who} : {what}", "{by} ended a browser of {who}: {what}"),
}  # fmt: skip
