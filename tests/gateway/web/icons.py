"""`python -m tests.gateway.web.icons`: draw the icons of the home screen from the one drawing, `static/perron.svg`."""

import asyncio
import base64
import re
from pathlib import Path

from tests.browser import visitor

STATIC = Path(__file__).parents[3] / "gateway" / "web" / "static"
ICON_SIZES_PX = {"180": 180, "192": 192, "512": 512, "maskable-512": 512, "badge-96": 96}
"""The icons by the middle of their names: `perron-180.png` and so on."""
_GROUND = '<rect width="32" height="32" rx="7" fill="#0b6e5f"/>'


def icon_svg(kind: str) -> str:
    """The drawing of an icon. An icon for the iPhone or with a mask fills its square; a badge is one colour."""
    drawing = (STATIC / "perron.svg").read_text(encoding="utf-8")
    assert _GROUND in drawing
    if kind == "badge-96":  # Android draws only its shape, in a colour of its own
        return (
            re.sub(r'fill="#0b6e5f"', 'fill="none"', drawing.replace(_GROUND, ""))
            .replace('<path d="M13 8h6v14h-6z" fill="none"/><circle cx="17.4" cy="15" r="1.1" fill="#fff"/>', "")
            .replace('d="M10 5h12v17h5v5H5v-5h5z"', 'fill-rule="evenodd" d="M10 5h12v17h5v5H5v-5h5zM13 8v14h6v-14z"')
        )
    if kind == "maskable-512":  # a phone may cut all but the inner 80 %
        inner = drawing.replace(_GROUND, "").replace("<svg ", '<svg x="4" y="4" width="24" height="24" ')
        ground = _GROUND.replace(' rx="7"', "")
        return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">{ground}{inner}</svg>'
    return drawing.replace(' rx="7"', "") if kind == "180" else drawing


async def draw_icons() -> dict[str, bytes]:
    """Every icon as a PNG, by the middle of its name."""
    drawn = {}
    async with visitor() as somebody:
        for kind, size in ICON_SIZES_PX.items():
            page = await somebody.page(viewport={"width": size, "height": size}, has_touch=False)
            source = base64.b64encode(icon_svg(kind).encode()).decode()
            await page.set_content(
                f"<style>body{{margin:0}}img{{display:block;width:{size}px;height:{size}px}}</style>"
                f'<img src="data:image/svg+xml;base64,{source}">'
            )
            await page.locator("img").evaluate("image => image.decode()")
            drawn[kind] = await page.screenshot(omit_background=True)
    return drawn


if __name__ == "__main__":
    for name, png in asyncio.run(draw_icons()).items():
        (STATIC / f"perron-{name}.png").write_bytes(png)
