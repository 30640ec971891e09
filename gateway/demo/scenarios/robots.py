"""Scenarios of robots under human supervision."""

from devices.commands import Grant
from gateway.config.devices import RobotDevice
from gateway.config.home import OperatorKeySection, OperatorSection, PagesSection
from gateway.config.robots import RobotsSection, SupervisorSection
from gateway.demo.actors import PromisedDelivery
from gateway.demo.plan import DemoPlan
from gateway.demo.robot import (
    KID,
    OPERATOR,
    ROBOT_KEY,
    SUPERVISOR,
    ZONE,
    DemoRobot,
    DemoSupervisor,
    open_robots,
)
from gateway.demo.scenario import (
    EXPECT_NO_VISIT,
    MOVES_ONCE_IN_AND_OUT,
    PHASES_WHOLE_VISIT,
    USUAL_NOTIFICATIONS,
    Expectation,
    ScenarioList,
    ScenarioRun,
)
from gateway.demo.scenarios.failures import EXPECT_SPENT
from gateway.domain.delivery.result import DoorResult, Outcome, Refusal
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.domain.visit.state import Phase
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.system.i18n import _

SCENARIOS = ScenarioList()
FIRST, SECOND = "r1", "r2"
APPROVAL_S, YES_LIFE_S = 6.0, 4.0
PHASES_SUPERVISED: tuple[str, ...] = (Phase.RINGING, Phase.APPROVING, *PHASES_WHOLE_VISIT[1:])
EXPECT_SUPERVISED = Expectation(phases=PHASES_SUPERVISED)
EXPECT_UNOPENED = Expectation(
    outcome=Outcome.REFUSED, house=DoorResult.NOT_OPENED, movements=(),
    phases=(Phase.RINGING, Phase.APPROVING, "ready"),
    refusals=(Refusal.NOT_APPROVED,), notifications=(Notification.AT_THE_DOOR, Notification.NOT_OPENED),
    sealed_visits=0, retailer_state=EXPECT_NO_VISIT.retailer_state,
)  # fmt: skip


def with_robots(plan: DemoPlan) -> DemoPlan:
    """Two robots of one operator may come in, and one person watches them."""
    devices = {
        name: RobotDevice(kind="robot", vendor="vda5050", address=f"vda5050/v3/KIT/000{n}", operator=OPERATOR)
        for n, name in enumerate((FIRST, SECOND), 1)
    }
    key = OperatorKeySection(kid=KID, x=ROBOT_KEY.public.text)
    timing = plan.section.timing.model_copy(update={"approval": APPROVAL_S, "yes_life": YES_LIFE_S})
    robots = RobotsSection(devices=(FIRST, SECOND), zone=ZONE)
    section = plan.section.model_copy(update={"robots": robots, "timing": timing})
    return plan.with_home(
        devices={**plan.home.devices, **devices},
        entrances={**plan.home.entrances, plan.entrance: section},
        operators={OPERATOR: OperatorSection(name="Trundle", keys=(key,))},
        supervisors={SUPERVISOR: SupervisorSection(name="Ines", operator=OPERATOR)},
        pages=PagesSection(port=free_port()),
    )


async def _go_in_after_a_yes(
    play: ScenarioRun, supervisor: DemoSupervisor, robot: DemoRobot, parcels: PromisedDelivery | None = None
) -> None:
    """The robot asks, the supervisor says yes on a new picture, and the robot puts the parcel down inside.

    `parcels`: what was announced before; None: it is announced now.
    """
    parcels = parcels or await play.announce_delivery(robot=True)
    await play.courier.does("arrive")
    await robot.asks(parcels)
    await play.wait_for_phase(Phase.APPROVING, due=play.timing.ring)
    play.require(await supervisor.decides(yes=True) == "", "the yes counts")
    await play.wait_for_unlocked()
    await robot.waits_for(Grant.GRANTED)
    await play.courier.goes_in()
    await robot.drops()


async def _leave_unlocked_until_reported(play: ScenarioRun, robot: DemoRobot, *, is_astray: bool = False) -> None:
    """The door is closed, and nothing is locked before the robot reports that it is out.

    `is_astray`: it has no request, because a person drove it; it asks again before it leaves.
    """
    await play.courier.does("walk_out", "close")
    await play.wait_a_moment(play.timing.stable + play.timing.relock + 1)
    play.require(not play.watch.events("lock"), "nothing is locked while the robot may stand in the way")
    if is_astray:
        await robot.asks_again()
    await robot.leaves()
    await play.courier.does("leave")
    await play.wait_for_visit_end()


@SCENARIOS.add(
    _("a robot brings the parcel: a supervisor says yes on the live picture, and nothing closes until it is out"),
    EXPECT_SUPERVISED,
    equip=with_robots,
)
async def _robot(play: ScenarioRun) -> None:
    async with open_robots(play, FIRST) as (supervisor, (robot,)):
        await _go_in_after_a_yes(play, supervisor, robot)
        await play.courier.does("walk_out", "close")
        play.require(not play.watch.events("lock"), "nothing is locked before the robot reports that it is out")
        await robot.leaves()
        await play.courier.does("leave")
        await play.wait_for_visit_end()


@SCENARIOS.add(
    _("a robot asks and nobody says yes: the door stays shut"),
    EXPECT_UNOPENED,
    equip=with_robots,
)
async def _robot__no_yes(play: ScenarioRun) -> None:
    async with open_robots(play, FIRST) as (_supervisor, (robot,)):
        await robot.asks(await play.announce_delivery(robot=True))
        await play.wait_for_refusal(Refusal.NOT_APPROVED, due=play.timing.ring + APPROVAL_S)
        await play.wait_for_notification(Notification.NOT_OPENED)
        await robot.waits_for(Grant.REJECTED)
        await play.wait_for_phase("ready")
        play.require(Grant.GRANTED not in robot.grants, "it was never let in")


@SCENARIOS.add(
    _("a yes on a picture of before: it does not count, and the door stays shut"),
    EXPECT_UNOPENED,
    equip=with_robots,
)
async def _robot__old_yes(play: ScenarioRun) -> None:
    async with open_robots(play, FIRST) as (supervisor, (robot,)):
        parcels = await play.announce_delivery(robot=True)
        await robot.asks(parcels)
        shown = await supervisor.waits_for_question()
        old = await supervisor.looks(shown["visit"])
        await play.wait_for_phase(Phase.APPROVING, due=play.timing.ring)
        await play.wait_a_moment(4.5)
        why = await supervisor.decides(yes=True, picture=old)
        play.require("too old" in why, "the page says that the picture is too old")
        await play.wait_for_refusal(Refusal.NOT_APPROVED, due=APPROVAL_S)
        await play.wait_for_notification(Notification.NOT_OPENED)
        await play.wait_for_phase("ready")


@SCENARIOS.add(
    _("the robot's emergency stop is pressed inside: an alarm at once, and nothing closes until it is out"),
    EXPECT_SUPERVISED,
    equip=with_robots,
    alarms=(AlarmCode.ROBOT_STRANDED,),
)
async def _robot__stranded(play: ScenarioRun) -> None:
    async with open_robots(play, FIRST) as (supervisor, (robot,)):
        await _go_in_after_a_yes(play, supervisor, robot)
        await robot.stops()
        await play.wait_for_alarm(AlarmCode.ROBOT_STRANDED)
        await _leave_unlocked_until_reported(play, robot)


@SCENARIOS.add(
    _(
        "the box dies while a person drives the robot inside: back again, it locks nothing behind it until the robot"
        " asked for the door again and reports that it is out"
    ),
    EXPECT_SUPERVISED,
    equip=with_robots,
    gateway_deaths=1,
    alarms=(AlarmCode.ROBOT_STRANDED,),
)
async def _robot__killed(play: ScenarioRun) -> None:
    async with open_robots(play, FIRST) as (supervisor, (robot,)):
        await _go_in_after_a_yes(play, supervisor, robot)
        await robot.is_driven_by_hand()
        await play.wait_for_alarm(AlarmCode.ROBOT_STRANDED)
        await play.kill_gateway()
        await robot.drives_again()
        await _leave_unlocked_until_reported(play, robot, is_astray=True)


@SCENARIOS.add(
    _(
        "the gateway is killed between the yes and the stored intent: the yes is gone, the robot is challenged anew,"
        " and the door needs a new yes"
    ),
    EXPECT_SUPERVISED,
    title="robot:killed-before-commit",
    equip=with_robots,
    phases=(Phase.RINGING, Phase.APPROVING, "ready", *PHASES_SUPERVISED),
    refusals=(Refusal.NOT_READY,),
    notifications=(Notification.AT_THE_DOOR, Notification.NOT_OPENED, *USUAL_NOTIFICATIONS),
    optional_notifications=frozenset({Notification.NOT_READY, Notification.READY_AGAIN}),
    gateway_deaths=1,
)
async def _robot__killed_before_commit(play: ScenarioRun) -> None:
    async with open_robots(play, FIRST) as (supervisor, (robot,)):
        parcels = await play.announce_delivery(robot=True)
        await robot.asks(parcels)
        await play.wait_for_phase(Phase.APPROVING, due=play.timing.ring)
        await play.kill_gateway("before-commit")
        await supervisor.says_yes_while_box_dies()
        robot.turns_back()
        await play.wait_for_gateway()
        await play.wait_for_phase("ready")
        await play.wait_for_notification(Notification.NOT_OPENED)
        await play.wait_until_ready()
        play.require(not play.watch.events("unlock"), "the yes of before opens nothing")
        await _go_in_after_a_yes(play, supervisor, robot, parcels)
        await play.courier.does("walk_out", "close")
        await robot.leaves()
        await play.courier.does("leave")
        await play.wait_for_visit_end()


@SCENARIOS.add(
    _(
        "the gateway is killed between the stored intent and the order: the yes is used, the order is never sent later,"
        " and the robot is not let in"
    ),
    EXPECT_SPENT,
    title="robot:killed-after-commit",
    equip=with_robots,
    phases=(Phase.RINGING, Phase.APPROVING, *EXPECT_SPENT.phases[1:]),
    refusals=(Refusal.ALREADY_USED,),
)
async def _robot__killed_after_commit(play: ScenarioRun) -> None:
    async with open_robots(play, FIRST) as (supervisor, (robot,)):
        await robot.asks(await play.announce_delivery(robot=True))
        await play.wait_for_phase(Phase.APPROVING, due=play.timing.ring)
        await play.kill_gateway("after-commit")
        await supervisor.says_yes_while_box_dies()
        await play.wait_for_gateway()
        await play.wait_for_visit_end()
        await robot.waits_for(Grant.REJECTED)  # it repeats its request, which the box answers after the visit
        await play.wait_for_refusal(Refusal.ALREADY_USED)
        play.require(not play.watch.events("unlock"), "no order to open is sent after the restart")
        play.require(Grant.GRANTED not in robot.grants, "the robot was never let in")


@SCENARIOS.add(
    _("the gateway is killed as the robot leaves the zone: back again, it learns that the robot is out, and locks"),
    EXPECT_SUPERVISED,
    title="robot:killed-at-release",
    equip=with_robots,
    gateway_deaths=1,
    phases_after_loss=(*PHASES_SUPERVISED[:-2], Phase.INSIDE, *PHASES_SUPERVISED[-3:]),
)
async def _robot__killed_at_release(play: ScenarioRun) -> None:
    async with open_robots(play, FIRST) as (supervisor, (robot,)):
        await _go_in_after_a_yes(play, supervisor, robot)
        await robot.leaves()
        await play.kill_gateway()
        await play.courier.does("walk_out", "close", "leave")
        await play.wait_for_visit_end()


@SCENARIOS.add(
    _("two robots at one door: the second waits until the first is out and the door is locked again"),
    EXPECT_SUPERVISED,
    equip=with_robots,
    movements=(*MOVES_ONCE_IN_AND_OUT,),
)
async def _two_robots(play: ScenarioRun) -> None:
    async with open_robots(play, FIRST, SECOND) as (supervisor, (first, second)):
        parcels = await play.announce_delivery(robot=True)
        await play.courier.does("arrive")
        await first.asks(parcels)
        await play.wait_for_phase(Phase.APPROVING, due=play.timing.ring)
        await second.asks(parcels)
        await second.waits_for(Grant.QUEUED)
        play.require(await supervisor.decides(yes=True) == "", "the yes counts")
        await play.wait_for_unlocked()
        await first.waits_for(Grant.GRANTED)
        await play.courier.goes_in()
        await first.drops()
        play.require(Grant.GRANTED not in second.grants, "the second robot is not let in with the first")
        await second.leaves()
        await play.courier.does("walk_out", "close")
        await first.leaves()
        await play.courier.does("leave")
        await play.wait_for_visit_end()
