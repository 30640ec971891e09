"""The texts of the demo's page, one for each key.

What happens at any door has its words in `gateway/web/texts/catalogue.py` and
`gateway/runtime/notifications/texts.py`; the page has those too.
"""

from collections.abc import Mapping
from types import MappingProxyType

from gateway.demo.scenario import Scenario
from gateway.runtime.notifications.texts import REFUSAL_TEXTS
from gateway.system.i18n import Language, Text, _, languages_of, pgettext
from gateway.web.texts.catalogue import TEXTS as PAGES

TEXTS: Mapping[str, Text] = MappingProxyType({
    # The page.
    "title": _("Perron, the demo"),
    "skip": _("Skip to the house"),
    "about.fast": _("About {seconds} s, at --fast waiting times. Nothing is simulated but the house."),
    "about.slow": _("About {minutes} min, at real times; `--fast` shortens them."),
    "script": _("This page needs JavaScript."),
    "key.missing": _("Scan the terminal's QR, or open its whole address: without it this page shows nothing."),
    "lost": _("The demo does not answer any more: what is shown is out of date."),
    "panel.film": _("The live film"),
    "panel.sealed": _("The sealed film"),
    "panel.house": _("The house"),
    "panel.phone": _("The owner's phone"),
    "panel.light": _("The door's light"),
    "panel.now": _("What happens"),
    "camera.doorbell": _("Doorbell"),
    "camera.hall-camera": _("Hall"),
    "camera.grey": _("frozen picture: Perron does not believe it"),
    "film.scrub": _("Scrub the film, or touch a line"),
    "film.live": _("Back to live"),
    "film.show": _("See the sealed film"),
    "phone.empty": _("No message"),
    "phone.waited": _("came {seconds} s late"),
    "phone.picture": _("The message's picture"),
    "phone.yes": _("Yes, let them in"),
    "phone.granted": _("You said yes"),
    "phone.offline": _("no word from the house"),
    "check.parcel": _("Parcel"),
    "check.hour": _("Hour"),
    "check.brand": _("Brand"),
    "check.courier": _("Courier"),
    "check.filming": _("Filming"),
    "check.yes": _("right"),
    "check.no": _("no"),
    "check.open": _("not looked at yet"),
    "decided": _("decided here in {ms} ms"),
    "health.lock": _("Lock"),
    "health.door": _("Door"),
    "health.camera": _("Cameras"),
    "health.clock": _("Clock"),
    "health.good": _("good"),
    "health.bad": _("not proven"),
    "house.locked": _("Locked"),
    "house.shut": _("Shut, not proven"),
    "house.unlocked": _("Unlocked"),
    "house.open": _("Open"),
    "house.forced": _("Forced"),
    "house.dead": _("The box is dead"),
    "house.spent": _("used, cannot open again"),
    "house.openings": _("openings: {count}"),
    "house.cable": _("internet"),
    "house.unplugged": _("unplugged"),
    "light.off": _("off"),
    "light.amber": _("please wait"),
    "light.green": _("come in"),
    "light.red": _("no"),
    "verify.holds": pgettext("said aloud", "The proof holds"),
    "verify.broken": _("One byte was changed at second {second}"),
    "verify.where": _("perron verify: {where}"),
    # The show.
    "rest": _("Watch: the house is being set up."),
    "show.asks": _("{brand} asks to be let in. By {carrier}: {place} only, {hours}."),
    "show.granted": _("The owner says yes."),
    "show.ready": _("Lock, door, cameras, clock: all proven good."),
    "show.pulled": _("The internet is unplugged. The box is alone."),
    "show.rings": _("The courier rings. Nobody is home."),
    "show.scans": _("He holds up the label and his one-time code."),
    "show.decided": _("All is right. The box decided alone, without the internet."),
    "show.unlocks": _("The bolt turns."),
    "show.opens": _("The door opens. The promise is used: it cannot open again."),
    "show.inside": _("The parcel is put down, the film runs."),
    "show.out": _("Out, and the door is shut."),
    "show.locked": _("The bolt is out: locked again, proven."),
    "show.back": _("The internet is back, the phone buzzes: “{text}”"),
    "show.sealed": _("Film and log are sealed. Scrub the film: the timeline follows."),
    "show.again": _("The same label, once more."),
    "show.used": _("No: already used."),
    "show.thief": _("Another courier comes. A thief freezes the camera: the picture looks perfect."),
    "show.greyed": _("Perron saw it within {seconds} s and greys it."),
    "show.shut": _("The door stays shut: no living picture, no opening."),
    "show.unfrozen": _("The camera is back. He scans again."),
    "show.killed": _("In mid-opening, the box is killed."),
    "show.revived": _("It restarts, finds the courier, films on."),
    "show.openings": _("Locked again. Openings: {count}."),
    "show.changed": _("One single byte of the film is changed."),
    "show.verified": _("Verification points at the second: {second}."),
    "show.over": _("Your turn."),
    # What happens in a scenario.
    "line.refused": _("No: {why}."),
    "line.held_back": _("The unlock is held back."),
    "line.outcome": _("Parcels: {outcome}"),
    "line.told": _("The owner is told: “{text}”"),
    "line.died": _("The box does not answer any more."),
    "line.person.outside": _("{who} is at the door."),
    "line.person.inside": _("{who} is inside."),
    "line.person.away": _("{who} goes away."),
    "line.door.open": _("The door opens."),
    "line.door.closed": _("The door closes."),
    "line.door.forced": _("The door is forced."),
    "line.bolt.withdrawn": _("The bolt withdraws."),
    "line.bolt.thrown": _("The bolt is thrown."),
    "line.bolt.air": _("The bolt is thrown while the door is open."),
    "line.fault": _("A fault: {device}."),
    "line.link.down": _("Cut off: {device}."),
    "line.link.up": _("Back: {device}."),
    "line.scan": _("A code is held before the scanner."),
    "line.answers": _("Somebody inside answers."),
    "line.parcel": _("The parcel is put down."),
    "line.lock_refuses": _("The lock refuses the order."),
    "who.courier": _("The courier"),
    "who.resident": _("The resident"),
    "who.thief": _("The thief"),
    "device.front-lock": _("the lock"),
    "device.front-door": _("the door's sensor"),
    "device.doorbell": _("the doorbell's camera"),
    "device.hall-camera": _("the hall's camera"),
    "device.front-scanner": _("the scanner"),
    "device.front-signal": _("the signal"),
    "device.kitchen-fridge": _("the fridge"),
    # Playing a scenario.
    "turn.title": _("Your turn"),
    "turn.why": _("Each button plays a scene in a fresh house, with the real box."),
    "turn.show": _("See the show again"),
    "turn.stop": _("Stop this scene"),
    "turn.setting": _("The house is being set up"),
    "turn.playing": _("Playing: {title}"),
    "turn.good": _("{title}: all went as it must."),
    "turn.bad": _("{title}: not as it must be."),
    "turn.stopped": _("{title}: stopped by you."),
    "turn.the_show": _("the show"),
    "group.parcels": _("Parcels"),
    "group.promises": _("Codes and promises"),
    "group.people": _("People"),
    "group.cameras": _("Cameras"),
    "group.locks": _("Lock and door"),
    "group.failures": _("The box fails"),
})  # fmt: skip

LANGUAGES = languages_of(TEXTS["title"])

# Families of keys in `gateway/web/texts/catalogue.py` that the page has too.
SHARED_KEY_PREFIXES = ("phase.", "outcome.", "live.", "nav.live")


def page_texts(language: Language) -> dict[str, str]:
    """Return all texts of the page in this language, by key."""
    texts = {key: text for key, text in PAGES.items() if key.startswith(SHARED_KEY_PREFIXES)}
    texts |= {f"refusal.{refusal}": text for refusal, text in REFUSAL_TEXTS.items()}
    texts |= TEXTS
    return {key: _with_hard_spaces(text.template(language)) for key, text in texts.items()}


def _with_hard_spaces(text: str) -> str:
    """Put no-break spaces before the signs that French sets apart; English has none."""
    for sign in (":", ";", "!", "?", "»"):
        text = text.replace(f" {sign}", f"\N{NO-BREAK SPACE}{sign}")
    return text.replace("« ", "«\N{NO-BREAK SPACE}")


def scenario_line(scenario: Scenario, language: Language) -> str:
    """Return the line about a scenario."""
    return _with_hard_spaces(scenario.summary.to(language))
