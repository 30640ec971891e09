"""The documents: `make docs` builds them without a warning, no link leads nowhere, a built page needs no internet."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("site")]  # one process builds the site, once

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
LINK = re.compile(r"\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$", re.MULTILINE)
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
FENCE = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
PAGE_IN_A_SOURCE = re.compile(r"\bdocs/[\w/-]+\.md\b")
FILE_IN_A_PAGE = re.compile(r"`((?:gateway|devices|tests|docs)/[\w./-]+)`")
# What a browser fetches by itself when it shows a page.
FETCHED = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src"}


def build(config: Path, into: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--config-file", str(config), "--site-dir", str(into)],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("site")
    done = build(ROOT / "mkdocs.yml", into)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return into


class Fetches(HTMLParser):
    """Collect the addresses that a browser fetches for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "link" and named.get("rel") == "canonical":
            return
        if address := named.get(FETCHED.get(tag, "")):
            self.addresses.append(address)


def test_every_page_is_built_and_fetches_nothing_from_the_internet(site: Path) -> None:
    for page in DOCS.rglob("*.md"):
        built = site / page.relative_to(DOCS).with_suffix(".html")
        reader = Fetches()
        reader.feed(built.read_text(encoding="utf-8"))
        assert reader.addresses
        assert [one for one in reader.addresses if re.match(r"[a-z]+:|//", one)] == [], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:|//)", sheet.read_text(encoding="utf-8")), sheet


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[a page](nowhere.md)", "'nowhere.md', but the target is not found"),
        ("[a heading](#nowhere)", "there is no such anchor"),
        ("![a picture](nowhere.png)", "'nowhere.png', but the target is not found"),
    ],
)
def test_a_link_that_leads_nowhere_fails_the_build(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(f"# A page\n\n{text}\n")
    config = tmp_path / "mkdocs.yml"
    config.write_text(f"INHERIT: {ROOT}/mkdocs.yml\ndocs_dir: docs\nsite_dir: site\nnot_in_nav: ''\nnav: [index.md]\n")
    done = build(config, tmp_path / "site")
    assert done.returncode != 0
    assert complaint in done.stderr


def test_what_continues_an_item_of_a_list_is_indented_by_four() -> None:
    """GitHub takes two or three spaces for it, Python-Markdown ends the list there."""
    for page in DOCS.rglob("*.md"):
        text = FENCE.sub("", page.read_text(encoding="utf-8"))
        assert re.findall(r"\n\n {1,3}\S.*", text) == [], page
        assert re.findall(r"^ {4}[^\s`].*\n(?:\d+\.|-) .*", text, re.MULTILINE) == [], page  # it swallows the next item


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings get: small letters, hyphens for blanks, no other signs."""
    return {
        re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", heading.strip().lower()))
        for heading in HEADING.findall(page.read_text(encoding="utf-8"))
    }


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")), ids=lambda page: page.name)
def test_a_link_of_a_page_in_the_root_leads_to_a_file_and_a_heading(page: Path) -> None:
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    for found in LINK.findall(text):
        target = found[0] or found[1]
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (ROOT / file) if file else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


def test_every_file_of_the_source_that_a_page_names_is_there() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")):
        named = set(FILE_IN_A_PAGE.findall(page.read_text(encoding="utf-8")))
        assert {file for file in named if not (ROOT / file).exists()} == set(), page


def test_every_page_that_a_source_names_is_there() -> None:
    files = [ROOT / name for name in ("Makefile", "Dockerfile", "docker-compose.yml")]
    files += [path for folder in ("gateway", "tests", "config") for path in (ROOT / folder).rglob("*")]
    foreign = {"docs/usage/setup.md", "docs/guide/mqtt.md"}  # pages of Z-Wave JS UI
    for file in files:
        if file.is_file() and file.suffix in {"", ".md", ".py", ".service", ".timer", ".yaml", ".yml"}:
            named = set(PAGE_IN_A_SOURCE.findall(file.read_text(encoding="utf-8")))
            assert {page for page in named - foreign if not (ROOT / page).exists()} == set(), file


def test_the_decisions_are_numbered_without_gaps_and_stand_in_their_list() -> None:
    records = sorted(page.name for page in (DOCS / "decisions").glob("0*.md"))
    assert [int(name[:4]) for name in records] == list(range(1, len(records) + 1))
    listed = re.findall(r"\((0[\w-]+\.md)\)", (DOCS / "decisions" / "index.md").read_text(encoding="utf-8"))
    assert sorted(listed) == records


@pytest.mark.parametrize("folder", ["installer", "operator", "owner", "reference", "retailer"])
def test_a_reader_finds_every_page_from_the_first_page_in_the_same_language(folder: str) -> None:
    pages = {page.name for page in (DOCS / folder).glob("*.md")} - {"index.md", "fr.md"}
    french = {name for name in pages if name.endswith(".fr.md")}
    english = (DOCS / folder / "index.md").read_text(encoding="utf-8")
    assert {name for name in pages - french if f"({name}" not in english} == set()
    if folder == "owner":
        in_french = (DOCS / folder / "fr.md").read_text(encoding="utf-8")
        assert {name for name in french if f"({name}" not in in_french} == set()
