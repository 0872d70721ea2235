//! In-place optimizers for NumPy arrays. `rules`: what is computed; `number`: with what;
//! `engine`: how it is run; `cuda`: the same as the source of a GPU kernel; `optimizer`: a step;
//! `python`: the module `ferrostep._native`.

pub mod cuda;
pub mod engine;
pub mod number;
pub mod optimizer;
mod python;
pub mod rules;
