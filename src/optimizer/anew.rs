//! A step whose parameters come anew, as a repetition of the last one: other memory, nothing else.

use super::asked::Asked;
use super::elsewhere::Elsewhere;
use super::kept::Optimizer;
use super::refusal::Refusal;

/// One parameter of such a step.
pub struct Anew<G> {
    /// Its values.
    pub source: G,
    /// The array for the new ones.
    pub new: G,
    pub gradient: G,
}

impl<H: Elsewhere> Optimizer<H> {
    /// Does the step, if it differs from the last one in nothing but where parameters and gradients
    /// lie. False, and nothing done, if there is more to it: then `step` finds out what.
    ///
    /// # Safety
    /// All arrays are held until it returns, and each `new` one has memory that nothing else uses.
    pub unsafe fn repeat_anew(
        &mut self,
        caller: H::Caller<'_>,
        given: &[Anew<H::Given<'_>>],
        asked: &Asked,
    ) -> Result<bool, Refusal> {
        self.check_call(given.len())?;
        let last = &mut *self.last;
        let Some(repeatable) = &last.repeatable else { return Ok(false) };
        let Some(states) = repeatable.of_new(self.epoch, asked) else { return Ok(false) };
        for (i, (slot, given)) in self.slots.iter().zip(given).enumerate() {
            let (header, kind) = (&slot.header, slot.header.format.kind);
            let place = |array| H::beside(caller, header, array);
            let places = (place(&given.new), place(&given.source), place(&given.gradient));
            let (Some(p), Some(from), Some(g)) = places else { return Ok(false) };
            let read = [header.range_from(from.0, from.1), header.range_from(g.0, g.1)];
            let clear = read.into_iter().all(|range| states.hits(range).next().is_none());
            let alike = p.1 == kind && from.1 == kind && slot.has_its_states(caller);
            let arrays = (p.0 as *mut u8, from.0 as *const u8);
            if !clear || !alike || !last.plan.replace_arrays(i, arrays, (g.0 as *const u8, g.1)) {
                return Ok(false); // with a plan that is never run: all of it is replaced, or made anew
            }
        }
        // SAFETY: the arrays are held, lie as the plan's did and where the plan has them now; the new
        // ones are nobody's else, and what is read overlaps no state.
        unsafe { self.run_again(caller, asked.grad_scale) };
        Ok(true)
    }
}
