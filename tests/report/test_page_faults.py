"""What is to find the faults of reports finds them in a page that has them all."""

import asyncio

from browser import in_browser
from page_faults import faults_of

PAGE = """<!doctype html><meta name="viewport" content="width=device-width">
<style>:root {{ color-scheme: light dark }} {style}</style>
<body>{body}</body>"""
VIEWER = """<div class="viewer" data-ready="1"><select><option>a<option>b</select>
<input type="range" name="x" max="9" {options}></div>"""


def faults(folder, body, style="", viewers=1):
    path = folder / "page.html"
    path.write_text(PAGE.format(style=style, body=body))
    return asyncio.run(faults_of(path, viewers))


@in_browser
def test_a_page_without_fault_has_none(tmp_path):
    body = VIEWER.format(options="") + "<p>text</p>"
    assert faults(tmp_path, body, "body { color: #777; background: #000 }") == []


@in_browser
def test_every_fault_is_found(tmp_path):
    ink = "<svg xmlns='http://www.w3.org/2000/svg'><rect width='9' height='9'/></svg>"
    plot = f'<div class="plots"><img alt="plot" src="data:image/svg+xml,{ink}"></div>'
    found = faults(
        tmp_path,
        VIEWER.format(options="tabindex=-1")
        + '<details><p style="width: 500px">wide</p></details>'
        + '<p class="faint">words</p>'
        + '<table class="stack"><tr><td>far</td></tr></table>'
        + "<script>console.error('oh'); nobody()</script>"
        + f'<img alt="lost" src="http://example.org/a.png">{plot}',
        "td { padding-left: 900px } @media (prefers-color-scheme: dark) "
        "{ body { background: #222 } .faint { color: #555 } }",
    )
    assert "not reached by keys: x" in found
    assert "not moved by keys: x" in found
    assert any(fault.startswith("scrolls sideways, 9") for fault in found)
    assert "off screen: far" in found
    assert "of no column: far" in found
    assert any(fault.startswith("faint in dark: words (2.1") for fault in found)
    assert any(fault.startswith("faint in dark: plot") for fault in found)
    assert not [fault for fault in found if fault.startswith("faint in light")]
    assert "no picture: lost" in found
    assert "error: oh" in found
    assert "error: Uncaught" in found
    assert "asks for http://example.org/a.png" in found


@in_browser
def test_a_viewer_that_is_not_there_is_missed(tmp_path):
    assert faults(tmp_path, "<p>text</p>") == ["0 viewers, not 1"]
