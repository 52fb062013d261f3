"""The doctor on this machine: files and who may read them, disks and their space, what settings are missing."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tracker.cli.doctor.findings import Finding
from tracker.settings import Settings

# Gifts need little; but a disk that is nearly full fills up with somebody else's log.
SPACE_WARNING, SPACE_ERROR = 1_000_000_000, 200_000_000

# File systems on which SQLite's log does not work: several machines would not see the same.
NETWORK = (
    "9p", "afs", "beegfs", "ceph", "cifs", "davfs", "fuse.ceph", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs",
    "fuse.sshfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs",
)  # fmt: skip


def findings(settings: Settings) -> Iterator[Finding]:
    from tracker.ledger import store

    files = store.files(settings.database_url)
    yield from _folder(settings.instance)
    yield from _secrets(settings)
    if files:
        yield from _database_file(files[0].resolve())
    yield from _owners([settings.instance / "secret_key", settings.instance / "tracker.env", *files])
    for folder in {settings.instance, *(file.resolve().parent for file in files[:1])}:
        if folder.is_dir():
            yield _space(folder)
    yield _contact(settings)


def _folder(folder: Path) -> Iterator[Finding]:
    if not folder.is_dir():
        yield Finding("error", "instance-folder", f"There is no instance folder {folder}: run “tracker init”.")
        return
    if open_to_others(folder):
        yield Finding("warning", "instance-folder", f"{folder} is readable by other users: run chmod 700 {folder}")
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        yield Finding("error", "instance-folder", f"Nothing can be written into {folder}: {error.strerror}.")
        return
    yield Finding("ok", "instance-folder", f"The instance folder is {folder}, and can be written.")


def open_to_others(path: Path) -> bool:
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def _secrets(settings: Settings) -> Iterator[Finding]:
    for file in (settings.instance / "tracker.env", settings.instance / "secret_key"):
        if file.exists() and open_to_others(file):
            yield Finding("error", "secret-files", f"{file} is readable by other users: run chmod 600 {file}")
    if settings.secret_key:
        yield Finding("ok", "secret-key", "There is a secret key.")
    else:
        yield Finding("error", "secret-key", "There is no secret key: run “tracker init”.")


def _database_file(file: Path) -> Iterator[Finding]:
    kind = file_system(file)
    if kind in NETWORK:
        yield Finding(
            "error",
            "database-disk",
            f"{file} is on a network file system ({kind}), where SQLite loses gifts: use a local disk, or PostgreSQL.",
        )
    elif kind:
        yield Finding("ok", "database-disk", f"{file} is on a local disk ({kind}).")
    else:
        yield Finding("warning", "database-disk", f"Check that {file} is on a local disk: this system does not say.")
    if file.exists() and open_to_others(file) and open_to_others(file.parent):
        yield Finding("warning", "database-file", f"{file} is readable by other users: run chmod 600 {file}")
    if file.exists() and not file.stat().st_mode & stat.S_IWUSR:
        yield Finding("error", "database-file", f"{file} cannot be written even by its owner: run chmod 600 {file}")


def _owners(files: list[Path]) -> Iterator[Finding]:
    """Files that a command made as another user: the server may read them and not write them, or not even read them."""
    for file in files:
        if file.exists() and file.stat().st_uid != (owner := file.parent.stat().st_uid):
            yield Finding(
                "error",
                "file-owner",
                f"{file} belongs to {_user(file.stat().st_uid)} and its folder to {_user(owner)}, who cannot write it: "
                f"run chown {_user(owner)} {file}",
            )


def _user(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _space(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    left = f"{free / 1e9:.1f} GB are left on the disk of {folder}"
    if free < SPACE_ERROR:
        return Finding("error", "disk-space", f"{left}: soon no gift can be written.")
    if free < SPACE_WARNING:
        return Finding("warning", "disk-space", f"{left}: make room.")
    return Finding("ok", "disk-space", f"{left}.")


def _contact(settings: Settings) -> Finding:
    if settings.contact:
        return Finding("ok", "contact", f"Supporters write to {settings.contact}.")
    return Finding("warning", "contact", "Supporters have nobody to write to: set TRACKER_CONTACT.")


def file_system(path: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """The kind of the file system that a path is on, such as `ext4`; nothing where that cannot be told."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    found, longest = "", -1
    for line in lines:
        _, place, kind, *_ = line.split(" ")
        # Spaces and the like are written as octal numbers.
        mounted = Path(place.encode().decode("unicode_escape"))
        # Of two on the same place the later one is on top.
        if path.is_relative_to(mounted) and len(mounted.parts) >= longest:
            found, longest = kind, len(mounted.parts)
    return found
