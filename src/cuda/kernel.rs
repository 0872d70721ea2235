//! The update kernel of a rule: its source, and the scalars as it takes them.

use std::any::TypeId;

use super::body::{cuda_type, function, scalar};
use super::measuring::Measuring;
use super::source::{
    CHUNK, FACTORED, OWN, PLAIN, PRIMITIVES, STORAGE, TABLE, TENSOR, TERMS, THREADS, UPDATE,
};
use super::{factors, matrix};
use crate::number::{Kinds, Precision, Trace, Traced};
use crate::rules::{self, MAX_STATES, Prelude, Rule, ScalarBlock, Scalars, Scope, Visitor};

/// Takes a rule's printer.
pub struct TraceKernel;

impl Visitor for TraceKernel {
    type Output = Kernel;

    fn visit<const N: usize, U: Rule<N>>(self) -> Kernel {
        let scalars = <U::Scalars<Traced> as Scalars<Traced>>::names;
        let (formula, print) = (TypeId::of::<U>(), print::<N, U>);
        Kernel { formula, states: N, scalars, print, around: Around::Nothing }
    }

    fn visit_measuring<const N: usize, const M: usize, U>(self) -> Kernel
    where
        U: rules::Measuring<N, M>,
    {
        let around = Around::Sums(Measuring::of::<N, M, U>());
        Kernel { around, ..self.visit::<N, U>() }
    }
}

/// What comes before an update, and after it.
#[derive(Clone, Copy, Debug)]
enum Around {
    Nothing,
    Sums(Measuring),
    /// The factors that are the rule's states, and its sums.
    Factors(Measuring),
    /// What the rule makes is a matrix that is to become orthogonal.
    Whole,
}

#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    formula: TypeId,
    states: usize,
    scalars: fn() -> Vec<&'static str>,
    print: fn(Precision, bool) -> String,
    around: Around,
}

impl Kernel {
    /// Another for another formula.
    pub fn formula(&self) -> TypeId {
        self.formula
    }

    pub fn states(&self) -> usize {
        self.states
    }

    /// What comes before the update, if the rule measures.
    pub fn measuring(&self) -> Option<&Measuring> {
        match &self.around {
            Around::Nothing | Around::Whole => None,
            Around::Sums(measuring) | Around::Factors(measuring) => Some(measuring),
        }
    }

    /// Whether its states are factors.
    pub fn is_by_factors(&self) -> bool {
        matches!(self.around, Around::Factors(_))
    }

    /// The same formula for matrices whose factors are its states, if it measures.
    #[must_use]
    pub fn by_factors(self) -> Self {
        let around = self.measuring().map_or(Around::Nothing, |rule| Around::Factors(*rule));
        Kernel { around, ..self }
    }

    /// Whether what it makes is to become orthogonal.
    pub fn is_of_whole(&self) -> bool {
        matches!(self.around, Around::Whole)
    }

    /// The same formula, whose result is to become orthogonal.
    #[must_use]
    pub fn of_whole(self) -> Self {
        Kernel { around: Around::Whole, ..self }
    }

    /// The kernel `ferrostep_update`, those that come before it if the rule measures, and those that come after
    /// it if what it makes is to become orthogonal. It depends on no option's value, but for those that choose
    /// the formula and on whether weight decay is added to the gradient.
    pub fn source(&self, kinds: Kinds, coupled_decay: bool) -> String {
        let precision = Precision::of(kinds.p);
        let state = if self.states == 0 { precision.kind() } else { kinds.state };
        let types =
            [("real", precision.kind()), ("Param", kinds.p), ("Grad", kinds.g), ("State", state)];
        let mut chosen = String::from("// What this kernel was made for.\n\n");
        for (name, kind) in types {
            chosen += &format!("typedef {} {name};\n", cuda_type(kind));
        }
        for (name, value) in [
            ("STATES", self.states),
            ("MAX_STATES", MAX_STATES),
            ("CHUNK", CHUNK),
            ("THREADS", THREADS),
        ] {
            chosen += &format!("constexpr int {name} = {value};\n");
        }
        chosen += "\n// Rounded once from float64.\nstruct Scalars {\n";
        for name in PRELUDE.into_iter().chain((self.scalars)()) {
            chosen += &format!("    real {name};\n");
        }
        chosen += "};\n";
        let formula = (self.print)(precision, coupled_decay);
        let before = self.measuring().map_or_else(String::new, |rule| rule.source(precision));
        let mut parts = vec![PRIMITIVES, STORAGE, TABLE, &chosen, &formula, TENSOR, &before];
        let also;
        parts.extend(match self.around {
            Around::Nothing => vec![UPDATE, PLAIN],
            Around::Sums(rule) => {
                vec![UPDATE, TERMS, if rule.scope() == Scope::All { PLAIN } else { OWN }]
            }
            Around::Factors(_) => {
                also = factors::source(precision);
                vec![&also, FACTORED]
            }
            Around::Whole => {
                also = matrix::source();
                vec![UPDATE, PLAIN, &also]
            }
        });
        parts.join("\n")
    }

    /// The bytes of the kernel's `Scalars`: each rounded once.
    pub fn scalars(
        &self,
        block: &ScalarBlock,
        prelude: &Prelude<f64>,
        precision: Precision,
    ) -> Vec<u8> {
        let Prelude { grad_scale, weight_decay, keep, flush_below } = *prelude;
        let prelude = [grad_scale, weight_decay, keep, flush_below];
        let all = prelude.into_iter().chain(block.iter().copied().take((self.scalars)().len()));
        match precision {
            Precision::F32 => all.flat_map(|x| (x as f32).to_ne_bytes()).collect(),
            Precision::F64 => all.flat_map(f64::to_ne_bytes).collect(),
        }
    }
}

/// The prelude's scalars, in the order of their bytes.
const PRELUDE: [&str; 4] = ["grad_scale", "weight_decay", "keep", "flush_below"];

fn prelude() -> Prelude<Traced> {
    let [grad_scale, weight_decay, keep, flush_below] = PRELUDE.map(scalar);
    Prelude { grad_scale, weight_decay, keep, flush_below }
}

/// The traced functions, and the one that applies them to an element.
fn print<const N: usize, U: Rule<N>>(precision: Precision, coupled_decay: bool) -> String {
    let before = Trace::of(|| {
        let (k, p, g) = (prelude(), Traced::input("p"), Traced::input("g"));
        let (p, g) = if coupled_decay { k.before::<true>(p, g) } else { k.before::<false>(p, g) };
        vec![p, g]
    });
    let update = Trace::of(|| {
        let names = <U::Scalars<Traced> as Scalars<Traced>>::names();
        let k = U::Scalars::<Traced>::read(|i| scalar(names[i]));
        let (p, g) = (Traced::input("p"), Traced::input("g"));
        let (p, states) = U::update(&k, p, g, U::STATES.map(Traced::input));
        [p].into_iter().chain(states).collect()
    });
    let after = Trace::of(|| vec![prelude().after(Traced::input("s"))]);

    let names = |first: &[&'static str]| -> Vec<&'static str> {
        first.iter().copied().chain(U::STATES).collect()
    };
    let mut text = String::from("// Before every rule: scaling and weight decay.\n");
    text += &function("before", &["p", "g"], &["p", "g"], &before, precision);
    text += "// The rule.\n";
    text += &function("update", &names(&["p", "g"]), &names(&["p"]), &update, precision);
    if N > 0 {
        text += "// A state value as it is stored.\n";
        text += &function("after", &["s"], &["s"], &after, precision);
    }
    let states: String = (0..N).map(|i| format!(", s[{i}]")).collect();
    let stored: String = (0..N).map(|i| format!("    after(k, s[{i}], s[{i}]);\n")).collect();
    text += &format!(
        "device void element(const Scalars& k, real& p, real g, real* s) {{\n    \
         before(k, p, g, p, g);\n    update(k, p, g{states}, p{states});\n{stored}}}\n"
    );
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Kernel, TraceKernel};
    use crate::number::{Kind, Kinds, Precision};
    use crate::rules::{Clock, Options, Value, method};

    fn momentum(nesterov: bool) -> Kernel {
        let options: Options = [
            ("lr", Value::Number(0.5)),
            ("momentum", Value::Number(0.9)),
            ("nesterov", Value::Flag(nesterov)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect();
        method("Momentum", &options, TraceKernel).unwrap().1
    }

    #[test]
    fn a_rule_is_printed_in_its_own_names() {
        let text = momentum(true).source(Kinds::native(Precision::F32), false);
        let wanted = "\
// The rule.
device void update(const Scalars& k, real p, real g, real v,
                   real& new_p, real& new_v) {
    const real t1 = mul_rn(k.lr, g);
    new_v = sub_rn(mul_rn(k.momentum, v), t1);
    new_p = add_rn(p, sub_rn(mul_rn(k.momentum, new_v), t1));
}
";
        assert!(text.contains(wanted), "{text}");
    }

    #[test]
    fn types_and_weight_decay_choose_the_source() {
        let kinds = Kinds { p: Kind::F32, g: Kind::BF16, state: Kind::F16 };
        let text = momentum(false).source(kinds, true);
        for line in [
            "typedef float Param;",
            "typedef bfloat16 Grad;",
            "typedef float16 State;",
            "    new_g = add_rn(mul_rn(g, k.grad_scale), mul_rn(k.weight_decay, p));",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        assert!(!momentum(false).source(kinds, false).contains("mul_rn(k.weight_decay"));
    }

    #[test]
    fn terms_and_the_scalars_of_a_tensor_are_printed_too() {
        let options: Options = [
            ("lr", Value::Number(0.5)),
            ("betas", Value::Pair(0.5, 0.75)),
            ("eps", Value::Number(1.0)),
            ("weight_decay", Value::Number(0.25)),
            ("decoupled_weight_decay", Value::Flag(false)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect();
        let (method, kernel) = method("NovoGrad", &options, TraceKernel).unwrap();
        let text = kernel.source(Kinds::native(Precision::F32), false);
        for wanted in [
            "struct Own {\n    real inverse;\n    real v;\n};\n",
            "    convert(term0, wide);\n    sums[0] = add_rn(sums[0], mul_rn(wide, wide));\n",
            "    new_v = add_rn(mul_rn(k.beta2, k.v), mul_rn(k.one_minus_beta2, sums[0]));\n",
            "    convert(new_inverse, own.inverse);\n",
            "    k.inverse = own.inverse;\n",
        ] {
            assert!(text.contains(wanted), "{wanted} is not in {text}");
        }
        let measuring = kernel.measuring().unwrap();
        assert_eq!((measuring.sums(), measuring.own(Precision::F32)), (1, 8));
        let clock = Clock { t: 1, fresh: true, kind: Kind::F32, memory: Default::default() };
        assert_eq!(measuring.unrounded(&method.scalars(clock)).len(), 64);
    }
}
