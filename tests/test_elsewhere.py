"""Other libraries' names of optimizers and schedules are there, or answered.

The names are recorded (`support/names.py`); here Keras' own are compared with them, in
`make test-torch` and `make test-peers` those of the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import version

import pytest

import ferrostep as fs
from ferrostep import averages, optimizers, schedulers
from ferrostep.elsewhere import LEFT_OUT, MEANT, hint, plain
from support.names import RECORDED, installed

#: What is still to come: what exists is taken from here, and is answered from then on.
COMING: set[str] = set()
NAMES = [(library, name) for library, found in RECORDED.items() for name in found["names"]]


def exists(name: str) -> bool:
    return any(name in room.__all__ for room in (fs, schedulers, averages))


def test_nothing_that_exists_is_still_to_come() -> None:
    assert [name for name in sorted(COMING) if exists(name)] == [], "take them from COMING"


def answer(name: str) -> str:
    with pytest.raises(AttributeError) as caught:
        getattr(fs, name)
    return str(caught.value)


@pytest.mark.parametrize(("library", "name"), NAMES)
def test_every_name_is_there_or_answered(library: str, name: str) -> None:
    if hasattr(fs, name):
        assert not {plain(name)} & {*MEANT, *LEFT_OUT}, "a row answers what is there"
        return
    text = answer(name)
    assert text.startswith(f"module 'ferrostep' has no attribute {name!r}")
    if not re.search(r"; (did you mean .+\?|it is left out, since .+)$", text):
        coming = "|".join(map(plain, COMING))
        assert re.search(
            f"^({coming})w?$", re.sub("^(nv|paged|pytorch)|(legacy|8bit|32bit)$", "", plain(name))
        )


def places(text: str) -> Iterator[str]:
    """What a text says there is."""
    yield from re.findall(r"ferrostep((?:\.[A-Za-z]\w*)+)", text)


@pytest.mark.parametrize("name", [*MEANT, *LEFT_OUT])
def test_an_answer_names_what_there_is(name: str) -> None:
    assert plain(name) == name
    assert not (MEANT.keys() & LEFT_OUT.keys())
    text = hint(name)
    assert (MEANT | LEFT_OUT)[name] in text
    for place in places(text):
        found = fs
        for part in place.strip(".").split("."):
            if part in COMING:
                break
            found = getattr(found, part)
    for call in re.findall(r"ferrostep\.\w+\([^)]*\)", text):
        if re.split(r"[.(]", call)[1] not in COMING:
            assert isinstance(eval(call, {"ferrostep": fs}), fs.Optimizer)


def test_no_row_answers_what_there_is() -> None:
    """A name that is ours but for case and underscores needs no row."""
    ours = {plain(n) for room in (optimizers, schedulers, averages) for n in room.__all__}
    assert not ours & {*MEANT, *LEFT_OUT}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("adam", "; did you mean ferrostep.Adam or ferrostep.presets.optax.adam?"),
        ("StepLR", "; did you mean ferrostep.schedulers.StepLR?"),
        ("adamaxw", "; did you mean ferrostep.Adamax(decoupled_weight_decay=True)?"),
        ("FusedAdam", "; did you mean ferrostep.Adam?"),
        ("PagedAdamW8bit", "; did you mean ferrostep.AdamW(state_dtype='bfloat16')?"),
        (
            "AMSGrad",
            "; did you mean ferrostep.Adam(amsgrad=True) or ferrostep.presets.papers.AMSGrad?",
        ),
        ("SOAP", "; it is left out, since its bases come from LAPACK"),
        ("nothing_of_the_kind", ""),
        ("__wrapped__", ""),
    ],
)
def test_hint(name: str, wanted: str) -> None:
    assert answer(name).startswith(f"module 'ferrostep' has no attribute {name!r}{wanted}")


def test_names_of_keras_are_those_recorded() -> None:
    assert RECORDED["keras"]["version"].rpartition(".")[0] == version("keras").rpartition(".")[0]
    assert RECORDED["keras"]["names"] == installed("keras")
