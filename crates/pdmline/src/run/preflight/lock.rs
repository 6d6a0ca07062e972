//! What one instance holds and no other may: its name, and the devices of its ports.
//!
//! The kernel gives a lock back when its holder ends, however that happens; what a killed one leaves is only a file.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{PreflightError, interface};
use crate::config::{Config, Instance, Resource};

/// The network namespace that this process is in.
const NAMESPACE: &str = "/proc/self/ns/net";

/// Held until it is dropped.
#[derive(Debug)]
pub(in crate::run) struct Lock {
    _file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock `name` in `folder` for `instance`; `what` it stands for is for people.
    fn take(folder: &Path, name: &str, instance: &Instance, what: &str) -> Result<Self, LockError> {
        let path = folder.join(format!("{name}.lock"));
        let failed = |reason| LockError::Failed { path: path.clone(), reason };
        loop {
            let mut file = open(&path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(LockError::Held { what: what.into(), holder: holder(&mut file) });
                }
                Err(TryLockError::Error(reason)) => return Err(failed(reason)),
            }
            // Its last holder may have removed the file after it was opened here: then another may lock a new one.
            if fs::metadata(&path)
                .is_ok_and(|there| there.ino() == file.metadata().map_or(0, |own| own.ino()))
            {
                file.set_len(0).map_err(failed)?;
                writeln!(file, "process {}, instance {instance}", std::process::id()).map_err(failed)?;
                return Ok(Self { _file: file, path });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is still held. A file that stays is in nobody's way.
        let _ = fs::remove_file(&self.path);
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits())
        .open(path)
}

/// What the holder wrote about itself. Between its taking the lock and writing, there is nothing yet.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => text.trim().into(),
        _ => "another process".into(),
    }
}

/// Takes the instance's lock and one for everything its ports need for themselves.
pub(super) fn take_all(config: &Config, folder: &Path) -> Result<Vec<Lock>, PreflightError> {
    make_own_folder(folder).map_err(|reason| LockError::Failed { path: folder.to_owned(), reason })?;
    let instance = &config.instance;
    let mut locks = vec![Lock::take(
        folder,
        &format!("instance-{instance}"),
        instance,
        &format!("the instance {instance}"),
    )?];
    for device in config.devices() {
        for resource in device.resources() {
            let name = lock_name(&resource)?;
            locks.push(Lock::take(folder, &name, instance, &format!("the port {device}"))?);
        }
    }
    Ok(locks)
}

/// Makes `folder` if it is not there. In a place where others write too, one of theirs is not trusted.
fn make_own_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    let owner = fs::symlink_metadata(folder)?.uid();
    if owner == nix::unistd::geteuid().as_raw() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("it belongs to user {owner}")))
}

/// One name for one thing, however configurations call it: interfaces have names that change and namespaces that
/// repeat them, files can be reached by several paths.
fn lock_name(resource: &Resource<'_>) -> Result<String, PreflightError> {
    match resource {
        Resource::Pci(address) => Ok(format!("pci-{address}")),
        Resource::Interface(name) => {
            let index = interface::find(name)?.index();
            let namespace = fs::metadata(NAMESPACE)
                .map_err(|reason| LockError::Failed { path: NAMESPACE.into(), reason })?;
            Ok(format!("interface-{}-{index}", namespace.ino()))
        }
        Resource::File(path) => {
            file_name(path).map_err(|reason| LockError::Failed { path: path.clone(), reason }.into())
        }
    }
}

/// The folder by its inode, for the file itself may not be there yet.
fn file_name(path: &Path) -> io::Result<String> {
    let name = path.file_name().ok_or_else(|| io::Error::other("it names no file"))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = fs::metadata(parent)?;
    Ok(format!("file-{}-{}-{}", folder.dev(), folder.ino(), name.display()))
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub(in crate::run) enum LockError {
    #[error("{what} is held by {holder}; end that one first, or use another")]
    Held { what: String, holder: String },
    #[error("cannot use {path}: {reason}", path = .path.display())]
    Failed { path: PathBuf, reason: io::Error },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(instance: &str, wire: &str) -> Config {
        let text = format!(
            "instance = '{instance}'\n[[pair]]\nhost = 'net_null0'\nwire = '{wire}'\nmtu = 1500\ncores = [0]"
        );
        Config::parse(&text).unwrap()
    }

    #[test]
    fn a_port_has_one_holder_whatever_it_is_called() {
        let dir = tempfile::tempdir().unwrap();
        let held = take_all(&config("a", "net_af_packet0,iface=lo"), dir.path()).unwrap();
        let message = take_all(&config("b", "net_pcap7,tx_iface=lo"), dir.path()).unwrap_err().to_string();
        let expected = format!(
            "the port net_pcap7,tx_iface=lo is held by process {}, instance a; end that one first, or use another",
            std::process::id()
        );
        assert_eq!(message, expected);
        drop(held);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing stays behind");
        take_all(&config("b", "net_pcap7,tx_iface=lo"), dir.path()).unwrap();
    }

    #[test]
    fn a_written_capture_has_one_holder_by_any_path() {
        let dir = tempfile::tempdir().unwrap();
        let captures = dir.path().join("captures");
        let other_way = dir.path().join("link");
        fs::create_dir(&captures).unwrap();
        std::os::unix::fs::symlink(&captures, &other_way).unwrap();
        let wire = |folder: &Path| format!("net_pcap0,rx_pcap=in.pcap,tx_pcap={}/out.pcap", folder.display());
        let _held = take_all(&config("a", &wire(&captures)), dir.path()).unwrap();
        assert!(take_all(&config("b", &wire(&other_way)), dir.path()).is_err());
    }

    #[test]
    fn an_instance_runs_once_and_others_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let _held = take_all(&config("a", "net_null1"), dir.path()).unwrap();
        let message = take_all(&config("a", "net_null1"), dir.path()).unwrap_err().to_string();
        assert!(message.starts_with("the instance a is held by process "), "{message}");
        take_all(&config("b", "net_null1"), dir.path()).unwrap();
    }

    #[test]
    fn a_planted_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let victim = dir.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, dir.path().join("instance-a.lock")).unwrap();
        assert!(take_all(&config("a", "net_null1"), dir.path()).is_err());
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
    }
}
