"""What is said of brands that ask by a hub, and of their keys, in French and English: a part of `catalogue.py`."""

from collections.abc import Mapping

_Both = tuple[str, str]  # French, English

ASKING: Mapping[str, _Both] = {
    "brand.asked": (
        "Demande reçue par {hub}, le {day}. Sans réponse de vous d'ici le {until}, c'est non.",
        "Asked by way of {hub} on {day}. Without an answer from you by {until} it is no.",
    ),
    "brand.asked.for": ("Ce qu'elle demande", "What it asks for"),
    "brand.asked.any": ("à vous de choisir", "for you to choose"),
    "brand.openings": ("Ouvertures par livraison", "Openings a delivery"),
    "brand.until.how": ("Jusqu'à ce jour compris (vide : sans fin)", "Until and with this day (empty: no end)"),
    "brand.until.bad": (
        "le dernier jour doit être entre le {first} et le {last} ; sans fin, laissez le champ vide",
        "the last day has to lie between {first} and {last}; for no end, leave the field empty",
    ),
    "brand.stranger": (
        ("Personne d'ici ne connaît cette marque, et son nom ne prouve rien : comparez l'empreinte de sa clé avec celle"
        " que la marque publie elle-même."),
        ("Nobody here knows this brand, and a name proves nothing: compare the fingerprint of its key with the one that"
        " the brand itself publishes."),
    ),
    "brand.id": ("Nom technique", "Technical name"),
    "brand.key": ("Empreinte de la clé", "Fingerprint of the key"),
    "brand.keyless": (
        "Cette marque ne signe rien elle-même : tout ce qui est écrit ici, c'est le hub qui le dit.",
        "This brand signs nothing itself: all that stands here is the hub's word.",
    ),
    "brand.hub_signed": ("aussi sans la signature de la marque", "also without the brand's signature"),
    "brand.hub_signed.let": (
        "Laisser entrer aussi ce que la marque n'a pas signé",
        "Also let in what the brand has not signed",
    ),
    "brand.hub_signed.sure": (
        ("Attention : qui tient le hub, ou y pénètre, pourrait inventer une livraison et faire ouvrir votre porte."
        " Ne cochez que pour un lieu où vous laisseriez entrer un inconnu."),
        ("Careful: whoever runs the hub, or breaks into it, could then invent a delivery and have your door opened."
        " Tick this only for a place into which you would let a stranger."),
    ),
    "brand.ended.hub": (
        "Selon le hub, la marque a mis fin à cet accès le {day}.",
        "The hub says that the brand ended this on {day}.",
    ),
    "brand.ended": ("La marque a mis fin à cet accès le {day}.", "The brand ended this itself on {day}."),
    "brand.new_key": ("Nouvelle clé de {brand}", "New key of {brand}"),
    "brand.new_key.why": (
        "Une clé que vous avez acceptée répond de celle-ci. Elle n'ouvre rien tant que vous n'avez pas dit oui.",
        "A key that you accepted vouches for this one. It opens nothing until you say yes.",
    ),
    "brand.new_key.approve": ("Accepter la clé", "Accept the key"),
    "brand.new_key.refuse": ("Refuser la clé", "Refuse the key"),
    "brand.forget": ("Oublier cette marque", "Forget this brand"),
    "brand.forget.why": (
        "Elle pourra redemander comme une inconnue, avec une autre clé ; ce qu'elle avait annoncé n'ouvrira plus.",
        "It may then ask again as a stranger, with another key; what it had announced opens nothing any more.",
    ),
    "brand.look_again": (
        "Regardez d'abord ce qu'elle demande, et choisissez les conditions.",
        "Look at what it asks for first, and choose the terms.",
    ),
}  # fmt: skip
