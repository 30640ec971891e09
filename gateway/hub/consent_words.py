"""The texts of the consent page, in both languages: one row each. What is in braces is filled in."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from gateway.protocol.consent_request import AskedTerms
from gateway.system.i18n import Language
from gateway.system.text import isolated

WORDS: Mapping[str, Mapping[Language, str]] = MappingProxyType({
    "title": {"fr": "Demande de {brand}", "en": "{brand} asks"},
    "heading": {"fr": "{brand} demande à livrer chez vous", "en": "{brand} asks to deliver to your home"},
    "by": {"fr": "Demandé par {retailer}.", "en": "Asked by {retailer}."},
    "sandbox": {
        "fr": "C'est un essai : seule une maison simulée peut répondre.",
        "en": "This is a trial: only a simulated home can answer.",
    },
    "asks": {"fr": "Ce qui est demandé", "en": "What is asked for"},
    "entrances": {"fr": "Entrées", "en": "Entrances"},
    "places": {"fr": "Endroits", "en": "Places"},
    "carriers": {"fr": "Transporteurs", "en": "Carriers"},
    "days": {"fr": "Jours", "en": "Days"},
    "hours": {"fr": "Heures", "en": "Hours"},
    "openings": {"fr": "Ouvertures par livraison", "en": "Openings for each delivery"},
    "until": {"fr": "Jusqu'au", "en": "Until"},
    "signature": {"fr": "Signature", "en": "Signature"},
    "any": {"fr": "celles que vous choisirez", "en": "those that you choose"},
    "any_place": {"fr": "ceux que vous choisirez", "en": "those that you choose"},
    "no_end": {"fr": "votre révocation", "en": "you take it back"},
    "every_day": {"fr": "tous les jours", "en": "every day"},
    "whole_day": {"fr": "toute la journée", "en": "the whole day"},
    "signed": {
        "fr": "chaque livraison est signée par la marque elle-même",
        "en": "each delivery is signed by the brand itself",
    },
    "hub_signed": {
        "fr": "aussi des livraisons que la marque n'a pas signées elle-même : ce service seul en répond",
        "en": "also deliveries that the brand has not signed itself: this service alone speaks for them",
    },
    "nobody": {
        "fr": "Ce service transmet la demande ; il ne garantit ni le nom ni la personne qui demande. N'allez plus loin"
              " que si vous venez de le demander vous-même chez {brand}.",
        "en": "This service passes the question on; it vouches neither for the name nor for whoever asks. Go on only if"
              " you have just asked for this at {brand} yourself.",
    },
    "which": {"fr": "Quelle maison est la vôtre ?", "en": "Which home is yours?"},
    "which_why": {
        "fr": "Le code d'assistance de votre box le dit. Il n'ouvre rien : la réponse se donne dans votre maison.",
        "en": "Your box's support code tells. It opens nothing: the answer is given in your house.",
    },
    "code": {"fr": "Code d'assistance", "en": "Support code"},
    "code_shape": {"fr": "12 lettres et chiffres", "en": "12 letters and digits"},
    "slip": {
        "fr": "Il y a une faute dans ce code. Comparez-le à celui de votre box.",
        "en": "There is a slip in this code. Compare it with the one on your box.",
    },
    "send": {"fr": "Poser la question à ma maison", "en": "Ask my home"},
    "sent": {"fr": "Répondez sur votre box ou votre téléphone", "en": "Answer on your box or phone"},
    "sent_why": {
        "fr": "Si ce code est celui de votre box, la question y est maintenant. Le oui ou le non se donne là, avec les"
              " limites que vous voulez. Cette page regarde d'elle-même si vous avez répondu.",
        "en": "If this code is your box's, the question is there now. Yes or no is said there, within the limits that"
              " you want. This page looks by itself whether you have answered.",
    },
    "look": {"fr": "Regarder maintenant", "en": "Look now"},
    "silence": {
        "fr": "Sans réponse jusqu'au {until}, c'est non.", "en": "Without an answer until {until} it is no.",
    },
    "again": {"fr": "Rien n'arrive sur votre box ?", "en": "Nothing comes to your box?"},
    "again_why": {
        "fr": "Le code n'était peut-être pas le bon. Essais restants : {left}.",
        "en": "The code may not have been the right one. Tries left: {left}.",
    },
    "no_more": {
        "fr": "Aucun autre code n'est accepté ici. S'il ne vient rien, recommencez chez {brand}.",
        "en": "No further code is taken here. If nothing comes, begin again at {brand}.",
    },
    "granted": {"fr": "Votre maison a dit oui", "en": "Your home has said yes"},
    "granted_why": {
        "fr": "{brand} peut livrer dans les limites que vous avez données. Vous pouvez tout reprendre sur votre box.",
        "en": "{brand} may deliver within the limits that you gave. You can take all of it back on your box.",
    },
    "refused": {"fr": "Votre maison a dit non", "en": "Your home has said no"},
    "revoked": {"fr": "Votre maison a repris son accord", "en": "Your home has taken its consent back"},
    "expired": {"fr": "Personne n'a répondu : c'est non", "en": "Nobody answered: it is no"},
    "ended": {"fr": "{brand} a retiré sa demande", "en": "{brand} has withdrawn its question"},
    "closed": {"fr": "Rien n'est livré sous cette demande.", "en": "Nothing is delivered under this question."},
    "back": {"fr": "Revenir chez {brand}", "en": "Back to {brand}"},
    "lost": {"fr": "Cette adresse ne mène à rien", "en": "This address leads nowhere"},
    "lost_why": {
        "fr": "Elle est incomplète, ou trop ancienne. Reprenez le lien que vous avez reçu.",
        "en": "It is not whole, or too old. Take the link that you were given once more.",
    },
    "join": {"fr": "Ceci est un code pour votre box", "en": "This is a code for your box"},
    "join_why": {
        "fr": "Copiez l'adresse entière, avec ce qui suit le #, et collez-la sur la page Réglages, Hub de votre box "
        "Perron ; ou prenez le code en photo depuis cette page-là. Ne l'envoyez à personne : qui l'a peut relier une "
        "box à sa place.",
        "en": "Copy the whole address, with what stands behind the #, and paste it on the page Settings, Hub of your "
        "Perron box; or take the photo of the code from that page. Send it to nobody: who has it can let a box join in "
        "its place.",
    },
    "slow": {"fr": "Trop d'essais", "en": "Too many tries"},
    "slow_why": {"fr": "Attendez une minute, puis rechargez.", "en": "Wait a minute, then load the page again."},
})  # fmt: skip

DAYS: Mapping[str, Mapping[Language, str]] = MappingProxyType({
    "mon": {"fr": "lundi", "en": "Monday"},
    "tue": {"fr": "mardi", "en": "Tuesday"},
    "wed": {"fr": "mercredi", "en": "Wednesday"},
    "thu": {"fr": "jeudi", "en": "Thursday"},
    "fri": {"fr": "vendredi", "en": "Friday"},
    "sat": {"fr": "samedi", "en": "Saturday"},
    "sun": {"fr": "dimanche", "en": "Sunday"},
})  # fmt: skip

_MONTHS: Mapping[Language, str] = MappingProxyType({
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "en": "January February March April May June July August September October November December",
})  # fmt: skip


def say(key: str, language: Language, **facts: str) -> str:
    """One text, filled in."""
    return WORDS[key][language].format(**facts)


def moment(at: datetime, language: Language) -> str:
    """An instant in words. What time it is where the reader lives the hub does not know: it says whose time it is."""
    day = "1er" if language == "fr" and at.day == 1 else str(at.day)
    return f"{day} {_MONTHS[language].split()[at.month - 1]} {at.year}, {at:%H:%M} UTC"


def asked_for(asked: AskedTerms, language: Language) -> list[tuple[str, str]]:
    """What is asked for, as pairs of a word and what it is. Names from outside are inert."""

    def named(names: tuple[str, ...] | None, otherwise: str) -> str:
        return say(otherwise, language) if names is None else ", ".join(isolated(name) for name in names)

    days = say("every_day", language) if len(asked.days) == 7 else ", ".join(DAYS[day][language] for day in asked.days)
    hours = say("whole_day", language) if asked.hours == "00:00-24:00" else asked.hours.replace("-", " - ")
    until = say("no_end", language) if asked.expires is None else moment(asked.expires, language)
    rows = (
        ("entrances", named(asked.entrances, "any")),
        ("places", named(asked.places, "any_place")),
        ("carriers", named(asked.carriers, "any")),
        ("days", days),
        ("hours", hours),
        ("openings", str(asked.openings)),
        ("until", until),
        ("signature", say("hub_signed" if asked.hub_signed else "signed", language)),
    )
    return [(say(word, language), what) for word, what in rows]
