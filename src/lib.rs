//! In-place optimizers for NumPy arrays. `rules`: what is computed; `number`: with what;
//! `engine`: how it is run; `python`: the module `ferrostep._native`.

pub mod engine;
pub mod number;
mod python;
pub mod rules;
