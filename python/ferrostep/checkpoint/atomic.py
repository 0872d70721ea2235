"""Replacing a file so that there is always a whole one: the old or the new.

The new file is made in a folder of its own beside the target, since the safetensors library writes
through a temporary file of its own that a killed process would leave behind. The folder is locked
while its maker lives, so that the next save can tell what a killed one has left, and removes it.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ferrostep.checkpoint.paths import named_as

try:
    import fcntl
except ImportError:  # Windows: what a killed process has left stays
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".tmp"


@contextmanager
def replacing(path: str) -> Iterator[Path]:
    """Give a path to write to; what is there at the end takes the place of `path`.

    A symbolic link stays and its target is replaced; an old file's permissions stay. After an
    error the old file is as it was and nothing is left beside it.
    """
    target = Path(os.path.realpath(path))
    with named_as(path):
        mode = _mode(target, path)
        prefix = f".ferrostep-{zlib.crc32(os.fsencode(target.name)):08x}-"
        _sweep(target.parent, prefix)
        folder, lock = _locked_folder(target.parent, prefix)
        try:
            new = folder / "new"
            new.touch()
            if mode is None:  # what the process gives to new files
                mode = stat.S_IMODE(new.stat().st_mode)
            yield new
            with new.open("r+b") as file:
                os.fsync(file.fileno())
            new.chmod(mode)
            new.replace(target)
            _sync_folder(target.parent)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            if lock is not None:
                os.close(lock)


def _mode(target: Path, path: str) -> int | None:
    """The permissions of the file that will be replaced, which must be one that may be."""
    try:
        found = target.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found):
        raise IsADirectoryError(f"cannot save to {path!r}: it is a folder, wanted a regular file")
    if not stat.S_ISREG(found):  # renaming would replace a device by a file
        raise ValueError(
            f"cannot save to {path!r}: it is a device, pipe or socket, wanted a regular file"
        )
    if not os.access(target, os.W_OK):
        raise PermissionError(f"cannot save to {path!r}: it is write-protected, wanted writable")
    return stat.S_IMODE(found)


def _locked_folder(parent: Path, prefix: str) -> tuple[Path, int | None]:
    while True:
        folder = Path(tempfile.mkdtemp(SUFFIX, prefix, parent))
        lock = _lock(folder, wait=True)
        # A save of the same file may have taken it for abandoned before the lock was held.
        if folder.exists():
            return folder, lock
        if lock is not None:
            os.close(lock)


def _lock(folder: Path, *, wait: bool) -> int | None:
    """Lock the folder and return the descriptor that holds the lock; None if that fails."""
    if fcntl is None:
        return None
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # held, or a file system without such locks
        os.close(descriptor)
        return None
    return descriptor


def _sweep(parent: Path, prefix: str) -> None:
    """Remove what saves of the same file have left that were killed."""
    for folder in parent.glob(f"{prefix}*{SUFFIX}"):
        lock = _lock(folder, wait=False)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _sync_folder(folder: Path) -> None:
    """Make the new name outlast a loss of power; Windows has no such call."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems refuse; the file itself is on disk
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
