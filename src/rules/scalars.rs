//! The scalars of a rule: named for whoever reads or prints a rule, a flat block for the engine.

/// The most scalars a rule may have.
pub const MAX_SCALARS: usize = 12;

/// Scalars in float64, in the order of [`Scalars::names`]; unused places are zero.
pub type ScalarBlock = [f64; MAX_SCALARS];

pub trait Scalars<R>: Copy {
    /// How many there are.
    const COUNT: usize;
    fn names() -> Vec<&'static str>;
    fn read(scalar: impl Fn(usize) -> R) -> Self;
    /// Calls `write` with the number and the value of each.
    fn write(self, write: impl FnMut(usize, R));
}

/// A struct of named scalars, readable from a block and writable to one.
macro_rules! scalars {
    ($name:ident { $($field:ident),+ $(,)? }) => {
        #[derive(Clone, Copy)]
        pub(super) struct $name<R> {
            $(pub(super) $field: R),+
        }

        impl<R: Copy> $crate::rules::Scalars<R> for $name<R> {
            const COUNT: usize = [$(stringify!($field)),+].len();

            fn names() -> Vec<&'static str> {
                vec![$(stringify!($field)),+]
            }

            #[inline(always)]
            fn read(scalar: impl Fn(usize) -> R) -> Self {
                let mut next = 0..;
                $(let $field = scalar(next.next().unwrap_or_default());)+
                $name { $($field),+ }
            }

            #[inline(always)]
            fn write(self, mut write: impl FnMut(usize, R)) {
                let mut next = 0..;
                $(write(next.next().unwrap_or_default(), self.$field);)+
            }
        }

        impl $name<f64> {
            pub(super) fn block(self) -> $crate::rules::ScalarBlock {
                let mut block = $crate::rules::ScalarBlock::default();
                $crate::rules::Scalars::write(self, |i, value| block[i] = value);
                block
            }
        }
    };
}
pub(crate) use scalars;
