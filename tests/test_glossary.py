"""docs/reference/glossary.md defines each term once, and each name of the code that it gives exists."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reference" / "glossary.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (\*\*.+?) \| (.+?) \|", re.MULTILINE)
TERM = re.compile(r"\*\*(.+?)\*\*")
NAME = re.compile(r"\(`([A-Za-z_]+)`\)")


def test_each_term_is_defined_once() -> None:
    terms = Counter(term.lower() for cell, _ in ROW.findall(PAGE) for term in TERM.findall(cell))
    assert [term for term, count in terms.items() if count > 1] == []
    assert len(terms) > 80


def test_each_definition_says_something() -> None:
    assert [cell for cell, meaning in ROW.findall(PAGE) if len(meaning.split()) < 4] == []


def test_each_name_of_the_code_exists() -> None:
    names = set(NAME.findall(PAGE))
    sources = [*(ROOT / "gateway").rglob("*.py"), *(ROOT / "devices").rglob("*.py")]
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    assert names
    assert {name for name in names if not re.search(rf"\b{name}\b", code)} == set()
