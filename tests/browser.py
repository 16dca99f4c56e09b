"""Chromium, spoken to by its DevTools protocol over two pipes: what is measured here is what people see."""

import fcntl
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.programs import PATIENCE, readable

# The sandbox of the browser's own needs rights that a container lacks; only pages of ours on loopback are opened.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--hide-scrollbars",
    "--no-first-run",
    "--no-proxy-server",
    "--remote-debugging-pipe",
)


class Browser:
    """One tab of a running browser."""

    def __init__(self, commands: int, messages: int) -> None:
        self._commands = commands
        self._messages = messages
        self._number = 0
        self._read = b""
        self._session = ""
        target = self._send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._send("Page.enable")

    def window(self, width: int, height: int, *, scheme: str, phone: bool = False) -> None:
        """Show pages in so many pixels of CSS, in the colour scheme that the reader prefers."""
        metrics = {"width": width, "height": height, "mobile": phone, "deviceScaleFactor": 1}
        self._send("Emulation.setDeviceMetricsOverride", **metrics)
        self._send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def open(self, url: str) -> None:
        """Go to a page, and wait until it is loaded."""
        said = self._send("Page.navigate", url=url)
        assert not said.get("errorText"), said
        self._loaded()

    def follow(self, script: str) -> None:
        """Do by a script what a reader does to come to another page, and wait until that is loaded."""
        self.tell(script)
        self._loaded()

    def tell(self, script: str) -> Any:
        """Return the value of an expression on the page."""
        said = self._send("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    def _loaded(self) -> None:
        while self._receive().get("method") != "Page.loadEventFired":
            pass
        self._send("Page.stopLoading")  # and no refresh of its own comes between

    def _send(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while (said := self._receive()).get("id") != self._number:
            pass
        assert "error" not in said, said
        result: dict[str, Any] = said["result"]
        return result

    def _receive(self) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while b"\0" not in self._read:
            assert readable(self._messages, end), f"the browser says nothing for {PATIENCE:.0f} s"
            part = os.read(self._messages, 1 << 20)
            assert part, "the browser has ended"
            self._read += part
        message, _, self._read = self._read.partition(b"\0")
        said: dict[str, Any] = json.loads(message)
        return said


@contextmanager
def browsing(program: str, folder: Path) -> Iterator[Browser]:
    """Run the browser, with a profile in a folder, until the block ends."""
    (read_command, commands), (messages, write_message) = os.pipe(), os.pipe()
    # It reads commands from its descriptor 3 and answers on 4, which may be other ones here.
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (read_command, write_message)]
    script = f'exec "$0" "$@" 3<&{ends[0]} 4>&{ends[1]}'
    command = ["bash", "-c", script, program, *FLAGS, f"--user-data-dir={folder}"]
    with (folder / "browser.log").open("wb") as log:
        process = subprocess.Popen(command, pass_fds=ends, stdout=log, stderr=log, cwd=folder)
    for end in (read_command, write_message, *ends):
        os.close(end)
    try:
        yield Browser(commands, messages)
    finally:
        os.close(commands)  # which ends it
        os.close(messages)
        process.terminate()
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()
