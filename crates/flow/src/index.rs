//! The index of a table: buckets of a cache line whose slots point at entries.
//!
//! A key has two buckets. It is put into its first one, or, when that is full, into its second one; when both are full, one of
//! the keys there goes to its other bucket. A bucket has eight slots, and there are two or more for every entry, so that there
//! is practically always room before the table is full. One key in fifty at the most is in its second bucket.
//!
//! No more buckets are used than the keys need: when there are five keys for every two, one is split in two (linear hashing:
//! Litwin, 1980). So the buckets of few flows lie close together and stay in the cache, however large the table is, and no
//! insertion moves more than the keys of one bucket.

use std::num::NonZeroU32;

use wide::u32x8;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::hash::Tag;
use crate::prefetch::prefetch_at;

/// Slots of a bucket.
const SLOTS: usize = 8;

/// Keys for every two buckets in use when one of them is split.
const SPLIT_AT: usize = 5;

/// The most entries for each bucket of a table.
const ENTRIES_PER_BUCKET: usize = 4;

/// Buckets that are used from the beginning.
const FIRST: usize = 64;

/// One cache line of slots: a part of the hash, and where the entry is, counted from 1 (0 is a free slot).
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub(crate) struct Bucket {
    tags: [u32; SLOTS],
    entries: [u32; SLOTS],
}

const _: () = assert!(size_of::<Bucket>() == 64);

impl Bucket {
    /// A bit for each slot, the lowest for the first, that holds `tag`, even if it is free. All are compared at once: to
    /// branch on each the processor could only guess.
    #[inline(always)]
    fn slots_of(&self, tag: Tag) -> u32 {
        u32x8::new(self.tags).simd_eq(u32x8::splat(tag.get())).to_bitmask()
    }

    fn has_room(&self) -> bool {
        self.entries.contains(&0)
    }

    /// Puts a key into a free slot; says whether there is one.
    fn put(&mut self, tag: Tag, entry: u32) -> bool {
        let free = self.entries.iter().position(|&entry| entry == 0);
        if let Some(slot) = free {
            (self.tags[slot], self.entries[slot]) = (tag.get(), entry);
        }
        free.is_some()
    }
}

/// An entry's place in its table, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EntryIndex(NonZeroU32);

impl EntryIndex {
    /// The entry before which there are `entries` others.
    pub(crate) fn after(entries: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(entries))
    }

    /// From what a slot or a free list holds: 0 for none.
    #[inline]
    pub(crate) fn from_slot(slot: u32) -> Option<Self> {
        NonZeroU32::new(slot).map(Self)
    }

    pub(crate) fn slot(self) -> u32 {
        self.0.get()
    }

    #[inline]
    pub(crate) fn get(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// The places of the bits that are set in a number, lowest first.
struct Bits(u32);

impl Iterator for Bits {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let lowest = (self.0 != 0).then(|| self.0.trailing_zeros() as usize);
        self.0 &= self.0.wrapping_sub(1);
        lowest
    }
}

/// How many buckets a table of `entries` entries has: a power of two.
pub(crate) const fn buckets_for(entries: usize) -> usize {
    entries.div_ceil(ENTRIES_PER_BUCKET).next_power_of_two()
}

/// A key that could go to another bucket.
struct Movable {
    bucket: usize,
    slot: usize,
    other: usize,
}

/// Where keys are.
pub(crate) struct Index<'m> {
    buckets: &'m mut [Bucket],
    /// How many of them are in use.
    used: usize,
    /// The largest power of two that is not more than those.
    round: usize,
}

impl<'m> Index<'m> {
    /// An empty index on zeroed memory, a power of two of buckets.
    pub(crate) fn new(buckets: &'m mut [Bucket]) -> Self {
        let used = buckets.len().min(FIRST);
        Self { buckets, used, round: used }
    }

    /// The bucket in use that has the part of a key's hash.
    #[inline(always)]
    fn bucket(&self, hash: u32) -> usize {
        let bucket = hash as usize & (2 * self.round - 1);
        // Until it is used the one that it will be split from has what belongs there.
        if bucket < self.used { bucket } else { bucket - self.round }
    }

    #[inline(always)]
    fn first(&self, tag: Tag) -> usize {
        self.bucket(tag.get())
    }

    /// The two buckets that may hold a key: two different ones, if there are as many, lest keys whose bucket is full find no
    /// room in a table that has some.
    #[inline]
    fn both(&self, tag: Tag) -> [usize; 2] {
        [self.first(tag), self.bucket(tag.second())]
    }

    /// Asks for the first bucket of a key.
    #[inline]
    pub(crate) fn prefetch(&self, tag: Tag) {
        prefetch_at(self.buckets, self.first(tag));
    }

    /// The entry that a key with `tag` most likely has, by its first bucket. If there is none it asks for the second one.
    #[inline]
    pub(crate) fn likely(&self, tag: Tag) -> Option<EntryIndex> {
        let likely = self.likely_in(self.first(tag), tag);
        if likely.is_none() {
            self.prefetch_second(tag);
        }
        likely
    }

    #[cold]
    fn prefetch_second(&self, tag: Tag) {
        prefetch_at(self.buckets, self.bucket(tag.second()));
    }

    /// As [`Index::likely`], by the second bucket.
    #[inline]
    pub(crate) fn likely_elsewhere(&self, tag: Tag) -> Option<EntryIndex> {
        self.likely_in(self.bucket(tag.second()), tag)
    }

    #[inline]
    fn likely_in(&self, bucket: usize, tag: Tag) -> Option<EntryIndex> {
        let bucket = &self.buckets[bucket];
        // One that was given back has no entry any more, and is seldom in the way of another.
        let slot = Bits(bucket.slots_of(tag)).next()?;
        EntryIndex::from_slot(bucket.entries[slot % SLOTS])
    }

    /// The entries that a key with `tag` may have.
    #[inline]
    pub(crate) fn candidates(&self, tag: Tag) -> impl Iterator<Item = EntryIndex> {
        let buckets = self.both(tag).map(|bucket| &self.buckets[bucket]);
        let [first, second] = buckets.map(|bucket| bucket.slots_of(tag));
        Bits(first | second << SLOTS)
            .filter_map(move |slot| EntryIndex::from_slot(buckets[slot / SLOTS].entries[slot % SLOTS]))
    }

    /// The entries of all keys in the two buckets of `tag`.
    pub(crate) fn near(&self, tag: Tag) -> impl Iterator<Item = EntryIndex> {
        let slots = self.both(tag).into_iter().flat_map(|bucket| self.buckets[bucket].entries);
        slots.filter_map(EntryIndex::from_slot)
    }

    /// A key in one of the two full buckets of `tag` that finds room in its other bucket.
    fn movable(&self, tag: Tag) -> Option<Movable> {
        self.both(tag).into_iter().find_map(|bucket| {
            (0..SLOTS).find_map(|slot| {
                let [first, second] = self.both(self.tag_at(bucket, slot));
                let other = if first == bucket { second } else { first };
                self.buckets[other].has_room().then_some(Movable { bucket, slot, other })
            })
        })
    }

    fn tag_at(&self, bucket: usize, slot: usize) -> Tag {
        Tag::new(self.buckets[bucket].tags[slot])
    }

    /// Whether [`Index::insert`] would find room.
    pub(crate) fn has_room(&self, tag: Tag) -> bool {
        self.both(tag).into_iter().any(|bucket| self.buckets[bucket].has_room())
            || self.movable(tag).is_some()
    }

    /// Puts in the key with `tag` that has `entry`, one of `keys` keys then; says whether there was room.
    pub(crate) fn insert(&mut self, tag: Tag, entry: EntryIndex, keys: usize) -> bool {
        let inserted = self.both(tag).into_iter().any(|bucket| self.buckets[bucket].put(tag, entry.slot()))
            || self.make_way(tag).is_some_and(|bucket| self.buckets[bucket].put(tag, entry.slot()));
        if 2 * keys > SPLIT_AT * self.used && self.used < self.buckets.len() {
            self.split();
        }
        inserted
    }

    /// Moves a key out of one of the two full buckets of `tag`, which is returned.
    #[cold]
    fn make_way(&mut self, tag: Tag) -> Option<usize> {
        let Movable { bucket, slot, other } = self.movable(tag)?;
        self.relocate(bucket, slot, other).then_some(bucket)
    }

    /// Moves the key in `slot` of `bucket` to bucket `other`; says whether there was room.
    fn relocate(&mut self, bucket: usize, slot: usize, other: usize) -> bool {
        let (tag, entry) = (self.tag_at(bucket, slot), self.buckets[bucket].entries[slot]);
        let moved = self.buckets[other].put(tag, entry);
        if moved {
            self.buckets[bucket].entries[slot] = 0;
        }
        moved
    }

    /// Takes one more bucket into use, for a part of what was in another one.
    #[cold]
    fn split(&mut self) {
        let (old, new) = (self.used - self.round, self.used);
        self.used += 1;
        if self.used == 2 * self.round {
            self.round = self.used;
        }
        for slot in 0..SLOTS {
            let is_free = self.buckets[old].entries[slot] == 0;
            let [first, second] = self.both(self.tag_at(old, slot));
            // A key stays where it is in its first bucket, also if the new one is its second.
            if !is_free && (first == new || first != old && second == new) {
                // There is room: the new one was empty.
                self.relocate(old, slot, new);
            }
        }
    }

    /// Forgets the key with `tag` that has `entry`.
    pub(crate) fn remove(&mut self, tag: Tag, entry: EntryIndex) {
        for bucket in self.both(tag) {
            let slots = &mut self.buckets[bucket].entries;
            if let Some(slot) = slots.iter().position(|&slot| slot == entry.slot()) {
                slots[slot] = 0;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::FromZeros;

    /// A tag like any other, of key number `key`.
    fn tag(key: u32) -> Tag {
        let mixed = |number: u32, factor: u32| (number ^ number >> 16).wrapping_mul(factor);
        Tag::new(mixed(mixed(mixed(key + 1, 0x85eb_ca6b), 0xc2b2_ae35), 1))
    }

    fn entry(key: u32) -> EntryIndex {
        EntryIndex::from_slot(key + 1).unwrap()
    }

    fn holds(index: &Index<'_>, key: u32) -> bool {
        index.candidates(tag(key)).any(|candidate| candidate == entry(key))
    }

    /// Runs `test` on an index of `buckets` buckets with `keys` keys in it.
    fn with_keys(buckets: usize, keys: u32, test: impl FnOnce(Index<'_>)) {
        let mut memory: Vec<Bucket> = std::iter::repeat_with(Bucket::new_zeroed).take(buckets).collect();
        let mut index = Index::new(&mut memory);
        for key in 0..keys {
            assert!(index.insert(tag(key), entry(key), key as usize + 1), "no room for key {key}");
        }
        test(index);
    }

    #[test]
    fn it_grows_with_its_keys_and_loses_none() {
        for keys in [1, 160, 161, 1_000, 4_000, 16_384] {
            with_keys(1 << 12, keys, |index| {
                assert_eq!(
                    index.used,
                    (2 * keys as usize).div_ceil(SPLIT_AT).clamp(FIRST, 1 << 12),
                    "{keys} keys"
                );
                assert!(index.round <= index.used && index.used < 2 * index.round, "{keys} keys");
                assert!((0..keys).all(|key| holds(&index, key)), "{keys} keys");
            });
        }
    }

    #[test]
    fn at_most_one_key_in_fifty_is_in_its_second_bucket() {
        for keys in [200, 3_000, 4_500, 12_000, 16_384] {
            with_keys(1 << 12, keys, |index| {
                let first = (0..keys).filter(|&key| index.likely(tag(key)) == Some(entry(key))).count();
                assert!(50 * first >= 49 * keys as usize, "{first} of {keys}");
            });
        }
    }

    /// Without moving keys four of them would be refused.
    #[test]
    fn it_takes_all_keys_that_the_table_has_entries_for() {
        const KEYS: u32 = 1 << 19;
        with_keys(buckets_for(KEYS as usize), KEYS, |index| assert!((0..KEYS).all(|key| holds(&index, key))));
    }

    #[test]
    fn what_is_removed_is_gone_and_all_else_stays() {
        with_keys(1 << 8, 1 << 10, |mut index| {
            (0..1 << 10).step_by(2).for_each(|key| index.remove(tag(key), entry(key)));
            assert!((0..1 << 10).all(|key| holds(&index, key) == (key % 2 == 1)));
        });
    }

    #[test]
    fn a_key_has_two_different_buckets_where_there_are_two() {
        for buckets in [2, 4, 8] {
            with_keys(buckets, 0, |index| {
                assert!((0..1_000).all(|key| index.both(tag(key))[0] != index.both(tag(key))[1]));
            });
        }
        with_keys(1, 0, |index| assert_eq!(index.both(tag(5)), [0, 0]));
    }
}
