"""A page in a headless Chromium, by the DevTools protocol over two pipes: no library, no port."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@dataclass
class Tab:
    """One tab. `requests` and `complaints` are what the page has asked for, and what the browser said about it."""

    _to: int
    _from: int
    session: str = ""
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _rest: bytes = b""
    _number: int = 0
    _events: list[str] = field(default_factory=list)

    def call(self, method: str, **values: Any) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": values}
        if self.session:
            message["sessionId"] = self.session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def open(self, page: Path, *, width: int, height: int = 900, dark: bool = False) -> None:
        """Show a file and wait until it is loaded."""
        self.requests.clear()
        self.complaints.clear()
        self._events.clear()
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=page.as_uri())
        while "Page.loadEventFired" not in self._events:
            self._read()

    def run(self, script: str) -> Any:
        """The value of an expression in the page; promises are awaited."""
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"]["exception"]["description"])
        return found["result"].get("value")

    def screenshot(self, to: Path) -> None:
        """All of the page, however long it is."""
        picture = self.call("Page.captureScreenshot", captureBeyondViewport=True, format="png")
        to.write_bytes(base64.b64decode(picture["data"]))

    def pdf(self) -> bytes:
        """The page as it is printed, on A4."""
        printed = self.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, printBackground=True)
        return base64.b64decode(printed["data"])

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            piece = os.read(self._from, 1 << 20)
            if not piece:
                raise RuntimeError("chromium has ended")
            self._rest += piece
        one, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(one)
        method, values = message.get("method", ""), message.get("params", {})
        self._events.append(method)
        if method == "Network.requestWillBeSent":
            # The browser's own pictures in the header of a printed page are data.
            if not values["request"]["url"].startswith("data:"):
                self.requests.append(values["request"]["url"])
        elif method == "Log.entryAdded":
            self.complaints.append(values["entry"]["text"])
        elif method in ("Runtime.consoleAPICalled", "Page.javascriptDialogOpening"):
            self.complaints.append(f"{method}: {values}")
        return message


@contextmanager
def tab() -> Iterator[Tab]:
    """A tab of a browser of its own, which ends with the block."""
    assert CHROMIUM is not None
    to_browser, to_us = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(prefix="docmill-chromium-", ignore_cleanup_errors=True) as profile:
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--disable-background-networking", "--remote-debugging-pipe",
                 f"--user-data-dir={profile}"]  # fmt: skip
        # Chromium reads from 3 and writes to 4.
        script = f"exec {CHROMIUM} {' '.join(flags)} about:blank 3<&{to_browser[0]} 4>&{to_us[1]}"
        process = subprocess.Popen(
            ["bash", "-c", script], pass_fds=(to_browser[0], to_us[1]),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_browser[0])
        os.close(to_us[1])
        try:
            found = Tab(to_browser[1], to_us[0])
            target = found.call("Target.createTarget", url="about:blank")["targetId"]
            session = found.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            found.session = session
            for domain in ("Page", "Network", "Log", "Runtime"):
                found.call(f"{domain}.enable")
            yield found
            found.session = ""
            found.call("Browser.close")
            process.wait(timeout=30)
        finally:
            os.close(to_browser[1])
            os.close(to_us[0])
            if process.poll() is None:
                process.kill()
                process.wait()
