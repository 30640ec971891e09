"""Every way into a house is flooded at once while a courier comes: the visit keeps its times and ends locked again."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from unittest.mock import patch

import pytest
from jinja2 import Environment

from gateway.demo.result import door_movements
from gateway.demo.scenario import MOVES_ONCE_IN_AND_OUT
from gateway.web.server import renderer
from tests.flood import every_way, house
from tests.shell.box import box
from tests.shell.site import serve_site

pytestmark = pytest.mark.slow

LONGEST_TURN_S = 0.1  # of CPU time: no peer, device or stranger may hold the loop for longer
GROWN_KIB = 40_000  # by which the process may grow in a minute of flood: caches, pictures, connections
SLOWER_S = 4.0  # by which each step of a visit may be late on a machine that all of this and the flood itself load
STOP_S = 2.0  # as above; the soak run on a machine of its own asks for 0.2 s


async def test_a_visit_keeps_its_times_while_every_way_in_is_flooded_at_once(tmp_path: Path) -> None:
    async with every_way.flooded_house(tmp_path) as made:
        play = made.play
        parcels = await play.announce_delivery()
        await play.wait_until_ready()
        async with house.run_flood(every_way.flood_spec(made, parcels), tmp_path):
            await house.wait_until_flooded(made.play)
            before = await house.read_turns(play, reset=True)
            times = await every_way.timed_visit(play, parcels)
            stops = [await every_way.timed_stop(play) for _ in range(3)]
            after = await house.read_turns(play)
        timing = play.timing
        assert times.rings < SLOWER_S
        assert times.unlocked < timing.ring + SLOWER_S
        assert times.locked < timing.stable + play.plan.latency + SLOWER_S
        assert sorted(stops)[1] < STOP_S
        assert after.longest_cpu_s < LONGEST_TURN_S, after
        assert after.rss_kib - before.rss_kib < GROWN_KIB, (before, after)
        play.log.read_new_lines()
        assert door_movements(play.log.lines) == MOVES_ONCE_IN_AND_OUT
        assert play.stage.gateway.deaths == []
        assert play.watch.state["locked"]


async def test_no_page_is_compiled_in_the_loop_that_hears_the_doors(tmp_path: Path) -> None:
    renderer._templates.cache_clear()  # noqa: SLF001 - as in a process that has just begun
    compiled: list[int] = []
    with patch.object(Environment, "compile", autospec=True, side_effect=_noting(compiled)):
        async with box(tmp_path) as made, serve_site(made) as site, site.client(site.owner) as client:
            assert len(compiled) == len(renderer._templates().list_templates())  # noqa: SLF001 - as above
            async with client.get("/") as answer:
                assert answer.status == 200
    assert threading.get_ident() not in compiled


def _noting(threads: list[int]) -> Callable[..., CodeType]:
    compile_ = Environment.compile

    def noting(environment: Environment, source: str, *names: object) -> CodeType:
        threads.append(threading.get_ident())
        return compile_(environment, source, *names)  # type: ignore[call-overload,no-any-return]  # as it came

    return noting
