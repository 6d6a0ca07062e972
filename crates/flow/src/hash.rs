//! The keyed hash of flow keys: nobody who cannot read our memory can aim packets at one bucket.

use std::hash::{BuildHasher, Hasher};

use crate::Key;

/// Hashes keys under a secret. All workers of a process share one, so that they agree who owns a flow.
#[derive(Debug, Clone)]
pub struct KeyHasher(ahash::RandomState);

/// The hash of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hash(u64);

/// An odd number close to 2^64 divided by the golden ratio, whose products spread well.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl KeyHasher {
    /// A hasher under `secret`, which should be fresh from the system's generator at each start.
    #[must_use]
    pub fn new(secret: [u64; 4]) -> Self {
        let [a, b, c, d] = secret;
        Self(ahash::RandomState::with_seeds(a, b, c, d))
    }

    /// The hash of `key`: the same for both directions, since keys have a local and a remote end.
    #[must_use]
    #[inline(always)]
    pub fn hash(&self, key: &Key) -> Hash {
        let mut hasher = self.0.build_hasher();
        let (local, remote, ends) = key.parts();
        hasher.write_u128(local);
        hasher.write_u128(remote);
        hasher.write_u64(ends);
        Hash(hasher.finish())
    }
}

impl Hash {
    /// Which of `count` equal parts the key belongs to: a worker's shard, for example. 0 when there are none.
    #[must_use]
    #[inline]
    pub fn pick(self, count: usize) -> usize {
        scale(self.0.wrapping_mul(SPREAD).rotate_left(32), count)
    }

    /// What an index keeps of the hash. [`Hash::pick`] has nothing of it.
    #[inline]
    pub(crate) fn tag(self) -> Tag {
        Tag((self.0 >> 32) as u32)
    }
}

/// The part of a hash that says in which buckets of an index the key is, and which of the slots there is most likely its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag(u32);

impl Tag {
    pub(crate) const fn new(tag: u32) -> Self {
        Self(tag)
    }

    #[inline]
    pub(crate) const fn get(self) -> u32 {
        self.0
    }

    /// The same for a key's second bucket: always different in the lowest bit, by which buckets differ however few there are.
    #[inline]
    pub(crate) const fn second(self) -> u32 {
        const SPREAD_32: u32 = (SPREAD >> 32) as u32;
        self.0 ^ (self.0.wrapping_mul(SPREAD_32) >> 3 | 1)
    }
}

/// Scales the full range of `value` down to `0..count` by its high bits.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the product's high half is under count")]
fn scale(value: u64, count: usize) -> usize {
    ((u128::from(value) * count as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_range_and_nothing_else() {
        assert_eq!(scale(0, 7), 0);
        assert_eq!(scale(u64::MAX, 7), 6);
        assert_eq!(scale(u64::MAX / 2, 8), 3);
        assert_eq!(Hash(5).pick(0), 0);
    }

    #[test]
    fn the_secret_decides() {
        let key = Key::default();
        let one = KeyHasher::new([1, 2, 3, 4]);
        assert_eq!(one.hash(&key), KeyHasher::new([1, 2, 3, 4]).hash(&key));
        assert_ne!(one.hash(&key), KeyHasher::new([1, 2, 3, 5]).hash(&key));
    }
}
