//! The table of one shard: buckets of a cache line that point into an array of entries.
//!
//! A key has two buckets. It is put into its first one, or, when that is crowded, into the emptier; a bucket has eight slots,
//! and there are two slots for every entry, so that a bucket is practically never full before the table is. A hit costs two
//! misses, one after the other: the first bucket and the entry. In a full table one key in twenty, in a half full one three in
//! a thousand are in their second bucket, and cost one more.

use std::num::NonZeroU32;

use wide::u32x8;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::entry::Entry;
use crate::prefetch::prefetch;
use crate::{Hash, Key};

/// Slots of a bucket.
const SLOTS: usize = 8;

/// Slots of a bucket that are taken when it is crowded.
const CROWDED: usize = 6;

/// Entries for each bucket, which makes 16 octets of index an entry.
pub(crate) const ENTRIES_PER_BUCKET: usize = 4;

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
    fn slots_of(&self, tag: u32) -> u32 {
        u32x8::new(self.tags).simd_eq(u32x8::splat(tag)).to_bitmask()
    }

    fn free_slots(&self) -> usize {
        self.entries.iter().filter(|&&entry| entry == 0).count()
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

/// An entry's place in its table, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EntryIndex(NonZeroU32);

impl EntryIndex {
    /// The entry before which there are `entries` others.
    fn after(entries: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(entries))
    }

    /// From what a slot or a free list holds: 0 for none.
    #[inline]
    fn from_slot(slot: u32) -> Option<Self> {
        NonZeroU32::new(slot).map(Self)
    }

    fn slot(self) -> u32 {
        self.0.get()
    }

    #[inline]
    fn get(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// The buckets and entries of one shard.
pub(crate) struct Table<'m> {
    buckets: &'m mut [Bucket],
    entries: &'m mut [Entry],
    /// The first of the entries that were given back, as a slot holds it.
    free: u32,
    /// Entries from here on were never used.
    untouched: u32,
    live: u32,
}

impl<'m> Table<'m> {
    /// An empty table on zeroed memory.
    pub(crate) fn new(buckets: &'m mut [Bucket], entries: &'m mut [Entry]) -> Self {
        Self { buckets, entries, free: 0, untouched: 0, live: 0 }
    }

    pub(crate) fn live(&self) -> u32 {
        self.live
    }

    /// Asks for the first bucket of a key.
    #[inline]
    pub(crate) fn prefetch_bucket(&self, hash: Hash) {
        prefetch(&self.buckets[hash.first_bucket(self.buckets.len())]);
    }

    /// The entries whose tag is that of `hash`, in both buckets.
    #[inline]
    fn candidates(&self, hash: Hash) -> impl Iterator<Item = EntryIndex> {
        let buckets = hash.buckets(self.buckets.len()).map(|bucket| &self.buckets[bucket]);
        let [first, second] = buckets.map(|bucket| bucket.slots_of(hash.tag()));
        Bits(first | second << SLOTS)
            .filter_map(move |slot| EntryIndex::from_slot(buckets[slot / SLOTS].entries[slot % SLOTS]))
    }

    /// Asks for the entry that [`Table::find`] will most likely find in the first bucket, and returns which it is. If there is
    /// none it asks for the second bucket.
    #[inline]
    pub(crate) fn prefetch_entry(&self, hash: Hash) -> Option<EntryIndex> {
        let candidate = self.prefetch_entry_of(hash.first_bucket(self.buckets.len()), hash);
        if candidate.is_none() {
            self.prefetch_second_bucket(hash);
        }
        candidate
    }

    #[cold]
    fn prefetch_second_bucket(&self, hash: Hash) {
        let [_, second] = hash.buckets(self.buckets.len());
        prefetch(&self.buckets[second]);
    }

    /// As [`Table::prefetch_entry`], in the second bucket.
    #[inline]
    pub(crate) fn prefetch_entry_elsewhere(&self, hash: Hash) -> Option<EntryIndex> {
        let [_, second] = hash.buckets(self.buckets.len());
        self.prefetch_entry_of(second, hash)
    }

    #[inline]
    fn prefetch_entry_of(&self, bucket: usize, hash: Hash) -> Option<EntryIndex> {
        let bucket = &self.buckets[bucket];
        let slots = bucket.slots_of(hash.tag());
        // One that was given back has no entry any more, and is seldom in the way of another.
        let slot = slots.trailing_zeros() as usize % SLOTS;
        let candidate = EntryIndex::from_slot(bucket.entries[slot]).filter(|_| slots != 0)?;
        let entry = &self.entries[candidate.get()];
        prefetch(&entry.key);
        prefetch(&entry.last_seen);
        Some(candidate)
    }

    #[inline]
    pub(crate) fn find(&self, hash: Hash, key: &Key) -> Option<EntryIndex> {
        self.candidates(hash).find(|&entry| self.entries[entry.get()].is_of(key))
    }

    #[inline]
    pub(crate) fn entry(&self, index: EntryIndex) -> &Entry {
        &self.entries[index.get()]
    }

    #[inline]
    pub(crate) fn entry_mut(&mut self, index: EntryIndex) -> &mut Entry {
        &mut self.entries[index.get()]
    }

    /// Whether [`Table::insert`] would find room for a key of this hash.
    pub(crate) fn has_room(&self, hash: Hash) -> bool {
        self.free_entry().is_some() && self.bucket_for(hash).is_some()
    }

    /// Takes an entry for a key that is not in the table; `None` when there is no room. The caller fills it.
    pub(crate) fn insert(&mut self, hash: Hash) -> Option<EntryIndex> {
        let index = self.free_entry()?;
        let bucket = self.bucket_for(hash)?;
        if index.get() == self.untouched as usize {
            self.untouched += 1;
        } else {
            self.free = self.entries[index.get()].next_free();
        }
        let bucket = &mut self.buckets[bucket];
        let slot = bucket.entries.iter().position(|&entry| entry == 0)?;
        bucket.tags[slot] = hash.tag();
        bucket.entries[slot] = index.slot();
        self.live += 1;
        Some(index)
    }

    /// Of the entries in a key's two buckets the one that was idle for longest; `None` when both are empty.
    pub(crate) fn idlest_near(&self, hash: Hash) -> Option<EntryIndex> {
        let buckets = hash.buckets(self.buckets.len());
        let slots = buckets.into_iter().flat_map(|bucket| self.buckets[bucket].entries);
        slots.filter_map(EntryIndex::from_slot).min_by_key(|&index| self.entry(index).last_seen)
    }

    fn free_entry(&self) -> Option<EntryIndex> {
        EntryIndex::from_slot(self.free).or_else(|| {
            ((self.untouched as usize) < self.entries.len()).then(|| EntryIndex::after(self.untouched))
        })
    }

    /// The bucket that a key is put into: the first one, or, when that is crowded, the one of the two that has more free slots;
    /// `None` when both are full.
    fn bucket_for(&self, hash: Hash) -> Option<usize> {
        let [first, second] = hash.buckets(self.buckets.len());
        let here = self.buckets[first].free_slots();
        if here > SLOTS - CROWDED {
            return Some(first);
        }
        let there = self.buckets[second].free_slots();
        (here.max(there) > 0).then_some(if there > here { second } else { first })
    }

    /// Gives an entry back, whose key hashes to `hash`.
    pub(crate) fn remove(&mut self, hash: Hash, index: EntryIndex) {
        for bucket in hash.buckets(self.buckets.len()) {
            let slots = &mut self.buckets[bucket].entries;
            if let Some(slot) = slots.iter().position(|&entry| entry == index.slot()) {
                slots[slot] = 0;
                break;
            }
        }
        self.entries[index.get()].vacate(self.free);
        self.free = index.slot();
        self.live -= 1;
    }

    /// All entries that hold a flow.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries[..self.untouched as usize].iter().filter(|entry| entry.is_live())
    }

    /// The entry at `hand`, with its index, in a round through all that were ever used; `None` when there is none.
    pub(crate) fn at(&self, hand: u32) -> Option<(EntryIndex, &Entry)> {
        (hand < self.untouched).then(|| (EntryIndex::after(hand), &self.entries[hand as usize]))
    }

    /// Asks for what tells whether the flows of `count` entries from `hand` on are over.
    pub(crate) fn prefetch_from(&self, hand: u32, count: usize) {
        let entries = self.entries.get(hand as usize..).unwrap_or_default();
        entries.iter().take(count).for_each(|entry| prefetch(&entry.last_seen));
    }

    /// The hand after it has passed `index`.
    pub(crate) fn after(&self, index: EntryIndex) -> u32 {
        let next = index.slot();
        if next < self.untouched { next } else { 0 }
    }
}
