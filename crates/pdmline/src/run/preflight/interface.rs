//! Kernel interfaces below ports.

use dpdk::Interface;

use super::PreflightError;
use crate::config::Mtu;

/// Whether `name` is there, up, and carries packets of `mtu` octets if it has to.
pub(super) fn check(name: &str, mtu: Option<Mtu>) -> Result<(), PreflightError> {
    let interface = find(name)?;
    if !interface.is_up()? {
        return Err(PreflightError::InterfaceDown { name: name.into() });
    }
    match mtu {
        Some(mtu) => wide_enough(name, interface.mtu()?, mtu.octets()),
        None => Ok(()),
    }
}

/// The interface `name` of this network namespace.
pub(super) fn find(name: &str) -> Result<Interface, PreflightError> {
    Interface::named(name).map_err(|_| PreflightError::NoInterface { name: name.into() })
}

fn wide_enough(name: &str, has: u32, needs: u16) -> Result<(), PreflightError> {
    if has >= needs.into() {
        return Ok(());
    }
    Err(PreflightError::SmallMtu { name: name.into(), has, needs })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_is_not_there_is_named() {
        let message = check("no-such-if0", None).unwrap_err().to_string();
        assert_eq!(
            message,
            "the interface no-such-if0 is not there; `ip link` shows those of this network namespace"
        );
    }

    #[test]
    fn a_narrow_interface_is_refused_with_the_command_that_helps() {
        assert!(wide_enough("veth-w", 1600, 1600).is_ok());
        assert_eq!(
            wide_enough("veth-w", 1599, 1600).unwrap_err().to_string(),
            "the interface veth-w has an MTU of 1599, less than the pair's mtu = 1600; `ip link set veth-w mtu 1600`, \
             or write a smaller one"
        );
    }
}
