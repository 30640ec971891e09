"""What waits to come into the house file: what becomes of it when disk, log or the new house itself fail."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.config.editor import HomeFileWriter
from gateway.config.loader import load_home_file
from gateway.domain.now import Now
from gateway.installation.proposal_checks import ProposalRequest
from gateway.installation.proposal_workflow import Proposals, ProposalState
from gateway.installation.proposals_file import MAX_DONE_PROPOSALS
from gateway.runtime.maintenance import reload
from gateway.storage.models import StoreFailed
from tests.gateway.domain.delivery.shop import NOW

HOUSE = """\
# somebody's own words
box: perron-1
name: Home
devices: {}   # none yet
entrances: {}
"""
DOOR = ProposalRequest(kind="door", name="back-door", fields={"vendor": "esphome"})
CAMERA = ProposalRequest(
    kind="camera", name="porch", fields={"vendor": "rtsp", "url": "rtsp://192.168.1.30/s"}, login=("admin", "ladders")
)


class House:
    """A house file and its gateways, one after the other; `log` is what was noted."""

    def __init__(self, folder: Path) -> None:
        self.file, self.folder = folder / "home.yaml", folder / "var"
        self.file.write_text(HOUSE, encoding="utf-8")
        self.folder.mkdir()
        self.log: list[str] = []
        self.full = False
        self.reread = 0

    async def note(self, kind: str, said: Mapping[str, str], _now: Now) -> None:
        if self.full:
            raise StoreFailed("no space left on device")
        self.log.append(f"{kind} {said['name']} {said['by']}")

    def _again(self) -> None:
        self.reread += 1

    def begins(self, *, old: bool = False) -> Proposals:
        """A gateway begins, with the house of the file or (`old`) with the one before, because none began with it."""
        text = self.file.read_text(encoding="utf-8")
        self.file.write_text(HOUSE if old else text, encoding="utf-8")
        home = load_home_file(self.file)
        self.file.write_text(text, encoding="utf-8")
        rewriting = HomeFileWriter(self.file, reload=self._again)
        return Proposals(home, writer=rewriting, permitted_entrances=lambda: (), append_log=self.note)

    async def accepted(self, asked: ProposalRequest) -> str:
        """It is in the house file, and the gateway was told; the text of the file."""
        proposals = self.begins()
        assert await proposals.propose(asked, by="ines", now=NOW) == ()
        (seen,) = await proposals.read_views()
        assert await proposals.accept([seen.proposal.id], by="anna", now=NOW) == ()
        return self.file.read_text(encoding="utf-8")

    @property
    def beside(self) -> list[str]:
        return [file.name for file in (self.file.parent / "cameras").glob("*")]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_who_proposed_and_who_accepted_stands_in_the_log_before_the_house_changes(house: House) -> None:
    await house.accepted(DOOR)
    assert house.log == ["addition_proposed back-door ines", "addition_accepted back-door anna"]
    (seen,) = await house.begins().read_views()
    assert (seen.state, seen.proposal.done) == (ProposalState.APPLIED, True)


async def test_how_it_stands_is_what_the_gateway_told_of_the_house_file_since(house: House) -> None:
    reload.write_report(house.folder, reload.ReloadReport(id="an older one", said="refused", problems=("x",)))
    proposals = house.begins()
    await proposals.propose(DOOR, by="ines", now=NOW)
    (seen,) = await proposals.read_views()
    await proposals.accept([seen.proposal.id], by="anna", now=NOW)
    assert (await proposals.read_views())[0].state is ProposalState.TAKEN
    busy = (reload.BusyEntrance(entrance="front", what="visit"),)
    reload.write_report(house.folder, reload.ReloadReport(id="1", said="waiting", busy=busy))
    assert (await proposals.read_views())[0].state is ProposalState.WAITING
    reload.write_report(house.folder, reload.ReloadReport(id="2", said="refused", problems=("why",)))
    (seen,) = await proposals.read_views()
    assert (seen.state, seen.reload_report and seen.reload_report.problems) == (ProposalState.REFUSED, ("why",))


async def test_what_no_gateway_began_with_is_taken_out_of_the_house_file_and_waits_again(house: House) -> None:
    text = await house.accepted(CAMERA)
    assert "porch" in text
    assert house.beside == ["porch.login"]
    reload.write_report(house.folder, reload.ReloadReport(id="1", said="refused", problems=("it does not begin",)))
    again = house.begins(old=True)
    text = house.file.read_text(encoding="utf-8")
    assert "porch" not in text
    assert "# somebody's own words" in text
    assert load_home_file(house.file).devices == {}
    assert house.beside == []
    (seen,) = await again.read_views()
    assert (seen.state, seen.proposal.failed) == (ProposalState.PROPOSED, ("it does not begin",))
    assert await again.accept([seen.proposal.id], by="anna", now=NOW) == ()
    assert house.beside == ["porch.login"], "its account was not lost"


async def test_what_waits_for_a_visit_stays_in_the_house_file(house: House) -> None:
    text = await house.accepted(DOOR)
    reload.write_report(house.folder, reload.ReloadReport(id="1", said="waiting"))
    again = house.begins(old=True)
    assert house.file.read_text(encoding="utf-8") == text
    assert (await again.read_views())[0].state is ProposalState.WAITING


async def test_what_somebody_took_out_at_the_terminal_later_does_not_come_back(house: House) -> None:
    await house.accepted(DOOR)
    house.begins()
    house.file.write_text(HOUSE, encoding="utf-8")
    again = house.begins()
    assert again.waiting_count == 0
    assert load_home_file(house.file).devices == {}


async def test_a_log_that_takes_nothing_lets_nothing_into_the_house(house: House) -> None:
    proposals = house.begins()
    await proposals.propose(CAMERA, by="ines", now=NOW)
    (seen,) = await proposals.read_views()
    house.full = True
    with pytest.raises(StoreFailed):
        await proposals.accept([seen.proposal.id], by="anna", now=NOW)
    assert (house.file.read_text(encoding="utf-8"), house.beside, house.reread) == (HOUSE, [], 0)
    assert proposals.waiting_count == house.begins().waiting_count == 1
    with pytest.raises(StoreFailed):
        await proposals.propose(DOOR, by="ines", now=NOW)
    with pytest.raises(StoreFailed):
        await proposals.discard(seen.proposal.id, by="ines", now=NOW, refused=False)
    assert proposals.waiting_count == 1


async def test_a_disk_that_takes_nothing_says_so_and_keeps_no_password(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposals = house.begins()

    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gateway.installation.proposal_workflow.write_whole", full)
    why = await proposals.propose(CAMERA, by="ines", now=NOW)
    assert [(one.text_key, one.facts) for one in why] == [("disk", {"why": "No space left on device"})]
    assert (proposals.waiting_count, list((house.folder / "proposals").glob("*.login"))) == (0, [])


async def test_what_is_done_is_forgotten_but_for_the_last_ones(house: House) -> None:
    proposals = house.begins()
    for n in range(MAX_DONE_PROPOSALS + 2):
        await proposals.propose(
            ProposalRequest(kind="signal", name=f"s{n}", fields={"vendor": "signal"}), by="ines", now=NOW
        )
    ids = [one.proposal.id for one in await proposals.read_views()]
    assert await proposals.accept(ids, by="anna", now=NOW) == ()
    seen = await house.begins().read_views()
    assert [one.proposal.name for one in seen] == [f"s{n}" for n in range(2, MAX_DONE_PROPOSALS + 2)]
