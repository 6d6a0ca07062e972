//! A hint to the processor, and the crate's only `unsafe`.

/// Asks for the cache line of `place`; changes nothing else.
#[inline]
#[allow(unsafe_code, reason = "the one stated exception: there is no stable safe prefetch")]
pub(crate) fn prefetch<T>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch never faults and reads nothing into the program, whatever the address; SSE is part of
        // x86_64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(place).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}
