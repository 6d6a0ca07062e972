//! The table of one shard: an array of entries, and an index that says where in it a key is. A hit costs two misses, one after
//! the other: a bucket of the index and the entry; one more for the few keys that are in their second bucket.

use crate::entry::Entry;
use crate::index::{Bucket, EntryIndex, Index};
use crate::prefetch::{prefetch, prefetch_at};
use crate::{Hash, Key};

/// The index and entries of one shard.
pub(crate) struct Table<'m> {
    index: Index<'m>,
    entries: &'m mut [Entry],
    /// The first of the entries that were given back, as a slot holds it.
    free: u32,
    /// Entries from here on were never used.
    untouched: u32,
    live: u32,
}

impl<'m> Table<'m> {
    /// An empty table on zeroed memory, with a power of two of buckets.
    pub(crate) fn new(buckets: &'m mut [Bucket], entries: &'m mut [Entry]) -> Self {
        Self { index: Index::new(buckets), entries, free: 0, untouched: 0, live: 0 }
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

    #[inline]
    pub(crate) fn entry_mut(&mut self, index: EntryIndex) -> &mut Entry {
        &mut self.entries[index.get()]
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
        self.index.near(hash.tag()).min_by_key(|&entry| self.entry(entry).last_seen)
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
