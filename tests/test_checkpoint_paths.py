"""Paths that are none, and files that are no regular ones: refused at once, and none is touched."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from support import programs

POSIX = os.name == "posix"


@pytest.mark.parametrize("bad", [True, False, 0, 7, None, 1.5, [], np.int64(1)], ids=repr)
def test_what_is_no_path(bad: Any, tmp_path: Path) -> None:
    opt = fs.SGD([np.ones(2)])
    for call in (opt.load, opt.save, fs.load_checkpoint, fs.save_checkpoint):
        with pytest.raises(TypeError, match=r"path must be a str or an os\.PathLike, found"):
            call(bad)


def test_a_descriptor_is_refused_and_stays_open(tmp_path: Path) -> None:
    opt = fs.SGD([np.ones(2)])
    opt.save(tmp_path / "f")
    with (tmp_path / "f").open("rb") as file:
        for call in (opt.load, opt.save, fs.load_checkpoint, fs.save_checkpoint):
            with pytest.raises(TypeError, match="path must be"):
                call(file.fileno())
        assert len(file.read(1)) == 1
    code = """
import numpy as np, ferrostep as fs
for call in (fs.load_checkpoint, fs.save_checkpoint):
    try:
        call(True)
    except TypeError:
        print("refused")
"""
    assert programs.output(code) == ["refused", "refused"]  # on standard output, which is 1


def test_odd_paths(tmp_path: Path) -> None:
    opt = fs.SGD([np.ones(2)])
    for call in (opt.load, opt.save):
        with pytest.raises(ValueError, match=r"null character, found 'a.x00b'"):
            call("a\0b")
        with pytest.raises(OSError, match="too long"):
            call(str(tmp_path / ("n" * 300)))
    opt.save(os.fsencode(tmp_path / "f"))
    opt.load(os.fsencode(tmp_path / "f"))
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


@pytest.mark.skipif(not POSIX, reason="pipes, sockets and devices")
@pytest.mark.parametrize(
    "kind", ["pipe", "link to a pipe", "socket", "/dev/zero", "/dev/null", "folder"]
)
def test_what_is_no_regular_file(kind: str, tmp_path: Path) -> None:
    code = f"""
import os, sys, socket, numpy as np, ferrostep as fs
kind, path = {kind!r}, "odd"
os.chdir({str(tmp_path)!r})
if "pipe" in kind:
    os.mkfifo("pipe")
    os.symlink("pipe", path)
    path = "pipe" if kind == "pipe" else path
elif kind == "socket":
    socket.socket(socket.AF_UNIX).bind(path)
elif kind == "folder":
    os.mkdir(path)
else:
    path = kind
opt = fs.SGD([np.ones(2)])
for call in (opt.load, opt.save):
    try:
        call(path)
    except (ValueError, IsADirectoryError) as error:
        text = str(error)
        print(repr(path) in text, "wanted a regular file" in text)
"""
    assert programs.output(code, timeout=60) == ["True True"] * 2


@pytest.mark.skipif(not POSIX, reason="pipes and sockets")
@pytest.mark.parametrize("kind", ["pipe", "folder", "socket"])
def test_what_takes_the_place_of_the_file(kind: str, tmp_path: Path) -> None:
    """Between a look at it and its opening: to open a pipe would wait for ever."""
    make = {
        "pipe": "os.mkfifo(path)",
        "folder": "os.mkdir(path)",
        "socket": "socket.socket(socket.AF_UNIX).bind(path)",
    }[kind]
    code = f"""
import os, socket, numpy as np, ferrostep as fs
os.chdir({str(tmp_path)!r})
path, opt, real = "f", fs.SGD([np.ones(2)]), os.stat
opt.save(path)
def stat(given, *arguments, **options):
    found = real(given, *arguments, **options)
    if given == path:
        os.stat = real
        os.replace(path, "old")
        {make}
    return found
os.stat = stat
try:
    opt.load(path)
except (ValueError, OSError) as error:
    print(type(error).__name__)
"""
    wanted = {"pipe": "ValueError", "folder": "IsADirectoryError", "socket": "OSError"}
    assert programs.output(code, timeout=60) == [wanted[kind]]


def test_errors_name_the_path_as_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    opt = fs.SGD([np.ones(2)])
    Path("file").write_bytes(b"")
    for path, error in (
        ("missing/f", FileNotFoundError),
        ("./missing/deeper/f", FileNotFoundError),
        ("file/f", NotADirectoryError),
        ("n" * 300, OSError),
    ):
        for call in (opt.save, opt.load):
            with pytest.raises(error) as caught:
                call(path)
            assert caught.value.filename == path
            assert ".tmp" not in str(caught.value)
    with pytest.raises(IsADirectoryError, match=r"cannot save to '\.'"):
        opt.save(".")
    if POSIX:
        os.symlink("loop", "loop")
        with pytest.raises(OSError, match="'loop'") as caught:
            opt.save("loop")
        assert caught.value.filename == "loop"
