//! What a rule that measures has beside its update: terms, and the scalars that follow from their sums.

use super::body::{function, scalar, statements};
use super::measure::added;
use super::source::{LEAVES, MEASURED};
use crate::number::{Precision, Trace, Traced};
use crate::rules::{self, LANES, LEAF, ScalarBlock, Scalars, Scope};

/// The kernels of a rule that measures, but for those that fold sums.
#[derive(Clone, Copy, Debug)]
pub struct Measuring {
    scope: Scope,
    sums: usize,
    scalars: fn() -> Vec<&'static str>,
    own: fn() -> Vec<&'static str>,
    terms: fn(Precision) -> String,
    measured: fn() -> String,
}

impl Measuring {
    pub(super) fn of<const N: usize, const M: usize, U: rules::Measuring<N, M>>() -> Self {
        let scalars = <U::Scalars<Traced> as Scalars<Traced>>::names;
        Measuring {
            scope: U::SCOPE,
            sums: M,
            scalars,
            own: own::<N, M, U>,
            terms: terms::<N, M, U>,
            measured: print_measured::<N, M, U>,
        }
    }

    /// What the sums are over. If over all parameters, what follows from them is known to the host, and the
    /// update is one as of any rule.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// How many sums it takes.
    pub fn sums(&self) -> usize {
        self.sums
    }

    /// The bytes of the scalars that a tensor has for itself.
    pub fn own(&self, precision: Precision) -> usize {
        (self.own)().len() * precision.kind().size()
    }

    /// The bytes of the kernel's `Unrounded`.
    pub fn unrounded(&self, block: &ScalarBlock) -> Vec<u8> {
        block.iter().take((self.scalars)().len()).flat_map(|x| x.to_ne_bytes()).collect()
    }

    /// What comes before its kernels of terms and of the update.
    pub(super) fn source(&self, precision: Precision) -> String {
        let structure = |name: &str, real: &str, scalars: Vec<&str>| {
            let fields: String =
                scalars.into_iter().map(|name| format!("    {real} {name};\n")).collect();
            format!("struct {name} {{\n{fields}}};\n\n")
        };
        let mut text = String::new();
        for (name, value) in [("SUMS", self.sums), ("LEAF", LEAF), ("LANES", LANES)] {
            text += &format!("constexpr int {name} = {value};\n");
        }
        let terms = [&text[..], &(self.terms)(precision), LEAVES].join("\n");
        if self.scope == Scope::All {
            return terms;
        }
        let mut text =
            String::from("// The rule's scalars, from which those of a tensor follow.\n");
        text += &structure("Unrounded", "double", (self.scalars)());
        text += "// The scalars that a tensor has for itself.\n";
        text += &structure("Own", "real", (self.own)());
        [&terms[..], &text, &(self.measured)(), MEASURED].join("\n")
    }
}

/// The scalars that follow from the sums, each with what it is then.
fn measured<const N: usize, const M: usize, U: rules::Measuring<N, M>>()
-> Vec<(&'static str, Traced)> {
    let names = <U::Scalars<Traced> as Scalars<Traced>>::names();
    let k = U::Scalars::<Traced>::read(|i| scalar(names[i]));
    let sums = std::array::from_fn(|m| Traced::input(format!("sums[{m}]")));
    let mut all = Vec::new();
    U::measured(k, sums, Traced::input("size")).write(|i, value| all.push((names[i], value)));
    all.retain(|(name, value)| *value != scalar(name));
    all
}

fn own<const N: usize, const M: usize, U: rules::Measuring<N, M>>() -> Vec<&'static str> {
    let mut names = Vec::new();
    Trace::of(|| {
        names.extend(measured::<N, M, U>().into_iter().map(|(name, _)| name));
        Vec::new()
    });
    names
}

fn terms<const N: usize, const M: usize, U: rules::Measuring<N, M>>(
    precision: Precision,
) -> String {
    let traced = Trace::of(|| {
        let names = <U::Scalars<Traced> as Scalars<Traced>>::names();
        let k = U::Scalars::<Traced>::read(|i| scalar(names[i]));
        let (p, g) = (Traced::input("p"), Traced::input("g"));
        U::terms(&k, p, g, U::STATES.map(Traced::input)).to_vec()
    });
    let inputs: Vec<&str> = ["p", "g"].into_iter().chain(U::STATES).collect();
    let terms: Vec<String> = (0..M).map(|m| format!("term{m}")).collect();
    let names: Vec<&str> = terms.iter().map(String::as_str).collect();
    let mut text = String::from("// The terms of an element.\n");
    text += &function("terms", &inputs, &names, &traced, precision);

    let states: String = (0..N).map(|i| format!(", s[{i}]")).collect();
    text += &format!(
        "device void add_terms(const Scalars& k, real p, real g, const real* s, double* sums) {{\n    \
         before(k, p, g, p, g);\n    real {names};\n    terms(k, p, g{states}, {names});\n    \
         double wide;\n",
        names = names.join(", ")
    );
    for (m, how) in U::ADDED.into_iter().enumerate() {
        text += &format!(
            "    convert(term{m}, wide);\n    sums[{m}] = add_rn(sums[{m}], {});\n",
            added(how)
        );
    }

    text + "}\n"
}

fn print_measured<const N: usize, const M: usize, U: rules::Measuring<N, M>>() -> String {
    let mut text = String::from(
        "// The scalars that follow from the sums over a tensor.\ndevice void measured(",
    );
    text += "const Unrounded& k, const double* sums, double size, Own& own) {\n    ";
    text += "using real = double;\n";
    let own = own::<N, M, U>();
    let traced = Trace::of(|| measured::<N, M, U>().into_iter().map(|(_, value)| value).collect());
    let new: Vec<String> = own.iter().map(|name| format!("new_{name}")).collect();
    text += &format!("    real {};\n", new.join(", "));
    text += &statements(&traced, &new, Precision::F64);
    for (name, new) in own.iter().zip(&new) {
        text += &format!("    convert({new}, own.{name});\n");
    }
    text += "}\n\ndevice void take(Scalars& k, const Own& own) {\n";
    for name in own {
        text += &format!("    k.{name} = own.{name};\n");
    }
    text + "}\n"
}
