//! Map.
pub mod engine;
pub mod number;
pub mod rules;
