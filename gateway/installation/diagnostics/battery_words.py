"""What an examination says of batteries, in French and English."""

from collections.abc import Mapping

_Both = tuple[str, str]  # French, English

BATTERIES: Mapping[str, _Both] = {
    "what.batteries": ("piles, {name}", "batteries, {name}"),
    "batteries.told": ("{each}", "{each}"),
    "batteries.one": ("{whose}, {level}", "{whose}, {level}"),
    "batteries.soon": ("{whose}, bientôt vide", "{whose}, running out"),
    "batteries.todo": (
        "Changez celles qui sont faibles ou bientôt vides, puis faites parler l'appareil une fois.",
        "Change those that are low or running out, then let the device speak once.",
    ),
    "batteries.of.lock": ("serrure", "lock"),
    "batteries.of.door": ("capteur de porte", "door sensor"),
    "batteries.of.cover": ("porte de garage ({id})", "garage door ({id})"),
    "batteries.of.signal": ("sonnette ({id})", "bell ({id})"),
    "batteries.of.button": ("bouton ({id})", "button ({id})"),
    "batteries.of.scanner": ("lecteur de codes ({id})", "scanner ({id})"),
    "batteries.of.camera": ("caméra ({id})", "camera ({id})"),
    "batteries.of.fridge": ("thermomètre ({id})", "thermometer ({id})"),
    "batteries.of.presence": ("détecteur de présence ({id})", "presence sensor ({id})"),
    "batteries.of.alarm": ("centrale d'alarme ({id})", "alarm panel ({id})"),
}
