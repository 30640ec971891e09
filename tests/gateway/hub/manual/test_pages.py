import re
from pathlib import Path

import pytest

from gateway.hub.http.problem import Code
from tests.browser import IN_SHARED_BROWSER, accessibility_problems, visitor
from tests.hubs import hub_file, run_hub

pytestmark = [pytest.mark.slow, *IN_SHARED_BROWSER]

NEEDS = {"": "needs no key", "key": "needs a key", "browser": "needs the token of a household"}
ELSEWHERE = re.compile(r"(?:src|href|action)=\"(?!/|#|data:,)", re.ASCII)


async def test_every_operation_and_every_shape_stands_on_the_page(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        async with hub.http.get("/openapi.json") as answer:
            document = await answer.json()
        async with hub.http.get("/") as answer:
            assert (answer.status, answer.content_type) == (200, "text/html")
            page = await answer.text()
    operations = [one for methods in document["paths"].values() for one in methods.values()]
    assert operations
    for one in operations:
        (told,) = page.split(f'<h3 id="{one["operationId"]}">')[1:]
        (scheme,) = [scheme for needs in one["security"] for scheme in needs] or [""]
        assert NEEDS[scheme] in told.partition("</p>")[0], "and what it asks for"
    for name, shape in document["components"]["schemas"].items():
        section = page.partition(f'<h3 id="shape-{name}">')[2].partition("</article>")[0]
        for field in shape.get("properties", {}):
            assert f"<code>{field}</code>" in section, (name, field)
    for anchor in set(re.findall(r'href="#([^"]+)"', page)):
        assert f'id="{anchor}"' in page, f"#{anchor} leads nowhere"
    assert "`" not in re.sub(r"<pre.*?</pre>", "", page, flags=re.DOTALL), "a name is marked up, not quoted"


async def test_each_stable_code_is_explained_where_a_problem_s_type_points(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        async with hub.http.get("/v1/api_keys") as refused:
            said = await refused.json(content_type=None)
        async with hub.http.get(said["type"].removeprefix(hub.url)) as answer:
            page = await answer.text()
        assert said["title"] in page
        assert "What to do" in page
        assert "/#createApiKey" in page, "and which operations answer so"
        for code in Code:
            async with hub.http.get(f"/problems/{code}") as answer:
                assert answer.status == 200, code
                assert "`" not in await answer.text(), code
        async with hub.http.get("/problems/nonsense") as lost:
            assert (lost.status, lost.content_type) == (404, "application/problem+json")


async def test_the_pages_bring_nothing_from_elsewhere_and_no_script(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        for path in ("/", "/problems/invalid"):
            async with hub.http.get(path) as answer:
                page, policy = await answer.text(), answer.headers["Content-Security-Policy"]
            assert "<script" not in page
            assert "style=" not in page
            assert not ELSEWHERE.search(page)
            assert policy.startswith("default-src 'none'; style-src 'self';")
            assert "unsafe" not in policy
            assert "script-src" not in policy


async def test_the_pages_are_read_by_everybody(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub, visitor() as somebody:
        page = await somebody.page()
        for path in ("/", "/problems/invalid"):
            await page.goto(f"{hub.url}{path}")
            assert await accessibility_problems(page) == [], path
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing hangs out"
