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

    /// The first of the two buckets of `count` that may hold the key.
    #[inline]
    pub(crate) fn first_bucket(self, count: usize) -> usize {
        scale(self.0, count)
    }

    /// The two buckets of `count` that may hold the key: two different ones, if there are as many, lest keys whose bucket is
    /// full find no room in a table that has some.
    ///
    /// # Panics
    /// If `count` is 0.
    #[inline]
    pub(crate) fn buckets(self, count: usize) -> [usize; 2] {
        let first = self.first_bucket(count);
        let second = first + 1 + scale(self.0.rotate_left(32).wrapping_mul(SPREAD), count - 1);
        [first, if second < count { second } else { second - count }]
    }

    /// What a slot keeps of the hash.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
    pub(crate) fn tag(self) -> u32 {
        self.0 as u32
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
    fn a_key_has_two_different_buckets_where_there_are_two() {
        for (count, hash) in
            (2..9).flat_map(|count| (0..1000).map(move |hash| (count, Hash(SPREAD.wrapping_mul(hash)))))
        {
            let [first, second] = hash.buckets(count);
            assert!(first != second && first < count && second < count, "{first} and {second} of {count}");
        }
        assert_eq!(Hash(5).buckets(1), [0, 0]);
    }

    #[test]
    fn the_secret_decides() {
        let key = Key::default();
        let one = KeyHasher::new([1, 2, 3, 4]);
        assert_eq!(one.hash(&key), KeyHasher::new([1, 2, 3, 4]).hash(&key));
        assert_ne!(one.hash(&key), KeyHasher::new([1, 2, 3, 5]).hash(&key));
    }
}
