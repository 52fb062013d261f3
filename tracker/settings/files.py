"""The files in the instance folder that settings are read from and written to: tracker.env and secret_key."""

import os
import re
import secrets
import stat
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from tracker.settings.names import NAMES
from tracker.settings.values import SettingsError


def read_env_file(path: Path) -> dict[str, str]:
    """`NAME=value` lines; `#` begins a comment line; quotes around a value are taken off."""
    values = {}
    for number, line in enumerate(text_of(path).splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, text = line.strip().removeprefix("export ").partition("=")
        name = name.strip()
        if not equals:
            raise SettingsError(f"Line {number} of {path} is not a setting: write NAME=value.")
        if name not in NAMES:
            near = get_close_matches(name, NAMES, 1)
            raise SettingsError(f"{name} in {path} is not a setting" + (f": did you mean {near[0]}?" if near else "."))
        if name == "TRACKER_INSTANCE":
            raise SettingsError(f"TRACKER_INSTANCE cannot be set in {path}, which lies in that folder: set it outside.")
        text = text.strip()
        values[name] = text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text
    return values


def text_of(path: Path) -> str:
    """The text of a file in the instance folder; nothing where there is none."""
    try:
        # Some editors begin a file with a mark that is no part of its first name.
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not written in UTF-8: save it again as plain UTF-8 text.") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None


def make_private(paths: Iterable[Path]) -> list[Path]:
    """Takes others' rights to these files and folders away, where they are there and ours; returns those that had any."""
    changed = []
    for path in paths:
        try:
            mode = path.stat().st_mode
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                path.chmod(stat.S_IMODE(mode) & stat.S_IRWXU)
                changed.append(path)
        except OSError:
            # Not there, or another account's: the doctor says so.
            continue
    return changed


def make_secret_key(instance: Path) -> bool:
    """Makes the secret key file unless it is there; says whether it did."""
    file = instance / "secret_key"
    if file.exists():
        return False
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        opened.write(secrets.token_urlsafe(48) + "\n")
    return True


def keep_webhook_secret(instance: Path, secret: str) -> Path:
    """Writes a signing secret into `tracker.env`, which only its owner can read then; returns the file.

    Before one that is there already, which may still sign what is on its way.
    """
    before = read_env_file(_env_file(instance)).get("STRIPE_WEBHOOK_SECRET", "")
    return _keep(instance, "STRIPE_WEBHOOK_SECRET", secret + (f",{before}" if before else ""))


def keep_portal_login(instance: Path, address: str) -> Path:
    """Writes the address of the portal's login page into `tracker.env`, in place of one that is there; returns the file."""
    return _keep(instance, "TRACKER_PORTAL_LOGIN_URL", address)


def _env_file(instance: Path) -> Path:
    return (instance / "tracker.env").resolve()


def _keep(instance: Path, name: str, value: str) -> Path:
    file = _env_file(instance)
    lines = text_of(file).splitlines()
    # The line that “tracker init” wrote and commented out becomes the setting, or the one that is there.
    is_set = re.compile(rf"\s*(export\s+)?{name}\s*=.*")
    is_example = re.compile(rf"\s*#\s*{name}\s*=\s*(\"\"|'')?\s*")
    places = [number for number, line in enumerate(lines) if is_set.fullmatch(line)]
    places = places or [number for number, line in enumerate(lines) if is_example.fullmatch(line)]
    if places:
        # The last one counts when a name is there twice.
        lines[places[-1]] = f"{name}={value}"
    else:
        lines.append(f"{name}={value}")
    _replace(file, "\n".join(lines) + "\n")
    return file


def _replace(file: Path, text: str) -> None:
    """The new text or the old one, whenever the power goes; readable by whoever owned the file, and nobody else."""
    new = file.with_name(file.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        os.fchmod(opened.fileno(), 0o600)
        if file.exists() and os.geteuid() == 0:
            os.fchown(opened.fileno(), file.stat().st_uid, file.stat().st_gid)
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(file)
