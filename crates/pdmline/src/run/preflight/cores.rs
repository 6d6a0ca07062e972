//! Cores that workers can run on.

use super::PreflightError;
use crate::config::Core;

/// Whether `cores` are among those `available`.
pub(super) fn check(cores: &[Core], available: &[u32]) -> Result<(), PreflightError> {
    match cores.iter().find(|core| !available.contains(&core.number())) {
        None => Ok(()),
        Some(&core) => {
            let available = available.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            Err(PreflightError::NoCore { core, available })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_core_that_is_not_there_is_named_with_those_that_are() {
        let config =
            "instance = 'a'\n[[pair]]\nhost = 'net_null0'\nwire = 'net_null1'\nmtu = 1500\ncores = [7]";
        let cores = Config::parse(config).unwrap().cores();
        assert!(check(&cores, &[0, 7]).is_ok());
        assert_eq!(
            check(&cores, &[0, 1]).unwrap_err().to_string(),
            "core 7 is not there, or not this process's; write one of 0, 1 in the pair's cores"
        );
    }
}
