//! The options of a group, by the names that they have in Python.

use std::collections::HashMap;

use thiserror::Error;

use crate::number::Powers;

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Number(f64),
    Flag(bool),
    Word(String),
    Pair(f64, f64),
    Triple(f64, f64, f64),
}

#[derive(Clone, Debug, Default)]
pub struct Options(HashMap<String, Value>);

/// Python validates options and words its errors; these are what is left to go wrong when a
/// class and its rule disagree.
#[derive(Debug, Error)]
pub enum OptionError {
    #[error("option {0:?} must be a {1} for this rule, found {2:?}")]
    Missing(&'static str, &'static str, Option<Value>),
    #[error("these options go together in no formula")]
    Together,
    #[error("the rule must be one of the table, found {0:?}")]
    UnknownRule(String),
}

impl Options {
    pub fn number(&self, name: &'static str) -> Result<f64, OptionError> {
        match self.0.get(name) {
            Some(Value::Number(value)) => Ok(*value),
            found => Err(OptionError::Missing(name, "number", found.cloned())),
        }
    }

    pub fn flag(&self, name: &'static str) -> Result<bool, OptionError> {
        match self.0.get(name) {
            Some(Value::Flag(value)) => Ok(*value),
            found => Err(OptionError::Missing(name, "flag", found.cloned())),
        }
    }

    pub fn word(&self, name: &'static str) -> Result<&str, OptionError> {
        match self.0.get(name) {
            Some(Value::Word(value)) => Ok(value),
            found => Err(OptionError::Missing(name, "word", found.cloned())),
        }
    }

    pub fn pair(&self, name: &'static str) -> Result<(f64, f64), OptionError> {
        match self.0.get(name) {
            Some(Value::Pair(first, second)) => Ok((*first, *second)),
            found => Err(OptionError::Missing(name, "pair", found.cloned())),
        }
    }

    pub fn triple(&self, name: &'static str) -> Result<[f64; 3], OptionError> {
        match self.0.get(name) {
            Some(Value::Triple(first, second, third)) => Ok([*first, *second, *third]),
            found => Err(OptionError::Missing(name, "triple", found.cloned())),
        }
    }
}

/// What an option is to a rule: how it is read, and whether another number is taken between steps.
pub(super) trait Readable: Sized {
    fn read(options: &Options, name: &'static str) -> Result<Self, OptionError>;

    /// As `Declared::set`.
    fn set(&mut self, _value: f64) -> bool {
        false
    }
}

impl Readable for f64 {
    fn read(options: &Options, name: &'static str) -> Result<Self, OptionError> {
        options.number(name)
    }

    fn set(&mut self, value: f64) -> bool {
        *self = value;
        true
    }
}

/// A number whose being zero or not chooses the formula.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factor(pub f64);

impl Readable for Factor {
    fn read(options: &Options, name: &'static str) -> Result<Self, OptionError> {
        options.number(name).map(Factor)
    }

    fn set(&mut self, value: f64) -> bool {
        let same = (self.0 == 0.0) == (value == 0.0);
        if same {
            self.0 = value;
        }
        same
    }
}

/// What is None in Python; it is among the options only as a number.
impl Readable for Option<f64> {
    fn read(options: &Options, name: &'static str) -> Result<Self, OptionError> {
        options.0.get(name).map(|_| options.number(name)).transpose()
    }
}

impl Readable for bool {
    fn read(options: &Options, name: &'static str) -> Result<Self, OptionError> {
        options.flag(name)
    }
}

impl Readable for String {
    fn read(options: &Options, name: &'static str) -> Result<Self, OptionError> {
        options.word(name).map(str::to_owned)
    }
}

impl Readable for (f64, f64) {
    fn read(options: &Options, name: &'static str) -> Result<Self, OptionError> {
        options.pair(name)
    }
}

/// Two decay rates with their powers.
pub(super) struct DecayRates(pub(super) (f64, f64), pub(super) (Powers, Powers));

impl Readable for DecayRates {
    fn read(options: &Options, name: &'static str) -> Result<Self, OptionError> {
        let rates = options.pair(name)?;
        Ok(DecayRates(rates, (Powers::new(rates.0), Powers::new(rates.1))))
    }
}

impl DecayRates {
    /// The two scalars of Adam's bias corrections: `lr/(1 - b1^t)`, and `1/sqrt(1 - b2^t)`.
    pub(super) fn corrections(&self, lr: f64, t: u64) -> (f64, f64) {
        let DecayRates(_, (first, second)) = self;
        (lr / first.correction(t), 1.0 / second.correction(t).sqrt())
    }

    /// Both in one factor, which leaves eps uncorrected: `lr*sqrt(1 - b2^t)/(1 - b1^t)`.
    pub(super) fn correction_before_eps(&self, lr: f64, t: u64) -> f64 {
        let DecayRates(_, (first, second)) = self;
        lr * second.correction(t).sqrt() / first.correction(t)
    }
}

/// Three decay rates with their powers.
pub(super) struct ThreeDecayRates(pub(super) [f64; 3], pub(super) [Powers; 3]);

impl Readable for ThreeDecayRates {
    fn read(options: &Options, name: &'static str) -> Result<Self, OptionError> {
        let rates = options.triple(name)?;
        Ok(ThreeDecayRates(rates, rates.map(Powers::new)))
    }
}

/// What `options!` makes of a declaration such as `Adam { lr: f64, betas: DecayRates, .. }`.
pub trait Declared {
    fn read(options: &Options) -> Result<Self, OptionError>
    where
        Self: Sized;
    /// Takes another number for one option. False, with nothing changed, where more follows from
    /// it than scalars and the states' initial values: then all options are read anew.
    fn set(&mut self, name: &str, value: f64) -> bool;
}

/// A struct of options by the names that they have in Python, each read by its type.
macro_rules! options {
    ($(#[$about:meta])* $visible:vis $name:ident { $($option:ident: $kind:ty),+ $(,)? }) => {
        $(#[$about])*
        $visible struct $name {
            $($option: $kind),+
        }

        impl $crate::rules::options::Declared for $name {
            fn read(
                options: &$crate::rules::Options,
            ) -> Result<Self, $crate::rules::OptionError> {
                use $crate::rules::options::Readable;
                Ok($name { $($option: Readable::read(options, stringify!($option))?),+ })
            }

            fn set(&mut self, name: &str, value: f64) -> bool {
                use $crate::rules::options::Readable;
                $(if name == stringify!($option) {
                    return Readable::set(&mut self.$option, value);
                })+
                false
            }
        }
    };
}
pub(super) use options;

impl FromIterator<(String, Value)> for Options {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(items: I) -> Self {
        Options(items.into_iter().collect())
    }
}
