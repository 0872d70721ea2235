//! The orthogonal matrix beside a given one, by Newton and Schulz: singular values go towards 1 by an
//! odd polynomial, which needs products alone. Bernstein & Newhouse 2024, arXiv:2409.20325; Jordan et
//! al. 2024, kellerjordan.github.io/posts/muon.
//!
//! `X = U / max(|U|, eps)`, and each time `A = X X'`, `B = b*A + c*(A A)`, `X = a*X + B X`. A matrix of
//! more rows than columns is turned over first, so that `A` is small.

use smallvec::smallvec;

use super::Matrix;
use super::kernel::Element;
use super::panels::{Along, Panels};
use super::product::{Combined, Product};
use super::room::Room;
use crate::engine::control::ControlGuard;
use crate::engine::leaf::{Array, Walk};
use crate::engine::measure::{Places, fold_leaves};
use crate::engine::view::View;
use crate::engine::walk::in_c_order;
use crate::engine::{tier, work};
use crate::number::{Format, Precision};
use crate::rules::{GradientNorm, LEAF, NewtonSchulz, norm};

/// The work on one matrix, in a workspace that others have before and after it.
#[derive(Clone, Copy, Debug)]
pub struct Orthogonal {
    /// Of the matrix as it is given.
    shape: [usize; 2],
    precision: Precision,
    settings: NewtonSchulz,
    /// That the workspace is cut for.
    tier: usize,
}

impl Orthogonal {
    pub fn new(shape: [usize; 2], precision: Precision, settings: NewtonSchulz) -> Self {
        Orthogonal { shape, precision, settings, tier: tier::index() }
    }

    /// The cache lines that it needs of a workspace; as many as there are numbers if they are more.
    pub fn lines(&self) -> usize {
        match self.precision {
            Precision::F32 => self.room::<f32>(std::ptr::null_mut()).lines,
            Precision::F64 => self.room::<f64>(std::ptr::null_mut()).lines,
        }
    }

    /// Where the matrix is to be written, in the workspace that begins there.
    pub fn given(&self, workspace: *mut u8) -> View {
        self.view(workspace, 0)
    }

    /// Where the result is, after `run`.
    pub fn result(&self, workspace: *mut u8) -> View {
        self.view(workspace, self.settings.steps)
    }

    /// That of the matrix after so many steps.
    fn view(&self, workspace: *mut u8, steps: usize) -> View {
        match self.precision {
            Precision::F32 => self.view_in(self.room::<f32>(workspace).x[steps % 2]),
            Precision::F64 => self.view_in(self.room::<f64>(workspace).x[steps % 2]),
        }
    }

    fn view_in<R: Element>(&self, x: Matrix<R>) -> View {
        let (near, far) = (size_of::<R>() as isize, (x.stride * size_of::<R>()) as isize);
        let strides = if self.is_tall() { smallvec![near, far] } else { smallvec![far, near] };
        let shape = self.shape.as_slice().into();
        View { data: x.at.cast(), format: Format::native(R::KIND), shape, strides }
    }

    fn is_tall(&self) -> bool {
        self.shape[0] > self.shape[1]
    }

    fn room<R: Element>(&self, workspace: *mut u8) -> Room<R> {
        let [rows, columns] = self.shape;
        let size = (rows.min(columns), rows.max(columns));
        Room::new(size, R::KERNELS[self.tier], workspace)
    }

    /// Makes the result of what was written. It asks for no memory that hangs on sizes.
    ///
    /// # Safety
    /// The workspace has its lines, all of them initialized, and is the caller's alone.
    pub unsafe fn run(&self, workspace: *mut u8, threads: usize) {
        // SAFETY: passed on from the caller.
        unsafe {
            match self.precision {
                Precision::F32 => self.run_in::<f32>(&self.room(workspace), threads),
                Precision::F64 => self.run_in::<f64>(&self.room(workspace), threads),
            }
        }
    }

    /// SAFETY: as for `run`.
    unsafe fn run_in<R: Element>(&self, room: &Room<R>, threads: usize) {
        let _control = ControlGuard::new();
        // SAFETY: passed on from the caller.
        unsafe {
            let norm = self.norm(room, threads);
            // NaN is below nothing.
            let divisor = if norm < self.settings.eps { self.settings.eps } else { norm };
            divide(room.x[0], R::constant(divisor), threads);
            for step in 0..self.settings.steps {
                let [old, new] = [room.x[step % 2], room.x[(step + 1) % 2]];
                self.step(room, old, new, threads);
            }
        }
    }

    /// The square root of the sum of all squares, added up as the norm of gradients is.
    ///
    /// SAFETY: as for `run`.
    unsafe fn norm<R: Element>(&self, room: &Room<R>, threads: usize) -> f64 {
        let view = self.view_in(room.x[0]);
        let (array, axes) = (Array::new(&view, self.precision), in_c_order(&view));
        let walk = Walk::new::<GradientNorm>(array, &axes);
        let (leaves, sums) = (view.len().div_ceil(LEAF), Places(room.sums));
        work::run(leaves, array.bytes(), threads, |numbers| {
            let _control = ControlGuard::new();
            // SAFETY: passed on from the caller; each thread has leaves of its own.
            unsafe { walk.leaves(numbers, |leaf, sum| sums.set(leaf, sum)) };
        });
        // SAFETY: they were all written.
        let sums = unsafe { std::slice::from_raw_parts(room.sums, leaves) };
        norm(fold_leaves(sums.iter().copied()), 1.0)
    }

    /// One step of the iteration.
    ///
    /// SAFETY: as for `run`.
    unsafe fn step<R: Element>(
        &self,
        room: &Room<R>,
        x: Matrix<R>,
        new: Matrix<R>,
        threads: usize,
    ) {
        let [a, b, c] = self.settings.coefficients.map(R::constant);
        let [gram, polynomial] = room.squares;
        // SAFETY: passed on from the caller; no operand is written to while it is read.
        unsafe {
            let pack = |from, along, width, at| Panels::of(from, along, width, at, threads);
            let product = |(left, right, along), to, symmetric, combined| {
                // The rows of a symmetric matrix are its columns too.
                let left = pack(left, along, room.kernel.rows, room.left);
                let right = pack(right, along, room.kernel.columns, room.right);
                Product { kernel: room.kernel, left, right, to, symmetric, combined }.run(threads);
            };
            product((x, x, Along::Rows), gram, true, None);
            let of_gram = Combined { factors: [b, c], other: gram };
            product((gram, gram, Along::Columns), polynomial, true, Some(of_gram));
            let of_x = Combined { factors: [a, R::constant(1.0)], other: x };
            product((polynomial, x, Along::Columns), new, false, Some(of_x));
        }
    }
}

/// SAFETY: nobody else has the matrix.
unsafe fn divide<R: Element>(x: Matrix<R>, divisor: R, threads: usize) {
    let bytes = 2 * size_of::<R>() * x.rows * x.columns;
    work::run(x.rows, bytes, threads, |rows| {
        let _control = ControlGuard::new();
        for row in rows {
            // SAFETY: this thread alone has this row.
            let row = unsafe { std::slice::from_raw_parts_mut(x.place(row, 0), x.columns) };
            row.iter_mut().for_each(|value| *value = *value / divisor);
        }
    });
}
