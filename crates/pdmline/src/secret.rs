//! Secrets fresh from the system: what keeps flows' places in the table and their first numbers from being guessed.

use anyhow::Context;
use flow::{KeyHasher, PsnStart};

/// A hasher under a secret that nobody knows.
///
/// # Errors
/// When the system has no random octets.
pub(crate) fn hasher() -> anyhow::Result<KeyHasher> {
    Ok(KeyHasher::new(words()?))
}

/// A secret that nobody knows.
///
/// # Errors
/// When the system has no random octets.
pub(crate) fn words() -> anyhow::Result<[u64; 4]> {
    let octets = random::<32>()?;
    let (words, _) = octets.as_chunks::<8>();
    let mut secret = [0; 4];
    for (place, word) in secret.iter_mut().zip(words) {
        *place = u64::from_ne_bytes(*word);
    }
    Ok(secret)
}

/// Numbers of new flows that nobody can guess.
///
/// # Errors
/// When the system has no random octets.
pub(crate) fn psn_start() -> anyhow::Result<PsnStart> {
    Ok(PsnStart::random(random()?))
}

fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut octets = [0; N];
    getrandom::fill(&mut octets).context("the system gives no random octets: check /dev/urandom")?;
    Ok(octets)
}
