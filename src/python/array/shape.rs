//! Shapes in errors.

/// A shape as Python writes it.
pub(in crate::python) fn shape_text(shape: &[isize]) -> String {
    match shape {
        [one] => format!("({one},)"),
        many => format!("({})", many.iter().map(isize::to_string).collect::<Vec<_>>().join(", ")),
    }
}
