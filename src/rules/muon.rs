//! Muon. Jordan et al. 2024, kellerjordan.github.io/posts/muon; Liu et al. 2025, arXiv:2502.16982: momentum
//! whose matrix is made orthogonal.
//!
//! `buf = mu*buf + (1-mu)*g;  u = buf, or (1-mu)*g + mu*buf with Nesterov;  p = p - (lr*ratio)*X`, where
//! `X` is made of the matrix `u` (`whole.rs`) and the ratio hangs on the shape.

use super::method::{Clock, Method, State};
use super::options::options;
use super::rule::{Rule, Visitor};
use super::scalars::{ScalarBlock, scalars};
use super::whole::{NewtonSchulz, Whole};
use crate::number::Real;

scalars!(MuonScalars { momentum, one_minus_momentum });

struct Averaged<const NESTEROV: bool>;

impl<const NESTEROV: bool> Rule<1> for Averaged<NESTEROV> {
    type Scalars<R: Real> = MuonScalars<R>;
    const STATES: [&'static str; 1] = ["buf"];

    #[inline(always)]
    fn update<R: Real>(k: &MuonScalars<R>, _u: R, g: R, [buf]: [R; 1]) -> (R, [R; 1]) {
        let new = k.one_minus_momentum * g;
        let buf = k.momentum * buf + new;
        (if NESTEROV { new + k.momentum * buf } else { buf }, [buf])
    }
}

options!(pub(super) Muon { lr: f64, momentum: f64, nesterov: bool, eps: f64, adjust_lr: String });

impl Method for Muon {
    fn states(&self) -> Vec<State> {
        vec![State { name: "momentum_buffer", initial: 0.0 }]
    }

    fn scalars(&self, _clock: Clock) -> ScalarBlock {
        let momentum = self.momentum;
        MuonScalars { momentum, one_minus_momentum: 1.0 - momentum }.block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        if self.nesterov {
            visitor.visit::<1, Averaged<true>>()
        } else {
            visitor.visit::<1, Averaged<false>>()
        }
    }

    fn whole(&self) -> Option<&dyn Whole> {
        Some(self)
    }
}

impl Whole for Muon {
    fn iteration(&self) -> NewtonSchulz {
        NewtonSchulz { coefficients: [3.4445, -4.7750, 2.0315], eps: self.eps, steps: 5 }
    }

    fn step(&self, [rows, columns]: [usize; 2]) -> f64 {
        let (rows, columns) = (rows as f64, columns as f64);
        self.lr
            * match &*self.adjust_lr {
                "match_rms_adamw" => 0.2 * rows.max(columns).sqrt(),
                "spectral_unclamped" => (rows / columns).sqrt(),
                _ => (rows / columns).max(1.0).sqrt(),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::{Declared, Options};
    use super::super::testing::{Value, close, run};
    use super::{Muon, Whole};

    fn options(nesterov: bool, adjust_lr: &str) -> [(&'static str, Value); 5] {
        [
            ("lr", Value::Number(0.5)),
            ("momentum", Value::Number(0.75)),
            ("nesterov", Value::Flag(nesterov)),
            ("eps", Value::Number(1e-7)),
            ("adjust_lr", Value::Word(adjust_lr.to_owned())),
        ]
    }

    #[test]
    fn worked_numbers_of_u() {
        let (u, state) = run("Muon", &options(false, "original"), 9.0, &[4.0, -8.0]);
        assert_eq!((u, state), (vec![1.0, -1.25], vec![-1.25]));
        let (u, _) = run("Muon", &options(true, "original"), 9.0, &[4.0, -8.0]);
        assert_eq!(u, [1.75, -2.9375]);
    }

    #[test]
    fn steps_by_shape() {
        for (adjust_lr, shape, wanted) in [
            ("original", [2, 8], 0.5),
            ("original", [8, 2], 1.0),
            ("match_rms_adamw", [4, 25], 0.5),
            ("spectral_unclamped", [2, 8], 0.25),
        ] {
            let options: Options = options(true, adjust_lr)
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect();
            let step = Muon::read(&options).map(|muon| muon.step(shape));
            close(step.unwrap_or(f64::NAN), wanted);
        }
    }
}
