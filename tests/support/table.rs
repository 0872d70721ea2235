//! The classes and cases of the Python tests, for tests in Rust: `fingerprints.json` has them from
//! the one table, `tests/cases.py`.

#![allow(dead_code, unreachable_pub)] // each of the tests that share it takes a part of it

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ferrostep::rules::{Options, Value};
use serde_json::{Map, Value as Json};

static FILE: LazyLock<Json> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../fingerprints.json")).expect("the file is JSON")
});

/// A rule with all of its options.
#[derive(Clone)]
pub struct Given {
    pub name: String,
    pub rule: String,
    pub values: BTreeMap<String, Value>,
}

impl Given {
    /// A class with its defaults, but for `options`; none if there is no such class.
    pub fn of(class: &str, options: &Map<String, Json>) -> Option<Given> {
        let known = FILE["optimizers"].get(class)?;
        let rule = known["rule"].as_str().expect("a name").to_owned();
        let defaults = known["defaults"].as_object().expect("options are an object");
        let given: BTreeMap<_, _> = defaults.iter().chain(options).collect();
        let given = given.into_iter().filter(|(_, value)| !value.is_null());
        let values = given.map(|(name, json)| (name.clone(), value(json))).collect();
        Some(Given { name: class.to_owned(), rule, values })
    }

    /// The same, but for these options.
    pub fn with(mut self, options: &[(&str, Value)]) -> Given {
        self.values.extend(options.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        self
    }

    pub fn options(&self) -> Options {
        self.values.clone().into_iter().collect()
    }
}

fn value(json: &Json) -> Value {
    let number = |json: &Json| json.as_f64().expect("a number");
    match json {
        Json::Bool(flag) => Value::Flag(*flag),
        // None in a pair is NaN, as the rules have it.
        Json::Array(some) => {
            match some.iter().map(|one| one.as_f64().unwrap_or(f64::NAN)).collect::<Vec<_>>()[..] {
                [first, second] => Value::Pair(first, second),
                [first, second, third] => Value::Triple(first, second, third),
                _ => panic!("two numbers or three"),
            }
        }
        Json::String(text) if text == "inf" => Value::Number(f64::INFINITY),
        Json::String(word) => Value::Word(word.clone()),
        other => Value::Number(number(other)),
    }
}

/// All cases of the table, in an order of their own.
pub fn cases() -> Vec<Given> {
    let cases = FILE["cases"].as_object().expect("cases are an object");
    let read = |(name, case): (&String, &Json)| {
        let options = case["options"].as_object().expect("options are an object");
        let class = case["optimizer"].as_str().expect("a name");
        let given = Given::of(class, options).expect("a case of a class that is not there");
        Given { name: name.clone(), ..given }
    };
    cases.iter().map(read).collect()
}

/// Every class with its defaults.
pub fn classes() -> Vec<Given> {
    let classes = FILE["optimizers"].as_object().expect("classes are an object");
    classes.keys().map(|name| Given::of(name, &Map::new()).expect("it is there")).collect()
}
