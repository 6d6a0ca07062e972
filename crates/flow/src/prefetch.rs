//! A hint to the processor, and the crate's only `unsafe`.

/// Octets of a cache line.
const LINE: usize = 64;

/// Asks for all cache lines of the one at `index` of `places`; changes nothing else. Whether there is one is not asked, which would take as long:
/// where there is none, nothing is what comes.
#[inline(always)]
pub(crate) fn prefetch_at<T>(places: &[T], index: usize) {
    let place = places.as_ptr().wrapping_add(index).cast::<u8>();
    (0..size_of::<T>()).step_by(LINE).for_each(|line| prefetch_line(place.wrapping_add(line)));
}

#[inline(always)]
#[allow(unsafe_code, reason = "the one stated exception: there is no stable safe prefetch")]
fn prefetch_line(line: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch never faults and reads nothing into the program, whatever the address; SSE is part of
        // x86_64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}
