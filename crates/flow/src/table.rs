//! The table of one shard: an array of entries, and an index that says where in it a key is. A hit costs two misses, one after
//! the other: a bucket of the index and the entry; one more for the few keys that are in their second bucket.

use crate::entry::Entry;
use crate::index::{Bucket, EntryIndex, Index};
use crate::past::Past;
use crate::prefetch::prefetch_at;
use crate::{FlowRecord, Hash, Horizon, Instant, Key, Side};

/// The index and entries of one shard.
pub(crate) struct Table<'m> {
    index: Index<'m>,
    entries: &'m mut [Entry],
    /// One for each entry.
    pasts: &'m mut [Past],
    /// The first of the entries that were given back, as a slot holds it.
    free: u32,
    /// Entries from here on were never used.
    untouched: u32,
    live: u32,
}

impl<'m> Table<'m> {
    /// An empty table on zeroed memory, with a power of two of buckets, and as many pasts as entries.
    pub(crate) fn new(buckets: &'m mut [Bucket], entries: &'m mut [Entry], pasts: &'m mut [Past]) -> Self {
        Self { index: Index::new(buckets), entries, pasts, free: 0, untouched: 0, live: 0 }
    }

    pub(crate) fn live(&self) -> u32 {
        self.live
    }

    /// Asks for the first bucket of a key.
    #[inline]
    pub(crate) fn prefetch_bucket(&self, hash: Hash) {
        self.index.prefetch(hash.tag());
    }

    /// Asks for the entry that [`Table::find`] will most likely find by the first bucket, and returns which it is. If there is
    /// none it asks for the second bucket.
    #[inline]
    pub(crate) fn prefetch_entry(&self, hash: Hash) -> Option<EntryIndex> {
        self.index.likely(hash.tag()).inspect(|likely| prefetch_at(self.entries, likely.get()))
    }

    /// As [`Table::prefetch_entry`], by the second bucket.
    #[inline]
    pub(crate) fn prefetch_entry_elsewhere(&self, hash: Hash) -> Option<EntryIndex> {
        self.index.likely_elsewhere(hash.tag()).inspect(|likely| prefetch_at(self.entries, likely.get()))
    }

    #[inline]
    pub(crate) fn find(&self, hash: Hash, key: &Key) -> Option<EntryIndex> {
        self.index.candidates(hash.tag()).find(|&candidate| self.entry(candidate).is_of(key))
    }

    #[inline]
    pub(crate) fn entry(&self, index: EntryIndex) -> &Entry {
        &self.entries[index.get()]
    }

    /// Asks for the past of the flow at `index`.
    #[inline]
    pub(crate) fn prefetch_past(&self, index: EntryIndex) {
        prefetch_at(self.pasts, index.get());
    }

    /// All that there is of the flow at `index`.
    #[inline(always)]
    pub(crate) fn flow_mut(&mut self, index: EntryIndex) -> (&mut Entry, &mut Past) {
        (&mut self.entries[index.get()], &mut self.pasts[index.get()])
    }

    /// What the flow at `index` has been through until `now`.
    pub(crate) fn record(&self, index: EntryIndex, now: Instant) -> FlowRecord {
        self.entry(index).record(&self.pasts[index.get()], now)
    }

    /// When the flow at `index` was last seen.
    fn last_seen(&self, index: EntryIndex) -> Instant {
        self.entry(index).last_seen(&self.pasts[index.get()])
    }

    /// Whether the flow at `index` was idle for too long.
    #[inline]
    pub(crate) fn is_over(&self, index: EntryIndex, horizon: Horizon) -> bool {
        let entry = self.entry(index);
        entry.may_be_over(Side::Host, horizon)
            && entry.may_be_over(Side::Wire, horizon)
            && self.last_seen(index) < horizon.0
    }

    /// Whether [`Table::insert`] would find room for a key of this hash.
    pub(crate) fn has_room(&self, hash: Hash) -> bool {
        self.free_entry().is_some() && self.index.has_room(hash.tag())
    }

    /// Takes an entry for a key that is not in the table; `None` when there is no room. The caller fills it.
    pub(crate) fn insert(&mut self, hash: Hash) -> Option<EntryIndex> {
        let entry = self.free_entry()?;
        if !self.index.insert(hash.tag(), entry, self.live as usize + 1) {
            return None;
        }
        if entry.get() == self.untouched as usize {
            self.untouched += 1;
        } else {
            self.free = self.entry(entry).next_free();
        }
        self.live += 1;
        Some(entry)
    }

    /// Of the entries in a key's two buckets the one that was idle for longest; `None` when both are empty.
    pub(crate) fn idlest_near(&self, hash: Hash) -> Option<EntryIndex> {
        self.index.near(hash.tag()).min_by_key(|&entry| self.last_seen(entry))
    }

    fn free_entry(&self) -> Option<EntryIndex> {
        EntryIndex::from_slot(self.free).or_else(|| {
            ((self.untouched as usize) < self.entries.len()).then(|| EntryIndex::after(self.untouched))
        })
    }

    /// Gives an entry back, whose key hashes to `hash`.
    pub(crate) fn remove(&mut self, hash: Hash, index: EntryIndex) {
        self.index.remove(hash.tag(), index);
        self.entries[index.get()].vacate(self.free);
        self.free = index.slot();
        self.live -= 1;
    }

    /// Where all flows are.
    pub(crate) fn iter(&self) -> impl Iterator<Item = EntryIndex> {
        (0..self.untouched).map(EntryIndex::after).filter(|&index| self.entry(index).is_live())
    }

    /// The index of the entry at `hand`, in a round through all that were ever used; `None` when there is none.
    pub(crate) fn at(&self, hand: u32) -> Option<EntryIndex> {
        (hand < self.untouched).then(|| EntryIndex::after(hand))
    }

    /// Asks for what tells whether the flows of `count` entries from `hand` on are over.
    pub(crate) fn prefetch_from(&self, hand: u32, count: usize) {
        (0..count).for_each(|entry| prefetch_at(self.entries, (hand as usize).wrapping_add(entry)));
    }

    /// The hand after it has passed `index`.
    pub(crate) fn after(&self, index: EntryIndex) -> u32 {
        let next = index.slot();
        if next < self.untouched { next } else { 0 }
    }
}
