"""NVRTC without a GPU: its library, from PyPI, through ctypes."""

from __future__ import annotations

import ctypes
import functools
import re
from dataclasses import dataclass
from importlib import util
from pathlib import Path

#: What CuPy adds for every RawModule (14.2, cupy/cuda/compiler.py), and what its users may add.
CUPY_FLAGS = ("--device-as-default-execution-space", "-ftz=true")
HARSH_FLAGS = ("--use_fast_math", *CUPY_FLAGS)


@dataclass(frozen=True)
class Usage:
    """What ptxas says of one kernel."""

    registers: int
    spill_bytes: int
    stack_bytes: int


@dataclass(frozen=True)
class Compiled:
    ptx: str
    usage: dict[str, Usage]


@functools.cache
def library() -> ctypes.CDLL | None:
    """NVRTC where `nvidia-cuda-nvrtc-cu12` is installed, else None."""
    spec = util.find_spec("nvidia.cuda_nvrtc") if util.find_spec("nvidia") else None
    for place in (spec.submodule_search_locations or []) if spec else []:
        for file in sorted(Path(place, "lib").glob("libnvrtc.so.*")):
            return ctypes.CDLL(str(file))
    return None


def _check(result: int) -> None:
    if result:
        nvrtc = library()
        assert nvrtc is not None
        nvrtc.nvrtcGetErrorString.restype = ctypes.c_char_p
        raise RuntimeError(f"NVRTC: {nvrtc.nvrtcGetErrorString(result).decode()}")


def version() -> str:
    nvrtc = library()
    assert nvrtc is not None
    major, minor = ctypes.c_int(), ctypes.c_int()
    _check(nvrtc.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)))
    return f"{major.value}.{minor.value}"


@functools.cache
def architectures() -> list[int]:
    """The architectures that this NVRTC compiles for, oldest first."""
    nvrtc = library()
    assert nvrtc is not None
    count = ctypes.c_int()
    _check(nvrtc.nvrtcGetNumSupportedArchs(ctypes.byref(count)))
    found = (ctypes.c_int * count.value)()
    _check(nvrtc.nvrtcGetSupportedArchs(found))
    return sorted(found)


def compile(source: str, architecture: int, flags: tuple[str, ...] = HARSH_FLAGS) -> Compiled:
    """Compile for a real architecture: to PTX and on to machine code."""
    nvrtc = library()
    assert nvrtc is not None
    program = ctypes.c_void_p()
    _check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernel.cu", 0, 0, 0))
    try:
        options = [*flags, f"-arch=sm_{architecture}", "--ptxas-options=-v"]
        encoded = (ctypes.c_char_p * len(options))(*[option.encode() for option in options])
        result = nvrtc.nvrtcCompileProgram(program, len(options), encoded)
        log = _text(program, "ProgramLog")
        if result:
            raise RuntimeError(f"NVRTC does not compile it:\n{log}")
        return Compiled(_text(program, "PTX"), _usage(log))
    finally:
        _check(nvrtc.nvrtcDestroyProgram(ctypes.byref(program)))


def _text(program: ctypes.c_void_p, what: str) -> str:
    nvrtc = library()
    size = ctypes.c_size_t()
    _check(getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size)))
    buffer = ctypes.create_string_buffer(size.value)
    _check(getattr(nvrtc, f"nvrtcGet{what}")(program, buffer))
    return buffer.value.decode()


def _usage(log: str) -> dict[str, Usage]:
    pattern = (
        r"Compiling entry function '(\w+)'.*?(\d+) bytes stack frame, (\d+) bytes spill stores, "
        r"(\d+) bytes spill loads.*?Used (\d+) registers"
    )
    return {
        name: Usage(int(registers), int(stores) + int(loads), int(stack))
        for name, stack, stores, loads, registers in re.findall(pattern, log, re.DOTALL)
    }
