"""The safetensors file: written by the safetensors library, read with every length checked.

It is read here and not by the library, so that all comes from one open file (another may take its
name meanwhile), goes straight into its array, and a repeated key is refused.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import FileIO
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ferrostep.backends import cuda
from ferrostep.checkpoint.atomic import replacing
from ferrostep.params import on_device

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


def storable(array: Any, what: str) -> Array:
    """Return the array if the format has its type; what is on a device is copied."""
    if on_device(array):
        array = cuda.to_host(array)
    if type(array) not in (np.ndarray, np.memmap):
        raise TypeError(f"{what} must be a NumPy or CuPy array, found {type(array).__name__}")
    if array.dtype.name not in ITEMSIZES:
        raise TypeError(f"{what} has dtype {array.dtype}, which a checkpoint cannot hold")
    return array  # type: ignore[no-any-return]


def write(
    path: str | os.PathLike[str], arrays: Mapping[str, Array], metadata: Mapping[str, str]
) -> None:
    """Write the file in one go; arrays that lie in C order are not copied."""
    try:
        from safetensors import SafetensorError
        from safetensors.numpy import save_file
    except ImportError as error:
        raise ImportError(
            "saving checkpoints needs safetensors: pip install ferrostep[checkpoint]"
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
            raise _os_error(str(error), path) from error


def _os_error(message: str, path: str | os.PathLike[str]) -> OSError:
    """The library tells the number of an operating system's error in its text alone."""
    code = re.search(r"\(os error (\d+)\)", message)
    if code is None:
        return OSError(f"cannot save to {os.fspath(path)!r}: {message}")
    number = int(code[1])
    if os.name == "nt":
        return OSError(0, message, os.fspath(path), number)
    return OSError(number, os.strerror(number), os.fspath(path))


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
            raise ValueError(f"{size} bytes are no safetensors file")
        length = int.from_bytes(file.read(8), "little")
        if length > min(size - 8, MAX_HEADER):
            raise ValueError(
                f"the header's length is {length} in a file of {size} bytes "
                f"(at most {MAX_HEADER}): truncated, or no safetensors file"
            )
        self._start = 8 + length
        header = parse(_text(file.read(length)), "the header")
        if not isinstance(header, dict):
            raise ValueError("the header is no JSON object")
        found = header.pop("__metadata__", {})
        if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
            raise ValueError("the header's __metadata__ must have strings only")
        self.metadata: dict[str, str] = found
        self.tensors = {name: _tensor(name, entry) for name, entry in header.items()}
        end = 0
        for name, tensor in sorted(self.tensors.items(), key=lambda i: (i[1].begin, i[1].end)):
            if tensor.begin != end:
                raise ValueError(f"tensor {name!r} begins at {tensor.begin}, wanted {end}")
            end = tensor.end
        if self._start + end != size:
            raise ValueError(f"the file has {size} bytes, the header tells of {self._start + end}")

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
            raise ValueError(f"tensor {name!r} has booleans that are neither 0 nor 1")
        return array


def open_regular(path: str | os.PathLike[str]) -> FileIO:
    """Open what can be a checkpoint: a folder cannot, and a pipe would wait for ever."""
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise ValueError(f"{os.fspath(path)!r} is no checkpoint: it is {kind}")
    return FileIO(path)


def parse(text: str, what: str) -> Any:
    """Read JSON in which no key comes twice and no number is a NaN."""

    def unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ValueError(f"{what} has the key {twice!r} twice")
        return made

    def refuse(word: str) -> NoReturn:
        raise ValueError(f"{what} is no JSON: it has {word}")

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise ValueError(f"{what} is no JSON: {error}") from error
    except RecursionError:
        raise ValueError(f"{what} is nested too deeply") from None


def _text(header: bytes) -> str:
    if not header.startswith(b"{"):
        raise ValueError("the header does not begin with '{': no safetensors file")
    try:
        return header.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"the header is no UTF-8: {error}") from error


def _tensor(name: str, entry: Any) -> Tensor:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"tensor {name!r} must have a dtype, a shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"tensor {name!r} has the unknown dtype {dtype!r}")
    # 64 is the most that NumPy has.
    if not _lengths(shape) or len(shape) > 64:
        raise ValueError(f"the shape of tensor {name!r} must be a list of sizes")
    if not _lengths(offsets) or len(offsets) != 2:
        raise ValueError(f"the data_offsets of tensor {name!r} must be two positions")
    begin, end = offsets
    wanted = math.prod(shape) * ITEMSIZES[DTYPES[dtype]]
    if end - begin != wanted:
        raise ValueError(f"tensor {name!r} has {end - begin} bytes, its shape wants {wanted}")
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
            "this checkpoint has bfloat16 arrays: pip install ferrostep[bfloat16]"
        ) from error
    bfloat16: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    return bfloat16
