"""A headless Chromium, spoken to over its own debugging protocol."""

import asyncio
import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)


def in_browser(test):
    """Marks a test that needs Chromium, and is skipped where there is none."""
    absent = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
    return pytest.mark.browser(absent(test))


class Page:
    """One tab: real keys, real sizes; ``told`` is what it said unasked."""

    def __init__(self, socket):
        self.socket, self.numbers, self.told = socket, itertools.count(1), []

    async def send(self, method, **params):
        number = next(self.numbers)
        await self.socket.send_json({"id": number, "method": method, "params": params})
        while True:
            told = await self.socket.receive_json(timeout=30)
            if told.get("id") == number:
                assert "error" not in told, told
                return told["result"]
            self.told.append(told)

    async def ask(self, expression):
        """The value of a JavaScript expression."""
        options = {"returnByValue": True, "awaitPromise": True}
        told = await self.send("Runtime.evaluate", expression=expression, **options)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    async def wait(self, expression):
        """Until the expression is true."""
        until = time.monotonic() + 20
        while not await self.ask(expression):
            assert time.monotonic() < until, expression
            await asyncio.sleep(0.05)

    async def prefer(self, dark):
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.send("Emulation.setEmulatedMedia", features=[feature])

    async def press(self, key, code):
        for kind in ("rawKeyDown", "keyUp"):
            await self.send(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
            )


@asynccontextmanager
async def opened(path, width=1000, dark=False):
    """A page of that width, in light or dark, without network."""
    # Chromium's helpers may outlive it for a moment, and write into its profile.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        words = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu"]
        words += ["--remote-debugging-port=0", f"--user-data-dir={profile}"]
        words += ["--host-resolver-rules=MAP * ~NOTFOUND", "about:blank"]
        browser = subprocess.Popen(
            words, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            port = await _port(Path(profile) / "DevToolsActivePort")
            async with aiohttp.ClientSession() as session:
                tabs = await (
                    await session.get(f"http://127.0.0.1:{port}/json/list")
                ).text()
                tab = next(t for t in json.loads(tabs) if t["type"] == "page")
                address = tab["webSocketDebuggerUrl"]
                async with session.ws_connect(address, max_msg_size=0) as socket:
                    page = Page(socket)
                    size = {"width": width, "height": 900, "deviceScaleFactor": 1}
                    await page.send(
                        "Emulation.setDeviceMetricsOverride", mobile=False, **size
                    )
                    # A picture of a whole page has none, and is as wide as the page.
                    await page.send("Emulation.setScrollbarsHidden", hidden=True)
                    await page.prefer(dark)
                    for told in ("Runtime", "Log", "Network"):
                        await page.send(f"{told}.enable")
                    await page.send("Page.navigate", url=Path(path).as_uri())
                    await page.wait("document.readyState === 'complete'")
                    yield page
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()


async def _port(file):
    until = time.monotonic() + 30
    while not file.exists() or not file.read_text():
        assert time.monotonic() < until, "Chromium did not start"
        await asyncio.sleep(0.05)
    return file.read_text().splitlines()[0]
