"""The safetensors file: written by the safetensors library, read with every length checked.

It is read here and not by the library, so that all comes from one open file (another may take its
name meanwhile), goes straight into its array, and a repeated key is refused.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import FileIO
from itertools import chain
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ferrostep.backends import cuda
from ferrostep.checkpoint.atomic import replacing
from ferrostep.checkpoint.values import MAX_DEPTH, MAX_DIGITS, too_deep
from ferrostep.params import adopted

Array = NDArray[Any]

#: NumPy's names by those of the format.
DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "U32": "uint32",
    "I32": "int32",
    "U64": "uint64",
    "I64": "int64",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
}
ITEMSIZES = {"bool": 1, "bfloat16": 2} | {
    name: np.dtype(name).itemsize for name in DTYPES.values() if name != "bfloat16"
}
#: The library's own limit.
MAX_HEADER = 100_000_000
#: What is read of JSON: a value of `values.MAX_DEPTH` takes up to three levels for each of its own,
#: and lies at most eight levels deep.
MAX_LEVELS = 3 * MAX_DEPTH + 8


def check_storable(array: Any, what: str) -> None:
    """Refuse what is no array of the host or a device, and what the format has no type for."""
    if adopted(array) is None and type(array) not in (np.ndarray, np.memmap):
        raise TypeError(f"{what} must be a NumPy or CuPy array, found {type(array).__name__}")
    if array.dtype.name not in ITEMSIZES:
        raise TypeError(f"{what} has dtype {array.dtype}, wanted one of {', '.join(ITEMSIZES)}")


def storable(array: Any, what: str) -> Array:
    """Return the array if the format has its type; what is on a device is copied."""
    check_storable(array, what)
    return array if adopted(array) is None else cuda.to_host(array)


def write(path: str, arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """Write the file in one go; arrays that lie in C order are not copied."""
    try:
        from safetensors import SafetensorError
        from safetensors.numpy import save_file
    except ImportError as error:
        raise ImportError(
            "saving checkpoints needs safetensors; pip install ferrostep[checkpoint]"
        ) from error
    # The library writes memory as it lies, whatever the strides say.
    plain = {
        name: np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
        for name, array in arrays.items()
    }
    with replacing(path) as new:
        try:
            save_file(plain, new, dict(metadata))
        except SafetensorError as error:
            raise _refused(str(error), path) from error


def _refused(message: str, path: str) -> Exception:
    """What the library's error is: it tells an operating system's one in its text alone."""
    code = re.search(r"\(os error (\d+)\)", message)
    if code is None:
        kind = OSError if "I/O error" in message else ValueError  # as a header that is too large
        return kind(f"cannot save to {path!r}: {message}")
    number = int(code[1])
    if os.name == "nt":
        return OSError(0, message, path, number)
    return OSError(number, os.strerror(number), path)


@dataclass(frozen=True)
class Tensor:
    """Where an array lies in the file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class Container:
    """An open safetensors file whose header is valid: all its bytes belong to one tensor each."""

    def __init__(self, file: FileIO) -> None:
        self._file = file
        size = os.fstat(file.fileno()).st_size
        if size < 8:
            raise ValueError(f"the file has {size} bytes, wanted at least 8 of a safetensors file")
        length = int.from_bytes(file.read(8), "little")
        if length > min(size - 8, MAX_HEADER):
            raise ValueError(
                f"the header's length must be at most {min(size - 8, MAX_HEADER)} in a file of "
                f"{size} bytes, found {length}: truncated, or no safetensors file"
            )
        self._start = 8 + length
        header = parse(_text(file.read(length)), "the header")
        if not isinstance(header, dict):
            raise ValueError(f"the header must be a JSON object, found {header!r:.80}")
        found = header.pop("__metadata__", {})
        if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
            raise ValueError(
                f"the header's __metadata__ must have strings only, found {found!r:.80}"
            )
        self.metadata: dict[str, str] = found
        self.tensors = {name: _tensor(name, entry) for name, entry in header.items()}
        end = 0
        for name, tensor in sorted(self.tensors.items(), key=lambda i: (i[1].begin, i[1].end)):
            if tensor.begin != end:
                raise ValueError(f"tensor {name!r} begins at {tensor.begin}, wanted {end}")
            end = tensor.end
        if self._start + end != size:
            wanted = f"{self._start + end} by its header"
            raise ValueError(f"the file has {size} bytes, wanted {wanted}")

    def read(self, name: str) -> Array:
        """Read one array into memory of its own."""
        tensor = self.tensors[name]
        array = np.empty(tensor.shape, dtype=_dtype(tensor.dtype))
        if array.size:
            memory = memoryview(array.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
            self._file.seek(self._start + tensor.begin)
            # One call may read less than asked for: Linux stops at 2 GiB.
            done = 0
            while done < len(memory):
                count = self._file.readinto(memory[done:])
                if not count:
                    raise ValueError(f"the file ends within tensor {name!r}: it was changed")
                done += count
        if tensor.dtype == "bool" and array.size and array.view(np.uint8).max() > 1:
            found = array.view(np.uint8).max()
            raise ValueError(f"the booleans of tensor {name!r} must be 0 or 1, found {found}")
        return array


class Unread:
    """An array in the file: shape and dtype are known, and it is read when it is asked for."""

    def __init__(self, file: Container, name: str) -> None:
        self._file, self._name = file, name

    @property
    def shape(self) -> tuple[int, ...]:
        return self._file.tensors[self._name].shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return _dtype(self._file.tensors[self._name].dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return self._file.read(self._name)  # NumPy converts it if it must

    def __deepcopy__(self, _: Any) -> Array:
        return self._file.read(self._name)


def parse(text: str, what: str) -> Any:
    """Read JSON in which no key comes twice and every number is one that JSON has, too."""

    def unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            (twice, _), *_ = Counter(key for key, _ in pairs).most_common(1)
            raise ValueError(f"{what} has the key {twice!r:.200} twice")
        return made

    def integer(digits: str) -> int:
        if len(digits) > MAX_DIGITS:  # CPython's own limit can be switched off
            found = f"{what} has an integer of {len(digits)} digits"
            raise ValueError(f"{found}, wanted at most {MAX_DIGITS}")
        return int(digits)

    def number(digits: str) -> float:
        if math.isinf(found := float(digits)):  # which would be no JSON when it is written again
            raise ValueError(f"{what} must have numbers of float64, found {digits:.80}")
        return found

    def refuse(word: str) -> NoReturn:
        raise ValueError(f"{what} must be JSON, found {word} in it")

    try:
        found = json.loads(
            text,
            object_pairs_hook=unique,
            parse_int=integer,
            parse_float=number,
            parse_constant=refuse,
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"{what} must be JSON, found what is none: {error}") from error
    except RecursionError:
        raise too_deep(what, MAX_LEVELS) from None
    level: list[Any] = [found]
    for _ in range(MAX_LEVELS):
        inside = [v for v in level if isinstance(v, dict | list)]
        level = list(chain.from_iterable(v.values() if isinstance(v, dict) else v for v in inside))
        if not level:
            return found
    # What goes through it, printing it in an error included, may do so by recursion.
    raise too_deep(what, MAX_LEVELS)


def _text(header: bytes) -> str:
    if not header.startswith(b"{"):
        raise ValueError(f"the header must begin with '{{', found {header[:8]!r}")
    try:
        return header.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"the header must be UTF-8, found other bytes: {error}") from error


def _tensor(name: str, entry: Any) -> Tensor:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(
            f"tensor {name!r} must have a dtype, a shape and data_offsets, found {entry!r:.80}"
        )
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        wanted = ", ".join(DTYPES)
        raise ValueError(f"tensor {name!r} has the unknown dtype {dtype!r}, wanted one of {wanted}")
    # 64 is the most that NumPy has.
    if not _lengths(shape) or len(shape) > 64:
        raise ValueError(
            f"the shape of tensor {name!r} must be a list of up to 64 sizes, found {shape!r:.80}"
        )
    if not _lengths(offsets) or len(offsets) != 2:
        raise ValueError(
            f"the data_offsets of tensor {name!r} must be two positions, found {offsets!r:.80}"
        )
    begin, end = offsets
    size = math.prod(shape) * ITEMSIZES[DTYPES[dtype]]
    if end - begin != size:
        raise ValueError(f"tensor {name!r} has {end - begin} bytes, wanted {size} by its shape")
    return Tensor(DTYPES[dtype], tuple(shape), begin, end)


def _lengths(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 2**63 for n in value)


def _dtype(name: str) -> np.dtype[Any]:
    if name != "bfloat16":
        little: np.dtype[Any] = np.dtype(name).newbyteorder("<")
        return little
    try:
        import ml_dtypes
    except ImportError as error:
        raise ImportError(
            "this checkpoint has bfloat16 arrays; pip install ferrostep[bfloat16]"
        ) from error
    bfloat16: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    return bfloat16
