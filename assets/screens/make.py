"""Render the pages of the evaluation set and write screens.json: ``python assets/screens/make.py [PAGE ...]``.

A page says its size in ``<meta name="screen" content="1440x900 @2 web">`` (CSS pixels, device scale, data source), and
its items on the targets themselves, ``data-item="literal|Click the Sign in button"``: the boxes come from the DOM.
The items of the real programs' screenshots were measured once and live in programs.json.
Pages in pages/examples/ are rendered into ../examples/ui, without items.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "examples" / "ui"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")

READ_ITEMS = """() => [...document.querySelectorAll('[data-item]')].map((element) => {
    const box = element.getBoundingClientRect();
    const x1 = Math.max(box.left, 0), y1 = Math.max(box.top, 0);
    const x2 = Math.min(box.right, innerWidth), y2 = Math.min(box.bottom, innerHeight);
    const top = document.elementFromPoint((x1 + x2) / 2, (y1 + y2) / 2);
    return {item: element.dataset.item, box: [x1, y1, x2 - x1, y2 - y1], seen: !!top && element.contains(top)};
})"""


def icons() -> dict[str, str]:
    """``set/name`` to the SVG's text."""
    folder = HERE / "pages" / "icons"
    return {str(path.relative_to(folder).with_suffix("")): path.read_text() for path in sorted(folder.rglob("*.svg"))}


def launch(playwright: Playwright) -> Browser:
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
    flags = ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb", *quiet]
    return playwright.chromium.launch(executable_path=CHROMIUM, args=flags)


def render(browser: Browser, page_file: Path, picture: Path, script: str) -> list[dict]:
    """Write the page's picture and return its items, boxes in pixels of that picture."""
    probe = browser.new_page()
    probe.goto(page_file.as_uri(), wait_until="commit")
    size, scale, source = probe.locator('meta[name="screen"]').get_attribute("content").split()
    probe.close()
    width, height = map(int, size.split("x"))
    factor = float(scale.lstrip("@"))
    page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=factor)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.add_init_script(script)
    page.goto(page_file.as_uri(), wait_until="load")
    page.evaluate("document.fonts.ready")
    page.screenshot(path=picture)
    found = page.evaluate(READ_ITEMS)
    page.close()
    items = []
    for number, entry in enumerate(found):
        category, instruction = entry["item"].split("|", 1)
        if not entry["seen"]:
            faults.append(f"the target of {instruction!r} is covered or off the page")
        items.append(
            {
                "id": f"{page_file.stem}-{number:02}",
                "img_filename": picture.name,
                "bbox": [round(value * factor) for value in entry["box"]],
                "instruction": instruction,
                "data_type": "icon" if category == "icon" else "text",
                "category": category,
                "data_source": source,
            }
        )
    if faults:
        raise SystemExit(f"{page_file.name}: " + "; ".join(faults))
    return items


def main(names: list[str]) -> None:
    """Render the named pages, or all; items of pages that are not rendered stay as they are."""
    pages = sorted((HERE / "pages").glob("*.html"))
    examples = sorted((HERE / "pages" / "examples").glob("*.html"))
    table = HERE / "screens.json"
    known = json.loads(table.read_text()) if table.exists() else []
    programs = json.loads((HERE / "programs.json").read_text())
    script = f"window.ICONS = {json.dumps(icons())};"
    items: list[dict] = list(programs)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for page in pages:
            picture = f"{page.stem}.png"
            if names and page.stem not in names:
                items += [item for item in known if item["img_filename"] == picture]
                continue
            items += render(browser, page, HERE / "images" / picture, script)
        for page in examples:
            if not names or page.stem in names:
                render(browser, page, EXAMPLES / f"{page.stem}.png", script)
        browser.close()
    lines = ",\n".join(json.dumps(item, ensure_ascii=False) for item in items)
    table.write_text(f"[\n{lines}\n]\n")
    print(f"{len(items)} items on {len({item['img_filename'] for item in items})} screenshots")


if __name__ == "__main__":
    main(sys.argv[1:])
