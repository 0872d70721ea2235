//! The floating-point control register: round to nearest, keep subnormals, while we work.

/// Sets the default floating-point environment until dropped, then restores what it found.
///
/// Other libraries set flush-to-zero or another rounding for the whole thread.
#[derive(Debug)]
pub struct ControlGuard {
    found: u64,
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod register {
    use std::arch::asm;

    /// All exceptions masked, nearest-even, no flush-to-zero, no denormals-are-zero.
    pub(super) const DEFAULT: u64 = 0x1F80;
    /// The sticky exception flags, which are not control.
    pub(super) const FLAGS: u64 = 0x3F;

    pub(super) fn read() -> u64 {
        let mut value = 0u32;
        // SAFETY: stmxcsr stores four bytes to the place it is given.
        unsafe { asm!("stmxcsr [{}]", in(reg) &mut value, options(nostack, preserves_flags)) };
        value.into()
    }

    pub(super) fn write(value: u64) {
        let value = value as u32;
        // SAFETY: the value was read from the register or is its documented default.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &value, options(nostack, preserves_flags)) };
    }
}

#[cfg(all(target_arch = "aarch64", not(miri)))]
mod register {
    use std::arch::asm;

    pub(super) const DEFAULT: u64 = 0;
    pub(super) const FLAGS: u64 = 0;

    pub(super) fn read() -> u64 {
        let value: u64;
        // SAFETY: reading FPCR has no side effect.
        unsafe { asm!("mrs {}, fpcr", out(reg) value, options(nomem, nostack)) };
        value
    }

    pub(super) fn write(value: u64) {
        // SAFETY: the value was read from the register or is its default.
        unsafe { asm!("msr fpcr, {}", in(reg) value, options(nostack)) };
    }
}

/// Of other processors; and Miri knows no assembly.
#[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod register {
    pub(super) const DEFAULT: u64 = 0;
    pub(super) const FLAGS: u64 = 0;

    pub(super) fn read() -> u64 {
        DEFAULT
    }

    pub(super) fn write(_value: u64) {}
}

impl ControlGuard {
    #[allow(clippy::new_without_default)] // a default value would hide that this acts
    pub fn new() -> Self {
        let found = register::read();
        if found & !register::FLAGS != register::DEFAULT {
            register::write(register::DEFAULT);
        }
        ControlGuard { found }
    }
}

impl Drop for ControlGuard {
    fn drop(&mut self) {
        if self.found & !register::FLAGS != register::DEFAULT {
            register::write(self.found);
        }
    }
}

#[cfg(all(test, target_arch = "x86_64", not(miri)))]
mod tests {
    use super::{ControlGuard, register};

    #[test]
    fn foreign_flush_to_zero_is_lifted_and_restored() {
        let before = register::read();
        register::write(0x1F80 | 0x8040 | 0x2000); // flush both ways, round down
        let foreign = register::read();
        {
            let _guard = ControlGuard::new();
            let half = std::hint::black_box(f32::MIN_POSITIVE) * std::hint::black_box(0.5);
            assert!(half > 0.0);
        }
        assert_eq!(register::read() & !0x3F, foreign & !0x3F);
        register::write(before);
    }
}
