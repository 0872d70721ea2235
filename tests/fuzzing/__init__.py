"""Fuzzing of the public API: random calls, valid and invalid, on two optimizers that must agree.

A session is a list of calls that is made on two worlds alike: in one the optimizers run on the
Rust core, in the other on the NumPy reference. After every call both must have had the same outcome
and hold the same bits; a call that failed must have changed nothing, with an error of a documented
kind.

``python -m fuzzing --help`` in ``tests/`` (or ``make fuzz``) runs it; a session that fails is made
as short as it will go and printed, and ``--replay`` runs what was printed.
"""
