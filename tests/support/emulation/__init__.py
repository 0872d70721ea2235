"""CUDA kernels on the host: the very source, compiled by the C++ compiler, run thread by thread.

It holds for kernels whose threads share nothing (no shared memory, barriers or shuffles), which is
all that this library has.  The host's primitives stand in the source itself, beside the PTX.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

HOST = Path(__file__).with_name("host.hpp")
# Contraction is off by default on x86-64 only; the optimisation level changes no bit.
FLAGS = ["-std=c++14", "-O1", "-ffp-contract=off", "-fno-strict-aliasing", "-shared", "-fPIC", "-w"]
COMPILER = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
CACHE = Path(tempfile.gettempdir()) / f"ferrostep-emulation-{os.getuid()}"

_KERNEL = re.compile(r'extern "C" __global__ void\s+(?:__launch_bounds__\([\w, ]+\)\s+)?(\w+)\(')
_MOST_ARGUMENTS = 32


class Module:
    """The compiled kernels of one source."""

    def __init__(self, library: Path, kernels: tuple[str, ...]) -> None:
        self._library = ctypes.CDLL(str(library))
        self.kernels = kernels

    def launch(
        self,
        name: str,
        grid: int,
        block: int,
        arguments: Sequence[bytes | np.generic | np.ndarray],
        *,
        backwards: bool = False,
    ) -> None:
        """Run a kernel with these arguments: each the bytes of a value as the kernel takes it."""
        if name not in self.kernels:
            raise ValueError(f"no kernel is called {name!r}; there are {self.kernels}")
        if not (1 <= grid < 2**31 and 1 <= block <= 1024):
            raise ValueError(f"a grid of {grid} blocks of {block} threads cannot be launched")
        values = [x if isinstance(x, bytes) else x.tobytes() for x in arguments]
        sizes = (ctypes.c_uint * _MOST_ARGUMENTS)()
        count = getattr(self._library, f"sizes_{name}")(sizes)
        if (found := [len(value) for value in values]) != (wanted := list(sizes[:count])):
            raise TypeError(f"{name} takes arguments of {wanted} bytes, not {found}")
        buffers = [ctypes.create_string_buffer(value, len(value)) for value in values]
        pointers = (ctypes.c_void_p * len(buffers))(*map(ctypes.addressof, buffers))
        launch = getattr(self._library, f"launch_{name}")
        launch(ctypes.c_uint(grid), ctypes.c_uint(block), pointers, ctypes.c_bool(backwards))


@functools.cache
def compile(source: str) -> Module:
    """Compile a source, or find what an earlier run compiled."""
    kernels = tuple(_KERNEL.findall(source))
    if not kernels:
        raise ValueError("the source has no kernel")
    exported = "".join(
        f'extern "C" void launch_{name}(unsigned grid, unsigned block, void** arguments,'
        f" bool backwards) {{ launch({name}, grid, block, arguments, backwards); }}\n"
        f'extern "C" unsigned sizes_{name}(unsigned* to) {{ return sizes({name}, to); }}\n'
        for name in kernels
    )
    text = f"{HOST.read_text()}\n#line 1\n{source}\n{exported}"
    if COMPILER is None:
        raise RuntimeError("no C++ compiler was found (g++ or clang++, or the variable CXX)")
    key = hashlib.sha256("\0".join([COMPILER, *FLAGS, text]).encode()).hexdigest()
    library = CACHE / f"{key[:32]}.so"
    if not library.exists():
        CACHE.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            file, built = Path(folder, "kernel.cpp"), Path(folder, "kernel.so")
            file.write_text(text)
            command = [COMPILER, *FLAGS, "-o", str(built), str(file)]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
            if done.returncode:
                raise RuntimeError(f"{' '.join(command)}\n{done.stderr}")
            built.replace(library)
    return Module(library, kernels)
