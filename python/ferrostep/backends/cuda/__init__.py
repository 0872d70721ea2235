"""CuPy arrays: the few calls of CuPy that a step on a CUDA device needs.

What to launch, with which arguments, is decided in the native module, which also prints the
kernels' source; nothing here knows a formula. CuPy is imported when the first of its arrays, or of
another library's arrays on a device, is seen.
"""

from ferrostep.backends.cuda.arrays import (
    address,
    adopt,
    assign,
    assigning,
    contiguous,
    copy,
    copy_back,
    copy_rows,
    difference,
    empty_like,
    fill,
    from_host,
    is_readonly,
    stream,
    to_host,
    unowned,
    upload,
)
from ferrostep.backends.cuda.factors import factor_kernels, factors
from ferrostep.backends.cuda.matrices import matrix_kernels, orthogonal, workspace
from ferrostep.backends.cuda.measuring import leaf_terms, measured, read_bytes, read_sums
from ferrostep.backends.cuda.norm import clip, first_nonfinite, leaf_sums, read_norm
from ferrostep.backends.cuda.update import arguments, kernel

__all__ = [
    "address",
    "adopt",
    "arguments",
    "assign",
    "assigning",
    "clip",
    "contiguous",
    "copy",
    "copy_back",
    "copy_rows",
    "difference",
    "empty_like",
    "factor_kernels",
    "factors",
    "fill",
    "first_nonfinite",
    "from_host",
    "is_readonly",
    "kernel",
    "leaf_sums",
    "leaf_terms",
    "matrix_kernels",
    "measured",
    "orthogonal",
    "read_bytes",
    "read_norm",
    "read_sums",
    "stream",
    "to_host",
    "unowned",
    "upload",
    "workspace",
]
