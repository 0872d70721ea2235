//! The reductions over gradients: what an element adds, and what follows from a sum, from the same
//! text as on the host.

use super::body::statements;
use super::source::{FOLD, FOLDS, LEAVES, NORM, PRIMITIVES, STORAGE, TABLE, THREADS};
use crate::number::{Precision, Trace, Traced};
use crate::rules::{Added, Finite, GradientNorm, LANES, LEAF, Measure, clip_scale, norm};

/// The kernels of the norm and of the search for what is not finite, for gradients of every kind.
pub fn norm_source() -> String {
    let constants = format!(
        "constexpr int THREADS = {THREADS};\nconstexpr int LEAF = {LEAF};\n\
         constexpr int LANES = {LANES};\nconstexpr int FOLD = {FOLD};\n"
    );
    let terms = format!("{}{}", terms::<GradientNorm>("GradientNorm"), terms::<Finite>("Finite"));
    [PRIMITIVES, STORAGE, TABLE, &constants, LEAVES, FOLDS, &terms, &clipping(), NORM].join("\n")
}

/// A structure with what an element of either compute type adds to a sum.
fn terms<M: Measure>(name: &str) -> String {
    let trace = Trace::of(|| vec![M::term(Traced::input("g"))]);
    let added = added(M::ADDED);
    let mut text = format!("// What an element adds to a sum.\nstruct {name} {{\n");
    for (real, precision) in [("float", Precision::F32), ("double", Precision::F64)] {
        let body = statements(&trace, &["term".to_owned()], precision);
        text += &format!(
            "device double of({real} g) {{\n    using real = {real};\n    real term;\n{body}    \
             double wide;\n    convert(term, wide);\n    return {added};\n}}\n"
        );
    }
    text + "};\n\n"
}

/// What a term adds, from `wide`, its float64.
pub(super) fn added(added: Added) -> &'static str {
    match added {
        Added::AsItIs => "wide",
        Added::Squared => "mul_rn(wide, wide)",
    }
}

/// What follows from the sum of squares.
fn clipping() -> String {
    let trace = Trace::of(|| {
        let [sum, grad_scale, max_norm] = ["sum", "grad_scale", "max_norm"].map(Traced::input);
        let norm = norm(sum, grad_scale);
        vec![norm, clip_scale(norm, grad_scale, max_norm)]
    });
    let outputs = ["norm", "scale"].map(str::to_owned);
    format!(
        "// The norm after `grad_scale`, and what gradients are multiplied by.\n\
         device void clipping(double sum, double grad_scale, double max_norm,\n                     \
         double& norm, double& scale) {{\n    using real = double;\n{}}}\n",
        statements(&trace, &outputs, Precision::F64)
    )
}

#[cfg(test)]
mod tests {
    use super::norm_source;

    #[test]
    fn terms_and_factor_are_printed_from_the_rules() {
        let text = norm_source();
        for wanted in [
            "struct GradientNorm {\ndevice double of(float g) {\n",
            "    term = g;\n    double wide;\n    convert(term, wide);\n    return mul_rn(wide, wide);\n",
            "    term = mul_rn(g, 0.0f);\n    double wide;\n    convert(term, wide);\n    return wide;\n",
            "    norm = mul_rn(sqrt_rn(sum), absolute(grad_scale));\n",
        ] {
            assert!(text.contains(wanted), "{wanted} is not in {text}");
        }
    }
}
