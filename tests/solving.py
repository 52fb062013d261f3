"""Solves the task of a page as a browser does."""

import base64
import hashlib
import json
import re
from html import unescape
from typing import Any


def task_on(page: str) -> dict[str, Any] | None:
    """The task that a page asks for, if it asks for one."""
    found = re.search(r'<input[^>]*name="proof"[^>]*data-task="([^"]+)"', page)
    return json.loads(unescape(found[1])) if found else None


def solved(task: dict[str, Any]) -> str:
    """What the form sends for it."""
    for number in range(task["maxnumber"] + 1):
        if hashlib.sha256(f"{task['salt']}{number}".encode()).hexdigest() == task["challenge"]:
            return sent(task, number)
    raise AssertionError("no number solves the task")


def sent(task: dict[str, Any], number: Any, **changes: Any) -> str:
    told = {name: task[name] for name in ("algorithm", "challenge", "salt", "signature")} | {"number": number} | changes
    return base64.b64encode(json.dumps(told).encode()).decode()
