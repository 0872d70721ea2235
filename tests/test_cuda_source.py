"""``python -m ferrostep cuda-source``: what people look at, and what wrong arguments get."""

from __future__ import annotations

import pytest

from cases import MATRIX_RUNS, RUNS
from ferrostep.__main__ import main
from ferrostep.cuda_source import classes, cuda_source
from support import emulation


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def run(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["ferrostep", "cuda-source", *arguments])
        assert main() == 0
        return capsys.readouterr().out

    return run


def test_the_formula_is_in_the_names_of_the_paper(run) -> None:
    text = run("Adam", "--param", "float32", "--grad", "bfloat16", "--set", "amsgrad=true")
    for line in [
        "typedef float Param;",
        "typedef bfloat16 Grad;",
        "typedef float State;",
        "    new_m = add_rn(mul_rn(k.beta1, m), mul_rn(k.one_minus_beta1, g));",
        "    new_v = add_rn(mul_rn(k.beta2, v), mul_rn(k.one_minus_beta2, mul_rn(g, g)));",
        "    new_v_max = select(lt(v_max, new_v), new_v, v_max);",
    ]:
        assert f"{line}\n" in text
    assert emulation.compile(text).kernels == ("ferrostep_update",)


def test_matrices_with_factors_have_kernels_of_their_own(run) -> None:
    text = run("Adafactor")
    for line in [
        "    result = add_rn(mul_rn(k.beta2, state), mul_rn(k.one_minus_beta2, entering));",
        "    const real t1 = mul_rn(r, c);",
    ]:
        assert f"{line}\n" in text
    assert "ferrostep_squares" in emulation.compile(text).kernels
    other = run("Adafactor", "--ndim", "1")
    assert emulation.compile(other).kernels == tuple(
        f"ferrostep_{name}" for name in ("measured", "terms", "update")
    )
    assert run("LAMB") == run("LAMB", "--ndim", "1")
    assert run("Adafactor", "--set", "form=original", "--set", "d=3", "--set", "lr=1") == text


@pytest.mark.parametrize("name", classes())
def test_every_class_is_printed(run, name: str) -> None:
    assert "ferrostep_update(" in run(name)
    assert "typedef double State;" in run(name, "--param", "float64")


def test_every_case_is_readable() -> None:
    for case, _ in [*RUNS, *MATRIX_RUNS]:
        options = {name: value for name, value in case.options.items() if name != "state_dtype"}
        for ndim in (1, 2):
            for line in cuda_source(case.optimizer, ndim=ndim, **options).splitlines():
                assert len(line) <= 110, line


def test_defaults_and_options(run) -> None:
    assert "typedef float16 Grad;" in run("SGD", "--param", "float16")
    assert "typedef bfloat16 State;" in run("Adam", "--set", "state_dtype=bfloat16")
    assert "typedef float16 State;" in run("Adam", "--state", "float16")
    assert "mul_rn(k.weight_decay, p)" in run("Adam", "--set", "weight_decay=0.1")
    assert "mul_rn(k.weight_decay, p)" not in run("AdamW")
    assert run("AdaptiveGains", "--set", "max_gain=inf") == run("AdaptiveGains")
    assert run("Adam", "--set", "betas=(0.8,0.9)", "--set", "lr=1") == run("Adam")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Adam2"], "no class 'Adam2'; there are ADOPT, "),
        (["Adam", "--param", "int8"], "invalid choice: 'int8'"),
        (["Adam", "--set", "amsgrad"], "--set must be OPTION=VALUE, found 'amsgrad'"),
        (["Adam", "--set", "amsgrad=1"], "amsgrad must be True or False"),
        (["Adam", "--set", "amsgrd=true"], "Adam has no option 'amsgrd'; it has lr, "),
        (["Adam", "--set", "lr=-1"], "Invalid learning rate: -1"),
        (["Adam", "--set", "params=1"], "no option 'params'"),
        (["Adam", "--state", "float64"], "bfloat16 or float32, found float64"),
        (
            ["Adam", "--param", "float64", "--state", "float32"],
            "of dtype float64 must be float64, found float32",
        ),
        (["Adam", "more"], "unrecognized arguments: more"),
        ([], "required: CLASS"),
    ],
)
def test_wrong_arguments(run, capsys, arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit) as stop:
        run(*arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
