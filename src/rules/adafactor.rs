//! Adafactor. Shazeer & Stern 2018, arXiv:1804.04235, algorithms 4 and 5: of a matrix's squared gradients only
//! the means of its rows and columns are kept.
//!
//! `v = b2*v + c2*(g*g + added)` with `c2 = t^beta2_decay`, or of a matrix `v = r*c` (`factored.rs`);
//! `u = g/sqrt(max(v, floor));  p = p*stays - (alpha/max(1, RMS(u)/d))*u`, with
//! `alpha = max(eps2, RMS(p))*min(lr, 1/sqrt(t))` of the parameter before weight decay.

use super::factored::{AdafactorScalars, Extent, Whole};
use super::means::Averages;
use super::method::{Clock, Factored, Method, State};
use super::options::options;
use super::rule::Visitor;
use super::scalars::ScalarBlock;
use crate::number::real_power;

options!(pub(super) Adafactor {
    lr: f64,
    beta2_decay: f64,
    eps: (f64, f64),
    d: f64,
    form: String,
    relative_step: bool,
    scale_parameter: bool,
    weight_decay: f64,
    decoupled_weight_decay: bool,
});

impl Adafactor {
    fn is_original(&self) -> bool {
        self.form == "original"
    }

    /// The first of `eps`, which is NaN where it was not given.
    fn eps1(&self, clock: Clock) -> f64 {
        match self.eps.0 {
            given if !given.is_nan() => given,
            _ if self.is_original() => 1e-30,
            _ => clock.kind.epsilon(),
        }
    }
}

impl Method for Adafactor {
    fn states(&self) -> Vec<State> {
        vec![State { name: "variance", initial: 0.0 }]
    }

    fn scalars(&self, clock: Clock) -> ScalarBlock {
        let Averages { beta2, one_minus_beta2, added, least } = self.averages(clock);
        let relative = 1.0 / (clock.t as f64).sqrt();
        let decay = self.lr * self.decays().unwrap_or(0.0);
        let (smallest, largest) =
            if self.scale_parameter { (self.eps.1, f64::INFINITY) } else { (1.0, 1.0) };
        AdafactorScalars {
            beta2,
            one_minus_beta2,
            added,
            floor: least * least,
            stays: 1.0 - decay,
            step: if self.relative_step && relative < self.lr { relative } else { self.lr },
            smallest,
            largest,
            limit: self.d,
        }
        .block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.visit_measuring::<1, 2, Whole>()
    }

    fn factored(&self) -> Option<&dyn Factored> {
        Some(self)
    }

    /// Of the parameter as it is after its size was taken.
    fn decays(&self) -> Option<f64> {
        self.decoupled_weight_decay.then_some(self.weight_decay)
    }
}

impl Factored for Adafactor {
    fn factors(&self) -> [(State, Extent); 2] {
        let state = |name| State { name, initial: 0.0 };
        [(state("row_var"), Extent::Rows), (state("col_var"), Extent::Columns)]
    }

    fn averages(&self, clock: Clock) -> Averages {
        let (eps, rest) = (self.eps1(clock), real_power(clock.t as f64, self.beta2_decay));
        let (added, least) = if self.is_original() { (eps, 0.0) } else { (0.0, eps) };
        Averages { beta2: 1.0 - rest, one_minus_beta2: rest, added, least }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Value, close, run};

    #[test]
    fn worked_numbers() {
        let options = |form: &str, eps1: f64| {
            [
                ("lr", Value::Number(0.5)),
                ("beta2_decay", Value::Number(-1.0)),
                ("eps", Value::Pair(eps1, 1.0)),
                ("d", Value::Number(1.0)),
                ("form", Value::Word(form.to_owned())),
                ("relative_step", Value::Flag(true)),
                ("scale_parameter", Value::Flag(true)),
                ("weight_decay", Value::Number(0.25)),
                ("decoupled_weight_decay", Value::Flag(true)),
            ]
        };
        // v = 9 and u = 1, with a rate of 2*0.5; then v = (9 + 36)/2, and u is cut to 1, the rate to 0.5.
        let (p, v) = run("Adafactor", &options("torch", 0.0), 2.0, &[3.0, 6.0]);
        close(p[0], 2.0 * 0.875 - 1.0);
        close(p[1], p[0] * 0.875 - 0.5);
        assert_eq!(v, [22.5]);
        // u = 3/5: of v = 9 the root is 5 at least; v = 9 + 16.
        for (form, eps, v) in [("torch", 5.0, 9.0), ("original", 16.0, 25.0)] {
            let (p, state) = run("Adafactor", &options(form, eps), 2.0, &[3.0]);
            close(p[0], 2.0 * 0.875 - 0.6);
            assert_eq!(state, [v]);
        }
    }
}
