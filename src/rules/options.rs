//! The options of a group, by the names that they have in Python.

use std::collections::HashMap;

use thiserror::Error;

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Number(f64),
    Flag(bool),
    Word(String),
    Pair(f64, f64),
}

#[derive(Clone, Debug, Default)]
pub struct Options(HashMap<String, Value>);

/// Python validates options and words its errors; these are what is left to go wrong when a
/// class and its rule disagree.
#[derive(Debug, Error)]
pub enum OptionError {
    #[error("the rule has no option {0:?} of the type it needs")]
    Missing(&'static str),
    #[error("no rule is called {0:?}")]
    UnknownRule(String),
}

impl Options {
    pub fn number(&self, name: &'static str) -> Result<f64, OptionError> {
        match self.0.get(name) {
            Some(Value::Number(value)) => Ok(*value),
            _ => Err(OptionError::Missing(name)),
        }
    }

    pub fn flag(&self, name: &'static str) -> Result<bool, OptionError> {
        match self.0.get(name) {
            Some(Value::Flag(value)) => Ok(*value),
            _ => Err(OptionError::Missing(name)),
        }
    }

    pub fn word(&self, name: &'static str) -> Result<&str, OptionError> {
        match self.0.get(name) {
            Some(Value::Word(value)) => Ok(value),
            _ => Err(OptionError::Missing(name)),
        }
    }

    pub fn pair(&self, name: &'static str) -> Result<(f64, f64), OptionError> {
        match self.0.get(name) {
            Some(Value::Pair(first, second)) => Ok((*first, *second)),
            _ => Err(OptionError::Missing(name)),
        }
    }
}

impl FromIterator<(String, Value)> for Options {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(items: I) -> Self {
        Options(items.into_iter().collect())
    }
}
