//! A rule that reads and writes what an optimizer's rule would, and computes next to nothing: the
//! one place of this crate that knows how the engine is driven.

use ferrostep::engine::{Block, CompileLoops, Plan, View};
use ferrostep::number::{Precision, Real};
use ferrostep::rules::{
    Declared, Options, PreludeOptions, Rule, ScalarBlock, Scalars, Value, Visitor,
};
use pyo3::PyResult;
use pyo3::exceptions::PyValueError;

/// A zero that the compiler does not know to be one.
#[derive(Clone, Copy)]
struct Zero<R>(R);

impl<R: Real> Scalars<R> for Zero<R> {
    const COUNT: usize = 1;

    fn names() -> Vec<&'static str> {
        vec!["zero"]
    }

    fn read(scalar: impl Fn(usize) -> R) -> Self {
        Zero(scalar(0))
    }

    fn write(self, mut write: impl FnMut(usize, R)) {
        write(0, self.0);
    }
}

struct Touch;

impl<const N: usize> Rule<N> for Touch {
    type Scalars<R: Real> = Zero<R>;
    const STATES: [&'static str; N] = ["s"; N];
    const STORED_IN_ALL: bool = true;

    /// All streams depend on the gradient, and no value changes.
    #[inline(always)]
    fn update<R: Real>(k: &Zero<R>, p: R, g: R, state: [R; N]) -> (R, [R; N]) {
        let nothing = k.0 * g;
        (p + nothing, state.map(|s| s + nothing))
    }
}

fn prelude() -> PyResult<PreludeOptions> {
    let options: Options = [
        ("lr", Value::Number(0.0)),
        ("weight_decay", Value::Number(0.0)),
        ("decoupled_weight_decay", Value::Flag(false)),
        ("maximize", Value::Flag(false)),
        ("flush_subnormals", Value::Flag(false)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    .collect();
    Declared::read(&options).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// Adds a parameter, a gradient and the states after them to the plan.
///
/// SAFETY: as for [`Plan::push`].
pub(crate) unsafe fn push(plan: &mut Plan, views: &[View]) -> PyResult<()> {
    let [p, g, states @ ..] = views else {
        return Err(PyValueError::new_err("a tensor has a parameter and a gradient"));
    };
    let kernel = match states.len() {
        0 => CompileLoops.visit::<0, Touch>(),
        1 => CompileLoops.visit::<1, Touch>(),
        2 => CompileLoops.visit::<2, Touch>(),
        3 => CompileLoops.visit::<3, Touch>(),
        4 => CompileLoops.visit::<4, Touch>(),
        n => return Err(PyValueError::new_err(format!("no optimizer has {n} states"))),
    };
    let precision = Precision::of(p.format.kind);
    let failed = |error: &dyn std::error::Error| PyValueError::new_err(error.to_string());
    let block = plan
        .block(Block::new(ScalarBlock::default(), &prelude()?, precision))
        .map_err(|error| failed(&error))?;
    // SAFETY: passed on from the caller.
    unsafe { plan.push(kernel, false, block, p, g, states) }.map_err(|error| failed(&error))
}
