"""What each scenario is called for people, and what to watch in it.

`perron demo --list` and the command line have the scenarios' technical titles; the page has these.
"""

from collections.abc import Mapping

from gateway.domain.frozen import Frozen
from gateway.system.i18n import Text, _


class SceneTitle(Frozen):
    """The name of a scene, and what to look at while it plays."""

    name: Text
    watch: Text


FOR_VISITORS = (
    "into-fridge", "garage", "flat", "locker", "concierge", "owner-stops:before", "door-left-open", "forced-door",
)  # fmt: skip
"""The titles of the scenarios that the page offers to everybody, in this order. The others are for engineers."""

SCENE_TITLES: Mapping[str, SceneTitle] = {
    "delivered": SceneTitle(
        name=_("A parcel is let in"),
        watch=_("the door opens once and is locked again, with a film of it"),
    ),
    "into-fridge": SceneTitle(
        name=_("Cold food goes into the fridge"),
        watch=_("the fridge inside: the parcel does not stay on the bench"),
    ),
    "guest": SceneTitle(
        name=_("A guest comes in with a pass"),
        watch=_("nobody rings, and no camera keeps a picture; the code opens nothing after the pass"),
    ),
    "guest:code-not-withdrawn": SceneTitle(
        name=_("A guest's code stays at the keypad"),
        watch=_("the alarm, and that no parcel is let in until the code is gone"),
    ),
    "stay:nothing-filmed": SceneTitle(
        name=_("While guests stay, nothing is filmed"),
        watch=_("the courier is refused, and the guest goes in without a film"),
    ),
    "robot": SceneTitle(
        name=_("A robot brings the parcel"),
        watch=_("a supervisor says yes on a picture, and the door waits until the robot has left"),
    ),
    "robot:no-yes": SceneTitle(
        name=_("The supervisor says nothing"),
        watch=_("the robot waits, and without a yes the door stays shut"),
    ),
    "robot:old-yes": SceneTitle(
        name=_("The supervisor's yes is too old"),
        watch=_("a yes that comes late opens nothing"),
    ),
    "robot:stranded": SceneTitle(
        name=_("The robot stops in the doorway"),
        watch=_("the alarm, and that nothing is closed while it stands there"),
    ),
    "robot:killed": SceneTitle(
        name=_("The box is killed with a robot inside"),
        watch=_("it starts again, and waits until the robot has left, although a person drove it meanwhile"),
    ),
    "robot:killed-before-commit": SceneTitle(
        name=_("The box is killed just after the yes"),
        watch=_("the yes is gone, and the door opens only for a new one"),
    ),
    "robot:killed-after-commit": SceneTitle(
        name=_("The box is killed just before it opens for a robot"),
        watch=_("the order to open is never sent, and the robot stays outside"),
    ),
    "robot:killed-at-release": SceneTitle(
        name=_("The box is killed while the robot leaves"),
        watch=_("it starts again, learns that the robot is out, and locks"),
    ),
    "two-robots": SceneTitle(
        name=_("Two robots at one door"),
        watch=_("the second one waits until the first has left and the door is locked"),
    ),
    "basket": SceneTitle(
        name=_("Each item into the fridge"),
        watch=_("the scanner at the fridge: the retailer reads of each item that it stayed cold"),
    ),
    "basket:too-cold": SceneTitle(
        name=_("The fridge is too cold for fish"),
        watch=_("the door stays shut until the air is good for the fish"),
    ),
    "basket:gap-is-unknown": SceneTitle(
        name=_("The thermometer is cut off"),
        watch=_("what was not measured is called unknown, and never cold enough"),
    ),
    "basket:gateway-killed": SceneTitle(
        name=_("The box is killed with the fridge open"),
        watch=_("the box starts again: of the time without it nobody knows how cold it was"),
    ),
    "closes-behind-him": SceneTitle(
        name=_("Locked in by mistake"),
        watch=_("he shuts the door behind him, and still gets out by hand"),
    ),
    "three-trips": SceneTitle(
        name=_("Three parcels, three trips"),
        watch=_("the bolt: it moves only once for all three"),
    ),
    "never-entered": SceneTitle(
        name=_("Nobody goes in"),
        watch=_("the opening that nobody used is given back"),
    ),
    "door-left-open": SceneTitle(
        name=_("The door is left open"),
        watch=_("the light calls the courier back, then the phone calls the owner"),
    ),
    "fridge-left-open": SceneTitle(
        name=_("The fridge is left open"),
        watch=_("an alarm for the fridge; the door is locked all the same"),
    ),
    "fridge-too-warm": SceneTitle(
        name=_("The fridge is too warm"),
        watch=_("the door stays shut until the fridge is cold again"),
    ),
    "part-delivered": SceneTitle(
        name=_("One of two parcels"),
        watch=_("what the retailer reads: one is missing"),
    ),
    "return": SceneTitle(
        name=_("A parcel goes back"),
        watch=_("the courier brings nothing: his own code opens, and he scans inside what he takes"),
    ),
    "return:left": SceneTitle(
        name=_("The return stays"),
        watch=_("what the retailer reads: not collected"),
    ),
    "return:outside": SceneTitle(
        name=_("The return's number at the door"),
        watch=_("it opens nothing, whoever knows it"),
    ),
    "drop-and-take": SceneTitle(
        name=_("Leave one, take one"),
        watch=_("the door opens once for both"),
    ),
    "drop-and-take:gateway-killed": SceneTitle(
        name=_("Leave one, take one, and the box dies"),
        watch=_("back again, it still knows what was taken"),
    ),
    "own-parcel": SceneTitle(
        name=_("A parcel that you announced"),
        watch=_("it opens without a retailer, once"),
    ),
    "own-parcel:not-out-for-delivery": SceneTitle(
        name=_("Not out for delivery"),
        watch=_("the door believes only a fresh report of the carrier"),
    ),
    "own-parcel:living-space-tap": SceneTitle(
        name=_("Your tap decides"),
        watch=_("a yes counts only after you saw who is there"),
    ),
    "wrong-code": SceneTitle(
        name=_("A stranger's parcel"),
        watch=_("an unknown code: nothing moves"),
    ),
    "three-wrong-codes": SceneTitle(
        name=_("Somebody tries codes"),
        watch=_("after three codes the scanner takes none, not even the right one"),
    ),
    "several-codes-on-one-label": SceneTitle(
        name=_("A label with many barcodes"),
        watch=_("the other barcodes of a label are no attempts"),
    ),
    "too-early": SceneTitle(
        name=_("An hour too early"),
        watch=_("the hour is crossed out, the door stays shut"),
    ),
    "too-late": SceneTitle(
        name=_("Too late"),
        watch=_("the window is over, the door stays shut"),
    ),
    "already-used": SceneTitle(
        name=_("The same label twice"),
        watch=_("the second scan opens nothing"),
    ),
    "scan-replayed": SceneTitle(
        name=_("A recorded scan"),
        watch=_("scans that are played back open nothing"),
    ),
    "courier-not-proven": SceneTitle(
        name=_("A found label"),
        watch=_("without the courier's own code the door stays shut"),
    ),
    "window-ends-inside": SceneTitle(
        name=_("Time is up inside"),
        watch=_("nobody is locked in: the visit ends as usual"),
    ),
    "cancelled": SceneTitle(
        name=_("A cancelled delivery"),
        watch=_("its label opens nothing any more"),
    ),
    "cancelled-before-offer": SceneTitle(
        name=_("Cancelled before it was announced"),
        watch=_("the cancel came first, and still counts"),
    ),
    "code-collision": SceneTitle(
        name=_("Two brands, one number"),
        watch=_("the courier's code says whose parcel it is"),
    ),
    "somebody-answers": SceneTitle(
        name=_("Somebody answers the bell"),
        watch=_("Perron leaves the door to whoever is home"),
    ),
    "attended": SceneTitle(
        name=_("You take it yourself"),
        watch=_("Perron opens nothing; one press, and the shop reads that you have it"),
    ),
    "attended:nobody-opened": SceneTitle(
        name=_("Nobody opened"),
        watch=_("then nobody can say that the parcel was taken in"),
    ),
    "late-courier": SceneTitle(
        name=_("A late courier"),
        watch=_("his shop asks, you give half an hour, and he comes in"),
    ),
    "late-courier:no-time": SceneTitle(
        name=_("A late courier, and you say no"),
        watch=_("nothing opens, and you are not asked again"),
    ),
    "next-courier": SceneTitle(
        name=_("Two couriers at once"),
        watch=_("the second waits until the door is locked again"),
    ),
    "next-courier:not-today": SceneTitle(
        name=_("Another one, on the wrong day"),
        watch=_("he is refused, and not told to wait"),
    ),
    "matter-lock:guest-code": SceneTitle(
        name=_("A guest's code on a Matter lock"),
        watch=_("read back from the lock, typed at its keypad, withdrawn and read back again"),
    ),
    "matter-lock:keeps-guest-code": SceneTitle(
        name=_("A Matter lock that keeps a code"),
        watch=_("an alarm, and no courier until the code is gone"),
    ),
    "family-key": SceneTitle(
        name=_("The family comes home"),
        watch=_("no film and no alarm, and no courier just then"),
    ),
    "owner-stops:before": SceneTitle(
        name=_("You say no while it rings"),
        watch=_("one press, and the door stays shut"),
    ),
    "owner-stops:at": SceneTitle(
        name=_("No at the last moment"),
        watch=_("the order to open is never sent"),
    ),
    "owner-stops:after": SceneTitle(
        name=_("No after the unlock"),
        watch=_("a closed door is locked again at once"),
    ),
    "owner-stops:inside": SceneTitle(
        name=_("No with the courier inside"),
        watch=_("he is asked to leave, and never locked in"),
    ),
    "paused": SceneTitle(
        name=_("Deliveries are paused"),
        watch=_("the pause outlives a crash of the box"),
    ),
    "lock-now": SceneTitle(
        name=_("Lock now"),
        watch=_("an open door gets no order to lock"),
    ),
    "approval-silent": SceneTitle(
        name=_("You are asked, and say nothing"),
        watch=_("silence is a no"),
    ),
    "forced-door": SceneTitle(
        name=_("Somebody forces the door"),
        watch=_("the alarm on the phone, and a film although nobody was expected"),
    ),
    "concierge": SceneTitle(
        name=_("The concierge takes the parcel"),
        watch=_("two scans hand the parcel over; no door moves"),
    ),
    "concierge:declined": SceneTitle(
        name=_("A damaged parcel is declined"),
        watch=_("the retailer reads why"),
    ),
    "concierge:nobody": SceneTitle(
        name=_("Nobody at the desk"),
        watch=_("the courier keeps the parcel until somebody is there"),
    ),
    "concierge:late": SceneTitle(
        name=_("Late at the desk"),
        watch=_("the courier hands the parcel over once the household gives him time"),
    ),
    "concierge:gateway-killed-while-offered": SceneTitle(
        name=_("Killed at the handover"),
        watch=_("nothing is delivered until the concierge has scanned"),
    ),
    "concierge:gateway-killed": SceneTitle(
        name=_("Killed while the concierge has it"),
        watch=_("after the restart the box knows who has the parcel"),
    ),
    "concierge:gateway-killed-before-confirmation": SceneTitle(
        name=_("Killed before you confirm"),
        watch=_("you can still confirm it afterwards"),
    ),
    "empty-dark-hall": SceneTitle(
        name=_("A dark, empty hall"),
        watch=_("a still dark picture is no frozen camera"),
    ),
    "camera-frozen": SceneTitle(
        name=_("The doorbell's picture freezes"),
        watch=_("the picture looks fine; its clock stands still"),
    ),
    "camera-offline": SceneTitle(
        name=_("The doorbell is offline"),
        watch=_("you are told before anybody comes"),
    ),
    "camera-lost-inside": SceneTitle(
        name=_("A camera is lost inside"),
        watch=_("the film says where it has a gap"),
    ),
    "video-killed": SceneTitle(
        name=_("The recording dies"),
        watch=_("another one films on, and the gap is declared"),
    ),
    "label-by-camera": SceneTitle(
        name=_("The camera reads the label"),
        watch=_("no scanner is needed"),
    ),
    "lock-jammed": SceneTitle(
        name=_("The lock jams"),
        watch=_("three tries, then the owner is called"),
    ),
    "lock-silent": SceneTitle(
        name=_("The lock says nothing"),
        watch=_("nobody knows whether it opened: the owner takes over"),
    ),
    "lock-late": SceneTitle(
        name=_("The lock is late"),
        watch=_("a late opening lets nobody in"),
    ),
    "matter-lock": SceneTitle(
        name=_("A Matter lock"),
        watch=_("the box asks the lock itself: it believes no memory of a server"),
    ),
    "matter-lock:asleep": SceneTitle(
        name=_("The Matter lock sleeps"),
        watch=_("it opens late, and is locked again at once"),
    ),
    "lock-lies": SceneTitle(
        name=_("Somebody lies for the lock"),
        watch=_("a forged “locked” is not believed"),
    ),
    "bolt-in-the-air": SceneTitle(
        name=_("The bolt comes out too early"),
        watch=_("the door stands open with its bolt out: alarm"),
    ),
    "guarded": SceneTitle(
        name=_("A simple lock behind a guard"),
        watch=_("signed orders alone move the lock"),
    ),
    "guarded:broker-paused": SceneTitle(
        name=_("The guard refuses a late order"),
        watch=_("the order comes too late, nothing opens"),
    ),
    "garage": SceneTitle(
        name=_("Through the garage"),
        watch=_("the door goes down only after the courier says that he is out"),
    ),
    "garage:home-assistant-cover": SceneTitle(
        name=_("A garage door of Home Assistant"),
        watch=_("nothing closes it by itself without a light barrier"),
    ),
    "flat": SceneTitle(
        name=_("A flat behind a street door"),
        watch=_("the second door opens only after the first has shut"),
    ),
    "flat:neighbour-follows": SceneTitle(
        name=_("A neighbour comes in too"),
        watch=_("neighbours pass: that is nobody's business"),
    ),
    "flat:street-wedged": SceneTitle(
        name=_("The street door is wedged open"),
        watch=_("the flat stays shut until the street door is"),
    ),
    "locker": SceneTitle(
        name=_("Into a parcel box"),
        watch=_("a free compartment springs open, and knows that it is full"),
    ),
    "locker:occupied": SceneTitle(
        name=_("The first compartment is taken"),
        watch=_("the second one opens, the first stays shut"),
    ),
    "locker:too-big": SceneTitle(
        name=_("Too big for the first compartment"),
        watch=_("the larger compartment opens"),
    ),
    "locker:full": SceneTitle(
        name=_("The box is full"),
        watch=_("the scanner says no, nothing opens"),
    ),
    "locker:lid-does-not-catch": SceneTitle(
        name=_("A lid that does not catch"),
        watch=_("it looks shut; the owner is called all the same"),
    ),
    "car": SceneTitle(
        name=_("Into the boot of the car"),
        watch=_("it opens only where the car must stand; the scan after closing proves the parcel"),
    ),
    "car:unlocks-all": SceneTitle(
        name=_("A car without an order for its boot"),
        watch=_("every door is unlocked, and the proof says so"),
    ),
    "car:no-closing-scan": SceneTitle(
        name=_("Nobody scans after closing"),
        watch=_("locked again, but nobody knows whether the parcel is in it"),
    ),
    "car:moved": SceneTitle(
        name=_("The car drives off with its boot open"),
        watch=_("the alarm comes at once, and the owner is called"),
    ),
    "car:fix-too-old": SceneTitle(
        name=_("Where is the car?"),
        watch=_("a position of a quarter of an hour ago opens nothing"),
    ),
    "car:elsewhere": SceneTitle(
        name=_("The car is not there"),
        watch=_("the scanner says no, and nobody learns where the car is"),
    ),
    "car:gateway-killed": SceneTitle(
        name=_("The box dies while the boot is open"),
        watch=_("it finds the boot open, and proves it shut in the end"),
    ),
    "car:gateway-killed-after-commit": SceneTitle(
        name=_("Car: the box dies before it sends the order"),
        watch=_("the order is never sent later"),
    ),
    "key-safe": SceneTitle(
        name=_("A neighbour with the key"),
        watch=_("the key on its hook: who has it is known all the time"),
    ),
    "key-safe:key-late": SceneTitle(
        name=_("The key is late"),
        watch=_("reminded first, then an alarm with a name"),
    ),
    "key-safe:stranger": SceneTitle(
        name=_("The wrong people at the safe"),
        watch=_("three codes, and the safe stays shut"),
    ),
    "key-safe:key-out": SceneTitle(
        name=_("The key is out already"),
        watch=_("no key on the hook: the safe stays shut"),
    ),
    "flat:gateway-killed": SceneTitle(
        name=_("Killed between two doors"),
        watch=_("the courier is found in the hall; nothing more opens"),
    ),
    "flat:gateway-killed-at-the-flat": SceneTitle(
        name=_("Killed as the flat opens"),
        watch=_("both doors are proven shut afterwards"),
    ),
    "locker:gateway-killed": SceneTitle(
        name=_("Killed with the compartment open"),
        watch=_("after the restart it waits for the lid"),
    ),
    "key-safe:gateway-killed": SceneTitle(
        name=_("Killed while the key is out"),
        watch=_("after the restart it still misses the key"),
    ),
    "fallback": SceneTitle(
        name=_("Somebody is home: the box instead"),
        watch=_("the scanner sends the courier to the box beside the door"),
    ),
    "fallback:gateway-killed": SceneTitle(
        name=_("Killed before the move"),
        watch=_("a second scan moves the parcel"),
    ),
    "fallback:gateway-killed-after-the-move": SceneTitle(
        name=_("Killed after the move"),
        watch=_("a second scan shows the new place"),
    ),
    "garage:gateway-killed-before-commit": SceneTitle(
        name=_("Garage: killed before it decides"),
        watch=_("nothing is used up, a new scan works"),
    ),
    "garage:gateway-killed-after-commit": SceneTitle(
        name=_("Garage: killed before it sends"),
        watch=_("the order is never sent later"),
    ),
    "flat:gateway-killed-before-commit": SceneTitle(
        name=_("Flat: killed before it decides"),
        watch=_("nothing is used up, a new scan works"),
    ),
    "flat:gateway-killed-after-commit": SceneTitle(
        name=_("Flat: killed before it sends"),
        watch=_("the order is never sent later"),
    ),
    "locker:gateway-killed-before-commit": SceneTitle(
        name=_("Parcel box: killed before it decides"),
        watch=_("nothing is used up, a new scan works"),
    ),
    "locker:gateway-killed-after-commit": SceneTitle(
        name=_("Parcel box: killed before it sends"),
        watch=_("the order is never sent later"),
    ),
    "own-parcel:gateway-killed-before-commit": SceneTitle(
        name=_("Own parcel: killed before it decides"),
        watch=_("nothing is used up, a new scan works"),
    ),
    "own-parcel:gateway-killed-after-commit": SceneTitle(
        name=_("Own parcel: killed before it sends"),
        watch=_("the order is never sent later"),
    ),
    "garage:gateway-killed": SceneTitle(
        name=_("Garage: killed while it is open"),
        watch=_("after the restart it closes when the courier is out"),
    ),
    "flat:gateway-killed-after-the-second-commit": SceneTitle(
        name=_("Flat: killed before the second order"),
        watch=_("the flat never opens, both doors answer that they are shut"),
    ),
    "key-safe:gateway-killed-before-commit": SceneTitle(
        name=_("Key safe: killed before it decides"),
        watch=_("nothing is used up, a new scan works"),
    ),
    "key-safe:gateway-killed-after-commit": SceneTitle(
        name=_("Key safe: killed before it sends"),
        watch=_("the order is never sent later"),
    ),
    "broker-restart": SceneTitle(
        name=_("The broker dies"),
        watch=_("back again, the box asks every device anew"),
    ),
    "broker-paused": SceneTitle(
        name=_("The broker stands still"),
        watch=_("the lock refuses the order that comes too late"),
    ),
    "gateway-killed:before-commit": SceneTitle(
        name=_("Killed before it decides"),
        watch=_("nothing is used up, a new scan works"),
    ),
    "gateway-killed:after-commit": SceneTitle(
        name=_("Killed after it decided"),
        watch=_("the order is never sent later"),
    ),
    "gateway-killed:before-publish": SceneTitle(
        name=_("Killed before it sends"),
        watch=_("the order is never sent later"),
    ),
    "gateway-killed:after-publish": SceneTitle(
        name=_("Killed as it sends"),
        watch=_("the courier who went in is found"),
    ),
    "gateway-killed:after-acknowledgement": SceneTitle(
        name=_("Killed after it sent"),
        watch=_("the courier who went in is found"),
    ),
    "gateway-killed:after-report": SceneTitle(
        name=_("Killed as the lock answers"),
        watch=_("the courier who went in is found"),
    ),
    "disk-full-inside": SceneTitle(
        name=_("The disk is full"),
        watch=_("an alarm, filmed on, and locked again"),
    ),
    "clock-stepped-back": SceneTitle(
        name=_("The clock is turned back"),
        watch=_("a window that is over does not come back"),
    ),
    "brand-refused": SceneTitle(
        name=_("A brand is not let in any more"),
        watch=_("its parcel opens nothing until the owner lets the brand in again"),
    ),
    "not-ready": SceneTitle(
        name=_("A sensor is missing"),
        watch=_("you are told before anybody comes"),
    ),
    "safe-mode": SceneTitle(
        name=_("Three crashes in a minute"),
        watch=_("it locks and films, and opens nothing until you have looked"),
    ),
}
"""By the title of the scenario."""
