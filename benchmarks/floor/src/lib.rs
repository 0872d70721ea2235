//! The floors of a step. [`Floor`] moves the same streams as an optimizer's step, through the
//! engine's own plan and threads, with almost no arithmetic: what is left is the memory.
//! [`EmptyCall`] takes the same arguments and does nothing: what is left is Python.

mod read;
mod touch;

use ferrostep::engine::{Plan, View, threads, tier};
use ferrostep::number::{Format, Kind};
use numpy::{PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

type Array<'py> = Bound<'py, PyUntypedArray>;
/// A parameter, its gradient and its state arrays.
type Tensor<'py> = (Array<'py>, Array<'py>, Vec<Array<'py>>);

fn view(array: &Array<'_>) -> PyResult<View> {
    let name = array.dtype().getattr("name")?.extract::<String>()?;
    if !array.dtype().is_native_byteorder().unwrap_or(true) {
        return Err(PyTypeError::new_err("the floor reads the machine's byte order"));
    }
    let unknown = || PyTypeError::new_err(format!("the floor has no storage type {name}"));
    let kind = Kind::named(&name).ok_or_else(unknown)?;
    Ok(View {
        // SAFETY: the reference keeps the array alive.
        data: unsafe { (*array.as_array_ptr()).fields.data.cast() },
        format: Format::native(kind),
        shape: array.shape().into(),
        strides: array.strides().into(),
    })
}

/// The traffic of one step over `tensors`, whose values stay what they are.
///
/// `first`: arrays that are read once more before it, as a norm needs the gradients.
#[pyclass(unsendable, module = "ferrostep_floor")]
struct Floor {
    plan: Plan,
    first: Vec<std::ops::Range<*const u64>>,
    _alive: Vec<Py<PyAny>>,
}

#[pymethods]
impl Floor {
    #[new]
    fn new(tensors: Vec<Tensor<'_>>, tier: &str, first: Vec<Array<'_>>) -> PyResult<Self> {
        tier::force(tier).map_err(PyValueError::new_err)?;
        let mut plan = Plan::new();
        let mut alive: Vec<_> =
            first.iter().map(|array| array.clone().into_any().unbind()).collect();
        let first = first.iter().map(|array| read::words(array, &view(array)?));
        let first = first.collect::<PyResult<Vec<_>>>()?;
        for (parameter, gradient, states) in &tensors {
            let arrays = [parameter, gradient].into_iter().chain(states);
            let views = arrays.clone().map(view).collect::<PyResult<Vec<_>>>()?;
            // SAFETY: the arrays are an optimizer's, which has checked that they are disjoint; they
            // are kept alive below, and NumPy neither moves nor resizes what is referred to.
            unsafe { touch::push(&mut plan, &views)? };
            alive.extend(arrays.map(|array| array.clone().into_any().unbind()));
        }
        Ok(Floor { plan, first, _alive: alive })
    }

    #[pyo3(signature = (grads, *, grad_scale=None, max_norm=None))]
    fn step(&self, grads: &Bound<'_, PyAny>, grad_scale: Option<f64>, max_norm: Option<f64>) {
        let _ = (grads, grad_scale, max_norm);
        let threads = threads::count();
        // SAFETY: the arrays are alive, and nobody else uses them: the GIL is not released.
        unsafe {
            read::all(&self.first, threads);
            self.plan.run(threads);
        }
    }
}

/// The cost of calling: what any native step of this signature takes.
#[pyclass(frozen, module = "ferrostep_floor")]
struct EmptyCall;

#[pymethods]
impl EmptyCall {
    #[new]
    fn new() -> Self {
        EmptyCall
    }

    #[pyo3(signature = (grads, *, grad_scale=None, max_norm=None))]
    fn step(
        &self,
        grads: &Bound<'_, PyAny>,
        grad_scale: Option<f64>,
        max_norm: Option<f64>,
    ) -> bool {
        let _ = (grads, grad_scale, max_norm);
        true
    }
}

/// Sets the number for the process.
#[pyfunction]
fn set_num_threads(n: usize) {
    threads::set_process(n);
}

#[pymodule]
fn ferrostep_floor(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Floor>()?;
    module.add_class::<EmptyCall>()?;
    module.add_function(wrap_pyfunction!(set_num_threads, module)?)
}
