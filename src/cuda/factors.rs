//! What is made of matrices' squares before a rule whose states are factors: from the same text as on the host.

use super::body::{cuda_type, statements};
use super::source::{FACTORS, FOLD, FOLDS};
use crate::number::{Precision, Trace, Traced};
use crate::rules::{Averages, averaged, divisor, entering};

/// The kernels that make the factors.
pub(super) fn source(precision: Precision) -> String {
    let mut text = format!("constexpr int FOLD = {FOLD};\n\n");
    text +=
        "// How states average; what concerns float64 alone is not rounded.\nstruct Averages {\n";
    for (name, precision) in NAMES.into_iter().zip(precisions(precision)) {
        text += &format!("    {} {name};\n", cuda_type(precision.kind()));
    }
    text += "};\n\n";
    let [beta2, one_minus_beta2, added, least] = NAMES.map(|name| format!("k.{name}"));
    let input = |name: &String| Traced::input(name.as_str());
    text += "// What enters a state.\n";
    text += &function("entering", ["sum", "count"], Precision::F64, |[sum, count]| {
        entering(sum, count, input(&added))
    });
    text += "// A state with what enters it.\n";
    text += &function("averaged", ["state", "entering"], precision, |[state, entering]| {
        averaged(input(&beta2), input(&one_minus_beta2), state, entering)
    });
    text += "// What rows are divided by.\n";
    text += &function("divisor", ["sum", "count"], Precision::F64, |[sum, count]| {
        divisor(sum, count, input(&least))
    });
    [&text[..], FOLDS, FACTORS].join("\n")
}

const NAMES: [&str; 4] = ["beta2", "one_minus_beta2", "added", "least"];

/// Of each of them.
fn precisions(compute: Precision) -> [Precision; 4] {
    [compute, compute, Precision::F64, Precision::F64]
}

/// The bytes of the kernels' `Averages`.
pub fn averages(averages: Averages, precision: Precision) -> Vec<u8> {
    let Averages { beta2, one_minus_beta2, added, least } = averages;
    let mut bytes = Vec::new();
    for (x, precision) in [beta2, one_minus_beta2, added, least].iter().zip(precisions(precision)) {
        match precision {
            Precision::F32 => bytes.extend((*x as f32).to_ne_bytes()),
            Precision::F64 => bytes.extend(x.to_ne_bytes()),
        }
    }
    bytes
}

/// A function of `Averages` and of two numbers.
fn function(
    name: &str,
    inputs: [&str; 2],
    precision: Precision,
    of: impl FnOnce([Traced; 2]) -> Traced,
) -> String {
    let trace = Trace::of(|| vec![of(inputs.map(Traced::input))]);
    let (real, [a, b]) = (cuda_type(precision.kind()), inputs);
    format!(
        "device {real} {name}(const Averages& k, {real} {a}, {real} {b}) {{\n    using real = {real};\n    \
         real result;\n{}    return result;\n}}\n\n",
        statements(&trace, &["result".to_owned()], precision)
    )
}

#[cfg(test)]
mod tests {
    use super::{averages, source};
    use crate::number::Precision;
    use crate::rules::Averages;

    #[test]
    fn the_means_are_printed_from_the_rules() {
        let text = source(Precision::F32);
        for wanted in [
            "    float beta2;\n    float one_minus_beta2;\n    double added;\n    double least;\n",
            "    result = add_rn(div_rn(sum, count), k.added);\n",
            "    result = add_rn(mul_rn(k.beta2, state), mul_rn(k.one_minus_beta2, entering));\n",
            "    result = select(lt(t1, k.least), k.least, t1);\n",
        ] {
            assert!(text.contains(wanted), "{wanted} is not in {text}");
        }
    }

    #[test]
    fn what_averages_states_is_rounded_and_the_rest_is_not() {
        let k = Averages { beta2: 0.1, one_minus_beta2: 0.9, added: 1e-30, least: 0.3 };
        let bytes = averages(k, Precision::F32);
        assert_eq!(bytes[..4], 0.1f32.to_ne_bytes());
        assert_eq!(bytes[8..16], 1e-30f64.to_ne_bytes());
        assert_eq!((bytes.len(), averages(k, Precision::F64).len()), (24, 32));
    }
}
