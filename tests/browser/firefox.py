"""Firefox itself, driven as a person would: Playwright has a Firefox of its own, which is not the one that readers have.

It is spoken to by Marionette, Firefox's side of WebDriver (https://firefox-source-docs.mozilla.org/testing/marionette):
each message is its length, a colon, and a list in JSON.
"""

import json
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from ports import free_port

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
PREFERENCES: dict[str, Any] = {
    "app.update.auto": False, "app.normandy.enabled": False, "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0, "browser.newtabpage.enabled": False, "browser.aboutwelcome.enabled": False,
    "browser.safebrowsing.malware.enabled": False, "browser.safebrowsing.phishing.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False, "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False, "network.connectivity-service.enabled": False,
    "signon.rememberSignons": False, "toolkit.telemetry.reportingpolicy.firstRun": False,
    # Whatever is not on this machine is asked for at a port that nobody listens on.
    "network.proxy.type": 1, "network.proxy.http": "127.0.0.1", "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1", "network.proxy.ssl_port": 9,
}  # fmt: skip


class WentWrong(Exception):
    """What Firefox says it could not do."""


class Firefox:
    """A Firefox without a window of its own on the screen, with a new profile in `folder`."""

    def __init__(self, folder: Path) -> None:
        found = shutil.which("firefox-esr") or shutil.which("firefox")
        assert found, "These tests need Firefox: “make tools” installs it."
        port = free_port()
        lines = (
            f"user_pref({json.dumps(name)}, {json.dumps(value)});"
            for name, value in (PREFERENCES | {"marionette.port": port}).items()
        )
        (folder / "user.js").write_text("\n".join(lines), encoding="utf-8")
        with (folder / "printed").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    found,
                    "--headless",
                    "--marionette",
                    "--remote-allow-system-access",
                    "--no-remote",
                    "--profile",
                    str(folder),
                ],
                stdout=log,
                stderr=log,
            )
        self._number = 0
        self._line = self._connected(port, folder)
        self._read()
        self.does("WebDriver:NewSession", capabilities={"alwaysMatch": {"pageLoadStrategy": "normal"}})

    def _connected(self, port: int, folder: Path) -> Any:
        for _ in range(1200):
            assert self._process.poll() is None, (folder / "printed").read_text(errors="replace")
            try:
                self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
                return self._socket.makefile("rb")
            except OSError:
                time.sleep(0.1)
        raise AssertionError("Firefox did not listen within two minutes.")

    def _read(self) -> Any:
        length = b""
        while (letter := self._line.read(1)) != b":":
            assert letter, "Firefox has gone."
            length += letter
        return json.loads(self._line.read(int(length)))

    def does(self, name: str, **about: Any) -> Any:
        """One command of WebDriver's. Raises WentWrong with Firefox's own words."""
        self._number += 1
        message = json.dumps([0, self._number, name, about]).encode()
        self._socket.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = self._read()
        if error:
            raise WentWrong(f"{name}: {error['error']}: {error['message']}")
        return result["value"] if isinstance(result, dict) and "value" in result else result

    def closes(self) -> None:
        try:
            self.does("Marionette:Quit", flags=["eForceQuit"])
            self._process.wait(20)
        finally:
            self._line.close()
            self._socket.close()
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()

    # --- What a reader does

    def opens(self, address: str) -> None:
        self.leaves_the_frame()
        self.does("WebDriver:Navigate", url=address)

    def finds(self, selector: str) -> str:
        """An element that is there or comes within some seconds, by a selector of CSS."""
        self.until(f"document.querySelector({json.dumps(selector)})")
        return str(self.does("WebDriver:FindElement", using="css selector", value=selector)[ELEMENT])

    def presses(self, selector: str) -> None:
        self.does("WebDriver:ElementClick", id=self.finds(selector))

    def types(self, selector: str, words: str) -> None:
        self.does("WebDriver:ElementSendKeys", id=self.finds(selector), text=words)

    def enters_the_frame(self, selector: str) -> None:
        self.does("WebDriver:SwitchToFrame", element=self.finds(selector))

    def leaves_the_frame(self) -> None:
        self.does("WebDriver:SwitchToFrame")

    def reads(self, expression: str, *arguments: Any) -> Any:
        """What an expression of JavaScript comes to on the page; `arguments` are the expression's."""
        return self.does("WebDriver:ExecuteScript", script=f"return ({expression})", args=list(arguments))

    def until(self, expression: str, seconds: float = 20) -> None:
        """Waits until something is true on the page, whichever page that is by then."""
        end = time.monotonic() + seconds
        while True:
            try:
                if self.reads(f"Boolean({expression})"):
                    return
            except WentWrong:
                # A page that is just being left.
                pass
            assert time.monotonic() < end, f"{expression} did not come true at {self.does('WebDriver:GetCurrentURL')}"
            time.sleep(0.05)

    def arrives(self, address: str) -> None:
        """Waits until the page is at an address that has this in it, and is loaded."""
        self.leaves_the_frame()
        self.until(f"location.href.includes({json.dumps(address)}) && document.readyState === 'complete'")

    def is_in_the(self, scheme: str) -> None:
        """Makes the reader's device `light` or `dark`."""
        self.does("Marionette:SetContext", value="chrome")
        dark = {"dark": 0, "light": 1}[scheme]
        self.reads(f"Services.prefs.setIntPref('layout.css.prefers-color-scheme.content-override', {dark})")
        self.does("Marionette:SetContext", value="content")

    def picture(self) -> str:
        """The whole page as it is painted, as a PNG in base64."""
        return str(self.does("WebDriver:TakeScreenshot", full=True))
