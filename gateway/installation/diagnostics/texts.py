"""The texts of all findings, one for each key."""

from collections.abc import Callable, Mapping
from pathlib import Path

from devices import reports as r
from gateway.installation.capability import Capability
from gateway.installation.diagnostics.battery_texts import BATTERY_FINDING_TEXTS
from gateway.installation.diagnostics.broker_texts import BROKER_TEXTS
from gateway.installation.diagnostics.device_texts import DEVICE_TEXTS, STATE_TEXTS
from gateway.installation.diagnostics.finding import Sentence, SentenceFact
from gateway.installation.diagnostics.hub_texts import HUB_FINDING_TEXTS
from gateway.installation.texts import capability_text
from gateway.mqtt.mosquitto.folder_check import FOLDER_TEXTS
from gateway.runtime.notifications.texts import STORE_DOUBT_TEXTS
from gateway.system.i18n import Language, Text, _, pgettext
from gateway.system.text import mask_account

_HOUSE_TEXTS: Mapping[str, Text] = {
    "what.clock": _("clock"),
    "what.disk": _("disk"),
    "what.faults": _("set aside"),
    "faults.some": _(
        "{count} kind(s) of unforeseen error, the last {last} ({workers}): what caused them is set aside, all else "
        "goes on"
    ),
    "faults.todo": _("Send {file} to whoever develops Perron: it holds no content of any message."),
    "what.store": _("store"),
    "what.pages": _("pages"),
    "what.phones": _("phones"),
    "what.phone": _("phone {number} ({scheme})"),
    "what.entrances": _("entrances"),
    "what.entrance": _("entrance {name}"),
    "late": _("nothing within {seconds} s"),
    "late.todo": _("What is examined there hangs: look at its power and its link, then examine again."),
    "os.missing": _("No such file or directory"),
    "os.denied": _("Permission denied"),
    "os.other": Text("{text}"),
    "clock.host": _("the machine's own word is taken (clock.source: host)"),
    "clock.kept": _("a time service keeps it"),
    "clock.untrusted": _("no time service keeps it: with an untrusted clock no window opens"),
    "clock.todo": _(
        "Install chrony or systemd-timesyncd. Where another machine keeps the time (a container's host, say) write "
        "`source: host` under `clock:` in the house file."
    ),
    "disk.none": _("{folder} is no folder and can be none"),
    "disk.none.todo": _("Correct storage.folder."),
    "disk.free": _("{free} MiB free at {folder}, {needed} needed"),
    "disk.todo": _("Make room, or name another storage.folder: no door opens without it."),
    "disk.unseen": _("{folder} cannot be looked at ({why})"),
    "store.good": _("whole, and the one that the box used last"),
    "store.unseen": _("cannot be looked at ({why})"),
    "store.unseen.todo": _("Look at the disk and at the rights of storage.folder, then examine again."),
    "store.in_the_way.folder": _("{file} is a folder"),
    "store.in_the_way.fifo": _("{file} is a FIFO"),
    "store.in_the_way.socket": _("{file} is a socket"),
    "store.in_the_way.device": _("{file} is a device"),
    "store.in_the_way.file": _("{file} is a plain file"),
    "store.in_the_way.another_users": _("{file} belongs to another user"),
    "store.in_the_way.todo": _(
        "Something else stands in the place of one of the box's files, and no gateway begins: move it away."
    ),
    "store.damaged": _("{file} is damaged ({why})"),
    "store.damaged.todo": _(
        "Look after the doors by hand. Move {folder} aside and keep it, then put the last backup back: `perron restore "
        "FILE`. Without a backup the box begins as a new one in an empty folder."
    ),
    **{f"store.doubt.{why}": _("in doubt: {why}", why=text) for why, text in STORE_DOUBT_TEXTS.items()},
    "store.doubt.todo": _(
        "Nothing opens. Where the key or the mark is still somewhere else, put it back before the next start. Else "
        'start the gateway, look after each door and say so on the page Home ("I have looked after the door"); what '
        "was announced before has to be announced again."
    ),
    "pages.unreadable": _("their authority cannot be read: {why}"),
    "pages.unreadable.todo": _("Restart the gateway."),
    "pages.none": _("no authority was made yet"),
    "pages.none.todo": _("Start the gateway: it makes one."),
    "pages.good": _("their authority is {fingerprint}, good until {until}"),
    "entrance.forbidden": Text("{promises}"),
    "entrance.blind": _("No picture from {cameras}: no delivery comes in without. {promises}"),
    "entrance.blind.todo": _("See what is said of the camera's stream; far from a window nobody else looks at it."),
    "entrance.unheard": _("Nothing heard of {devices}: no delivery comes in without. {promises}"),
    "entrance.unheard.todo": _("See what is said of the broker and of these devices."),
    "entrance.red": _("clock or disk forbid a visit, see what is red"),
    "entrance.red.todo": _("Mend that first."),
    "entrance.forbidden.todo": _("`perron walk-test {name}` tells more."),
    "entrance.untried.todo": Text("`perron walk-test {name}`"),
    "entrance.good": _("nothing forbids a visit while nobody is home"),
    "phones.none": _("none is configured: messages go to the log and to MQTT"),
    "phones.unreadable": pgettext("file of phones", "{text}"),
    "phones.unreadable.todo": _("Until then `perron run` does not start."),
    "phones.open": _("{file} can be read or written by others on this machine"),
    "phones.open.todo": _("`chmod 600 {file}`, and where others could read it change what stands in it."),
    "phones.empty": _("{file} names none"),
    "phones.empty.todo": _("Add one on the page Settings, Messages."),
    "phone.taken": _("took a word to try it: look whether the phone shows it"),
    "phone.refused": _("did not take it, or nobody answers there"),
    "phone.refused.todo": _("Look at its URL's line, at account and topic, and at this machine's way there."),
    "phone.silent": _("no answer within {seconds} s"),
    "phone.silent.todo": _("Look at this machine's way there."),
}

FINDING_TEXTS: Mapping[str, Text] = {
    **_HOUSE_TEXTS,
    **BROKER_TEXTS,
    **DEVICE_TEXTS,
    **BATTERY_FINDING_TEXTS,
    **HUB_FINDING_TEXTS,
    **{f"weak.{key}": text for key, text in FOLDER_TEXTS.items()},
}


def sentence_text(sentence: Sentence, language: Language, *, show: Callable[[Path], str] = str) -> str:
    """Return a sentence in a language; `show` formats a path as the reader may type it.

    Raises:
        KeyError: the key is unknown, or a fact is missing.
    """
    facts = {name: _fact_text(fact, language, show) for name, fact in sentence.facts.items()}
    return FINDING_TEXTS[sentence.key].to(language, **facts).strip()


def _fact_text(fact: SentenceFact, language: Language, show: Callable[[Path], str]) -> str:
    match fact:
        case str():
            return fact
        case Path():
            return show(fact)
        case Sentence():
            return sentence_text(fact, language, show=show)
        case Capability():
            return capability_text(fact, language)
        case tuple():
            between = " " if any(isinstance(one, Capability) for one in fact) else ", "
            return between.join(_fact_text(one, language, show) for one in fact)
        case _:
            return report_text(fact, language)


def report_text(report: r.Report, language: Language) -> str:
    """Return a device's report as a text."""

    def say(key: str, **facts: str) -> str:
        return sentence_text(Sentence(f"report.{key}", facts), language)

    def word(state: str) -> str:
        return STATE_TEXTS[state].to(language)

    match report:
        case r.LockReport():
            return say("jammed" if report.jammed else "bolt", state=word(f"bolt.{report.bolt}"))
        case r.DoorReport():
            return say("door", state=word(f"door.{report.door}"))
        case r.FridgeReport():
            degrees = word("unknown") if report.temp_c is None else f"{report.temp_c:g} °C"
            return f"{report.compartment} {degrees}".strip()
        case r.GarageDoorReport():
            key = "cover" if report.clear is None else "cover.clear" if report.clear else "cover.blocked"
            return say(key, state=word(f"cover.{report.cover}"))
        case r.PresenceReport():
            return say("presence", state=word(f"presence.{report.presence}"))
        case r.AlarmPanelReport():
            return say("panel", state=word(f"panel.{report.panel}"))
        case r.AvailabilityReport():
            return say("online" if report.online else "offline")
        case r.StreamReport():
            return say("stream", uri=mask_account(report.uri))
        case r.BatteryReport():
            level = None if report.level is None else word(f"battery.{report.level}")
            return say("battery", level=level or f"{report.percent} %")
        case _:
            return say("else")
