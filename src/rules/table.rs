//! The one table that names all rules.

use super::method::Method;
use super::options::{Declared, OptionError, Options};
use super::rule::Visitor;
use super::{
    adabelief, adadelta, adafactor, adagrad, adam, adamax, adan, adaptive_gains, ademamix, adopt,
    asgd, averages, ftrl, lamb, lars, lion, momentum, muon, nadam, novograd, prodigy, radam,
    rmsprop, rprop, schedule_free, schedule_free_adamw, sgd, signum, sparse_adam, stableadamw,
    wrappers, yogi,
};

macro_rules! table {
    ($($name:literal => $method:ty,)+) => {
        /// The name of every rule.
        pub const NAMES: &[&str] = &[$($name),+];

        /// The method called `name`, and what `visitor` makes of its rule.
        pub fn method<V: Visitor>(
            name: &str,
            options: &Options,
            visitor: V,
        ) -> Result<(Box<dyn Method>, V::Output), OptionError> {
            match name {
                $($name => {
                    let method = <$method>::read(options)?;
                    let output = method.formula(visitor);
                    Ok((Box::new(method), output))
                })+
                _ => Err(OptionError::UnknownRule(name.to_owned())),
            }
        }
    };
}

table! {
    "SGD" => sgd::Sgd,
    "Momentum" => momentum::Momentum,
    "AdaptiveGains" => adaptive_gains::AdaptiveGains,
    "Rprop" => rprop::Rprop,
    "RMSprop" => rmsprop::RmsProp,
    "Adagrad" => adagrad::Adagrad,
    "Adadelta" => adadelta::Adadelta,
    "Adam" => adam::Adam,
    "Lion" => lion::Lion,
    "Signum" => signum::Signum,
    "Adamax" => adamax::Adamax,
    "RAdam" => radam::RAdam,
    "AdaBelief" => adabelief::AdaBelief,
    "Yogi" => yogi::Yogi,
    "ADOPT" => adopt::Adopt,
    "NAdam" => nadam::NAdam,
    "ASGD" => asgd::Asgd,
    "Adan" => adan::Adan,
    "AdEMAMix" => ademamix::AdEmaMix,
    "LAMB" => lamb::Lamb,
    "LARS" => lars::Lars,
    "NovoGrad" => novograd::NovoGrad,
    "StableAdamW" => stableadamw::StableAdamW,
    "FTRL" => ftrl::Ftrl,
    "SparseAdam" => sparse_adam::SparseAdam,
    "ScheduleFreeSGD" => schedule_free::Sgd,
    "ScheduleFreeAdamW" => schedule_free_adamw::AdamW,
    "Muon" => muon::Muon,
    "Prodigy" => prodigy::Prodigy,
    "Adafactor" => adafactor::Adafactor,
    "EMA" => averages::Ema,
    "Mean" => averages::Mean,
    "Slow" => wrappers::Slow,
    "Towards" => wrappers::Towards,
    "Sum" => wrappers::Sum,
}
