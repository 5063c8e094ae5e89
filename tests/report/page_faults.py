"""What would keep a reader from a report: faults that only a browser shows."""

import base64
import io

import numpy as np
from browser import opened
from matplotlib.image import imread

WIDTH = 400
FAINT = """(() => {
  const numbers = text => text.match(/[\\d.]+/g).map(Number);
  const light = colour => {
    const [r, g, b] = colour.map(v => v / 255).map(
      v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const over = (above, below) => {
    const [r, g, b, share = 1] = above;
    return [r, g, b].map((v, k) => share * v + (1 - share) * below[k]);
  };
  const sheet = document.body.appendChild(document.createElement("i"));
  sheet.style.background = "Canvas";
  const paper = numbers(getComputedStyle(sheet).backgroundColor);
  sheet.remove();
  const ground = element => {
    if (!element) return paper;
    const own = numbers(getComputedStyle(element).backgroundColor);
    return (own[3] ?? 1) === 1 ? own : over(own, ground(element.parentElement));
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    const words = texts.currentNode.data.trim();
    if (!words || !element.getClientRects().length) continue;
    const style = getComputedStyle(element), below = ground(element);
    const two = [light(over(numbers(style.color), below)), light(below)];
    const ratio = (Math.max(...two) + .05) / (Math.min(...two) + .05);
    const large = parseFloat(style.fontSize) >= 24;
    if (ratio < (large ? 3 : 4.5)) found.push(`${words} (${ratio.toFixed(1)})`);
  }
  return found;
})()"""
"""Texts whose contrast is below that of WCAG 2.1, level AA, with their ratio."""

CONTROLS = "Array.from(document.querySelectorAll('.viewer :is(select, input)'))"
READY = (
    "Array.from(document.querySelectorAll('.viewer')).every(v => 'ready' in v.dataset)"
)
PLOTS = "document.querySelectorAll('.plots img')"
IN_VIEW = f"""(place => {{
  const image = {PLOTS}[place];
  image.scrollIntoView({{block: "center", behavior: "instant"}});
  const box = image.getBoundingClientRect();
  return [image.alt, {{x: box.x + scrollX, y: box.y + scrollY,
                       width: box.width, height: box.height, scale: 1}}];
}})"""
"""Name and place of a plot, which is brought into view: a capture of what lies beyond
makes the window taller for its time, and with it what is as tall as the window."""


OFF = """Array.from(document.querySelectorAll(".stack :is(th, td, td *)"))
  .filter(e => e.getClientRects().length
    && !(e.getBoundingClientRect().right <= innerWidth))
  .map(e => `off screen: ${e.alt || e.textContent.trim()}`)"""
NAMELESS = """Array.from(document.querySelectorAll(".stack td"))
  .filter(e => e.getClientRects().length
    && !/^".+"$/.test(getComputedStyle(e, "::before").content))
  .map(e => `of no column: ${e.textContent.trim()}`)"""
CUT = """Array.from(document.querySelectorAll(".scroll"))
  .filter(e => e.scrollWidth > e.clientWidth).map(e => e.getAttribute("aria-label"))"""


async def cut_at(path, width):
    """Names of the tables that do not fit into the page at this width, in px."""
    async with opened(path, width=width) as page:
        await page.ask("document.querySelectorAll('details').forEach(d => d.open = 1)")
        return await page.ask(CUT)


async def faults_of(path, viewers=1):
    """What is wrong with a page on a phone, in words; nothing if all is well.

    Args:
        path: HTML.
        viewers: How many slice viewers it must have.
    """
    async with opened(path, width=WIDTH) as page:
        await page.ask("document.querySelectorAll('details').forEach(d => d.open = 1)")
        found = []
        if (count := await page.ask("document.querySelectorAll('.viewer').length")) != (
            viewers
        ):
            found.append(f"{count} viewers, not {viewers}")
        else:
            await page.wait(READY)
            found += await _out_of_reach(page)
        if (width := await page.ask("document.documentElement.scrollWidth")) > WIDTH:
            found.append(f"scrolls sideways, {width} px")
        found += await page.ask(OFF) + await page.ask(NAMELESS)
        for scheme in ("light", "dark"):
            await page.prefer(scheme == "dark")
            faint = await page.ask(FAINT) + await _faint_plots(page, scheme)
            found += [f"faint in {scheme}: {words}" for words in faint]
        broken = "Array.from(document.images).filter(i => !i.naturalWidth)"
        found += await page.ask(f"{broken}.map(i => `no picture: ${{i.alt}}`)")
        return found + _said(page.told, path.as_uri())


def _said(told, address):
    """Errors of the console, and what was asked of anyone but the page itself."""
    found = []
    for event in told:
        about = event["params"]
        match event["method"]:
            case "Runtime.exceptionThrown":
                found.append(f"error: {about['exceptionDetails']['text']}")
            case "Runtime.consoleAPICalled" if about["type"] in ("error", "warning"):
                found.append(f"error: {about['args'][0].get('value')}")
            case "Log.entryAdded" if about["entry"]["level"] in ("error", "warning"):
                found.append(f"error: {about['entry']['text']}")
            case "Network.requestWillBeSent":
                asked = about["request"]["url"]
                if not asked.startswith("data:") and asked.partition("#")[0] != address:
                    found.append(f"asks for {asked}")
    return found


async def _out_of_reach(page):
    """Controls of the viewers that the keyboard alone does not come to, or not move."""
    names = await page.ask(f"{CONTROLS}.map(c => c.name || c.localName)")
    reached, moved = set(), set()
    while len(reached) < len(names):
        await page.press("Tab", 9)
        if await page.ask("document.activeElement === document.body"):
            break  # past the last
        place = await page.ask(f"{CONTROLS}.indexOf(document.activeElement)")
        if place < 0:
            continue
        reached.add(place)
        before = await page.ask("document.activeElement.value")
        await page.press("ArrowDown", 40)
        if await page.ask("document.activeElement.value") != before:
            moved.add(place)
    return [
        f"not {word} by keys: {name}"
        for word, done in (("reached", reached), ("moved", moved))
        for place, name in enumerate(names)
        if place not in done
    ]


async def _faint_plots(page, scheme):
    """Plots without ink that stands out from their ground: dark on light, or light."""
    found = []
    for place in range(await page.ask(f"{PLOTS}.length")):
        name, box = await page.ask(f"{IN_VIEW}({place})")
        shot = await page.send("Page.captureScreenshot", clip=box)
        pixels = imread(io.BytesIO(base64.b64decode(shot["data"])))[..., :3].mean(-1)
        ground = np.median(pixels)
        ink = pixels.max() if scheme == "dark" else pixels.min()
        if abs(ink - ground) < 0.6:
            found.append(f"{name} (ink {ink:.2f} on {ground:.2f})")
    return found
