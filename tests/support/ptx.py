"""PTX, interpreted: what NVRTC made of a kernel, one thread after the other, on the host.

Each instruction becomes a line of Python over the bits of registers. An instruction that is not
in the tables below is an error, so that nothing is taken for something else: `.ftz`, `.approx`
and `fma` are in none of them.
"""

from __future__ import annotations

import ctypes
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from support import nvrtc

FLOATS: dict[str, tuple[type, type]] = {
    "f32": (np.uint32, np.float32),
    "f64": (np.uint64, np.float64),
}
COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
INTEGER = {
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "neg": "-{0}",
    "mul.lo": "{0} * {1}",
    "mul.wide": "{0} * {1}",
    "div": "{0} // {1}",  # of places, which are not negative
    "rem": "{0} % {1}",
    "mad.lo": "{0} * {1} + {2}",
    "mad.wide": "{0} * {1} + {2}",
    "min": "min({0}, {1})",
    "max": "max({0}, {1})",
    "shr": "{0} >> {1}",
    "shl": "{0} << {1}",
    "and": "{0} & {1}",
    "or": "{0} | {1}",
    "xor": "{0} ^ {1}",
    "not": "~{0}",
    "bfe": "{0} >> {1} & (1 << {2}) - 1",
    "bfi": "{1} & ~((1 << {3}) - 1 << {2}) | ({0} & (1 << {3}) - 1) << {2}",
    "mov": "{0}",
    "cvta.to.global": "{0}",
}
#: Rounded once to nearest-even, subnormals kept: what NumPy does to scalars of the type.
ROUNDED: dict[str, Callable[..., Any]] = {
    "add.rn": operator.add,
    "sub.rn": operator.sub,
    "mul.rn": operator.mul,
    "div.rn": operator.truediv,
    "sqrt.rn": np.sqrt,
}
LABEL = re.compile(r"(\$\w+):")


def rounded(name: str, kind: str, *operands: int) -> int:
    bits, real = FLOATS[kind]
    result = ROUNDED[name](*(bits(x).view(real) for x in operands))
    return int(real(result).view(bits))


def converted(to: str, kind: str, x: int) -> int:
    (to_bits, to_real), (bits, real) = FLOATS[to], FLOATS[kind]
    return int(to_real(bits(x).view(real)).view(to_bits))


def floating(x: int) -> int:
    """A signed integer as float64, rounded to nearest-even."""
    return int(np.float64(number("s64", x)).view(np.uint64))


def number(kind: str, x: int) -> Any:
    """The register's bits as a number of this type."""
    if kind in FLOATS:
        bits, real = FLOATS[kind]
        return bits(x).view(real)
    size = int(kind[1:])
    return x - (1 << size) if kind[0] == "s" and x >> (size - 1) else x


def load(address: int, size: int) -> int:
    return int.from_bytes(ctypes.string_at(address, size), "little")


def store(address: int, size: int, value: int) -> None:
    ctypes.memmove(address, value.to_bytes(8, "little"), size)


def _operand(text: str) -> str:
    if literal := re.fullmatch(r"0[fFdD]([0-9A-F]+)", text):
        return str(int(literal[1], 16))
    return text.replace("%", "").replace(".", "_")


def _address(text: str) -> str:
    base, plus, offset = text.strip("[]").partition("+")
    return f"({_operand(base)} {plus or '+'} {offset or 0})"


def _bits(kind: str) -> int:
    return 1 if kind == "pred" else int(kind[1:])


def translate(statement: str) -> str:
    """An instruction without its guard, as a line of Python."""
    opcode, _, rest = statement.partition(" ")
    vector = re.findall(r"\{(.*?)\}", rest)
    operands = [text.strip() for text in re.sub(r"\{.*?\}", "", rest).split(",") if text.strip()]
    name, _, kind = opcode.rpartition(".")
    if opcode == "ret":
        return "return"
    if opcode in ("bra", "bra.uni"):
        return f"block = {{{operands[0]}}}; continue"
    memory = re.fullmatch(r"(ld|st)(\.param)?(\.global)?(\.v[24])?", name)
    if memory:
        size = _bits(kind) // 8
        registers = [x.strip() for x in vector[0].split(",")] if vector else []
        place = operands[0] if vector or memory[1] == "st" else operands[1]
        if memory[1] == "ld":
            registers = registers or operands[:1]
            lines = (
                f"{_operand(register)} = load({_address(place)} + {i * size}, {size})"
                for i, register in enumerate(registers)
            )
        else:
            registers = registers or operands[1:]
            lines = (
                f"store({_address(place)} + {i * size}, {size},"
                f" {_operand(register)} & {(1 << 8 * size) - 1})"
                for i, register in enumerate(registers)
            )
        return "; ".join(lines)
    target, *sources = (_operand(text) for text in operands)
    if name == "atom.global.min" and kind == "s32":
        place, value = _address(operands[1]), f"number('s32', {sources[1]})"
        least = f"min(number('s32', {target}), {value}) & 0xffffffff"
        return f"{target} = load({place}, 4); store({place}, 4, {least})"
    if name in ROUNDED and kind in FLOATS:
        return f"{target} = rounded('{name}', '{kind}', {', '.join(sources)})"
    if opcode in ("cvt.f64.f32", "cvt.rn.f32.f64"):
        *_, to, kind = opcode.split(".")
        return f"{target} = converted('{to}', '{kind}', {sources[0]})"
    if opcode == "cvt.rn.f64.s64":
        return f"{target} = floating({sources[0]})"
    if integer := re.fullmatch(r"cvt\.([su]\d+)\.([su]\d+)", opcode):
        mask = (1 << _bits(integer[1])) - 1
        return f"{target} = number('{integer[2]}', {sources[0]}) & {mask}"
    if name.startswith("setp."):
        comparison = name.removeprefix("setp.")
        if kind in FLOATS and comparison != "lt":  # others differ from Python's for NaN
            raise ValueError(f"no such instruction: {statement}")
        sign = COMPARISONS[comparison]
        return (
            f"{target} = bool(number('{kind}', {sources[0]}) {sign} number('{kind}', {sources[1]}))"
        )
    if name == "selp":
        mask = (1 << _bits(kind)) - 1
        return f"{target} = ({sources[0]} if {sources[2]} else {sources[1]}) & {mask}"
    size = _bits(kind) * (2 if name.endswith(".wide") else 1)
    if kind[0] == "s":
        sources = [f"number('{kind}', ({x}) & {(1 << _bits(kind)) - 1})" for x in sources]
    if name not in INTEGER or (kind in FLOATS and name != "mov"):
        raise ValueError(f"no such instruction: {statement}")
    result = f"({INTEGER[name].format(*sources)}) & {(1 << size) - 1}"
    return f"{target} = bool({result})" if kind == "pred" else f"{target} = {result}"


class Kernel:
    """One entry function: its parameters' sizes, and a function of a thread's place."""

    def __init__(self, name: str, parameters: str, body: str) -> None:
        self.parameters = re.findall(rf"({name}_param_\d+)", parameters)
        blocks: list[list[str]] = [[]]
        labels: dict[str, str] = {}
        for piece in re.split(r"(\$\w+:)|;", body):
            statement = " ".join((piece or "").split()).lstrip("{} ")
            if label := LABEL.fullmatch(statement):
                labels[label[1]] = str(len(blocks))
                blocks.append([])
            elif statement and not statement.startswith("."):
                blocks[-1].append(statement)
        lines = [
            f"def run(ctaid_x, tid_x, {', '.join(self.parameters)}):",
            " block = 0",
            " while True:",
        ]
        for i, block in enumerate(blocks):
            lines.append(f"  if block == {i}:")
            for statement in block:
                guard = re.fullmatch(r"@(!?)%(\w+) (.*)", statement)
                line = translate(guard[3] if guard else statement)
                for label, number_ in labels.items():
                    line = line.replace(f"{{{label}}}", number_)
                condition = f"if {'not ' if guard[1] else ''}{guard[2]}: " if guard else ""
                lines.append(f"   {condition}{line}")
            lines.append(f"   block = {i + 1}")
        names: dict[str, Any] = {}
        exec(
            "\n".join(lines),
            {f.__name__: f for f in (load, store, number, rounded, converted, floating)},
            names,
        )
        self.run = names["run"]


def kernels(ptx: str) -> dict[str, Kernel]:
    ptx = re.sub(r"//.*", "", ptx)
    found = {}
    for entry in re.finditer(r"\.entry (\w+)\((.*?)\)[^{]*\{", ptx, re.DOTALL):
        depth, end = 1, entry.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(ptx[end], 0)
            end += 1
        found[entry[1]] = Kernel(entry[1], entry[2], ptx[entry.end() : end - 1])
    return found


class Module:
    """What NVRTC makes of a source for one architecture; launches as `emulation.Module` does."""

    def __init__(self, source: str, architecture: int) -> None:
        self._kernels = kernels(nvrtc.compile(source, architecture).ptx)

    def launch(
        self,
        name: str,
        grid: int,
        block: int,
        arguments: Sequence[bytes | np.generic | np.ndarray],
        *,
        backwards: bool = False,
    ) -> None:
        kernel = self._kernels[name]
        values = [x if isinstance(x, bytes) else x.tobytes() for x in arguments]
        buffers = [ctypes.create_string_buffer(value, len(value)) for value in values]
        addresses = [ctypes.addressof(buffer) for buffer in buffers]
        places = [(b, t) for b in range(grid) for t in range(block)]
        with np.errstate(all="ignore"):
            for b, t in reversed(places) if backwards else places:
                kernel.run(b, t, *addresses)
