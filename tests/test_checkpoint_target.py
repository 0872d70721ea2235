"""What a checkpoint is saved to: permissions, links, devices, and the file that was there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import pytest

from support.arrays import assert_same_state
from support.checkpoints import names, optimizer

POSIX = os.name == "posix"


@pytest.mark.skipif(not POSIX, reason="permissions")
def test_permissions(tmp_path: Path) -> None:
    path = tmp_path / "f"
    opt = optimizer()
    before = os.umask(0o027)
    try:
        opt.save(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640  # as any new file
    path.chmod(0o604)
    opt.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604  # as the old one


@pytest.mark.skipif(not POSIX or os.getuid() == 0, reason="root may write anywhere")
def test_a_write_protected_checkpoint_stays(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    path.chmod(0o444)
    with pytest.raises(PermissionError):
        optimizer().save(path)
    assert path.read_bytes() == b"old"


@pytest.mark.skipif(not POSIX, reason="symbolic links")
def test_a_symbolic_link_stays(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to("real/f")
    for _ in range(2):  # at first it leads nowhere
        optimizer().save(link)
        assert link.is_symlink()
        assert names(tmp_path) == ["link", "real"]
        assert names(tmp_path / "real") == ["f"]
    optimizer().load(link)


@pytest.mark.skipif(not POSIX, reason="devices")
def test_targets_that_are_no_files(tmp_path: Path) -> None:
    opt = optimizer()
    with pytest.raises(ValueError, match="it is a device, pipe or socket, wanted a regular file"):
        opt.save("/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    with pytest.raises(IsADirectoryError):
        opt.save(tmp_path)
    with pytest.raises(FileNotFoundError):
        opt.save(tmp_path / "missing" / "f")
    assert names(tmp_path) == []


def test_kinds_of_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    opt = optimizer()
    for path in ("f", Path("g"), "é" * 100):
        opt.save(path)
        other = optimizer(value=5.0)
        other.load(path)
        assert_same_state(other, opt)
    assert len(names(tmp_path)) == 3


def test_an_exception_in_the_middle_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    opt = optimizer()
    opt.save(path)
    old = path.read_bytes()
    opt.step([np.ones(100, np.float32)])

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        opt.save(path)
    assert path.read_bytes() == old
    assert names(tmp_path) == ["f"]
