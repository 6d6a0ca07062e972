//! What a test needs of the machine. A test that cannot run is named, never silently green: where `CI=true` it fails,
//! elsewhere a line goes to standard error and into the file that `cargo xtask test` prints at its end.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::{Command, Stdio};

/// Something that not every machine has.
#[derive(Clone, Copy, Debug)]
pub enum Requirement {
    /// What the namespace rig takes: root's rights, its tools, two cores, and a kernel or container that allows network
    /// namespaces and veth.
    Namespaces,
    /// Root's rights.
    Root,
    /// This program.
    Program(&'static str),
    /// This package from PyPI, of this version, as in `hdrhistogram==0.10.8`.
    Python(&'static str),
    /// A tmpfs of our own.
    Tmpfs,
    /// strace, and a kernel or container that lets it look at other processes.
    Tracing,
    /// A core for what is tested, and one for all else.
    TwoCores,
}

impl Requirement {
    /// Why it is not met, if it is not.
    fn missing(self) -> Option<String> {
        match self {
            Self::Namespaces => missing_for_a_rig(),
            Self::Root => {
                (!nix::unistd::geteuid().is_root()).then(|| "needs root's rights: run it as root".to_owned())
            }
            Self::Program(name) => {
                let found =
                    Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
                found.is_err().then(|| format!("needs {name}: run `cargo xtask setup`"))
            }
            Self::Python(package) => {
                let refused = crate::python::with(package).err();
                refused.map(|error| format!("needs Python with {package} from PyPI: {error:#}"))
            }
            Self::Tmpfs => {
                let refused = crate::tmpfs::with(4096, |_| ()).err();
                refused.map(|error| format!("needs a tmpfs: run it as root: {error:#}"))
            }
            Self::Tracing => {
                let refused = crate::strace::probe().err();
                refused.map(|error| {
                    format!("needs strace and root's rights: run `cargo xtask setup`: {error:#}")
                })
            }
            Self::TwoCores => {
                let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
                (cores < 2).then(|| "needs two cores".to_owned())
            }
        }
    }
}

fn missing_for_a_rig() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("needs network namespaces: run it as root".to_owned());
    }
    let tools = ["ip", "ethtool", "ping"].map(Requirement::Program);
    let missing = tools.into_iter().chain([Requirement::TwoCores]).find_map(Requirement::missing);
    if missing.is_some() {
        return missing;
    }
    let refused = crate::network::probe().err()?;
    Some(format!("needs network namespaces and veth, which this machine refuses: {refused:#}"))
}

/// Returns from the test, having named it as skipped, unless the machine has everything listed.
#[macro_export]
macro_rules! require {
    ($($requirement:expr),+ $(,)?) => {{
        fn here() {}
        if !$crate::requirement::met(std::any::type_name_of_val(&here), &[$($requirement),+]) {
            return Ok(());
        }
    }};
}

/// Whether the machine has it all; if not, the test is recorded as skipped. `place` is the path of an item inside the
/// test function.
///
/// # Panics
///
/// Where `CI=true`, if something is missing: there a skipped test is a failed one.
#[must_use]
pub fn met(place: &str, requirements: &[Requirement]) -> bool {
    let Some(reason) = requirements.iter().find_map(|requirement| requirement.missing()) else { return true };
    let test = place.strip_suffix("::here").unwrap_or(place);
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "{test} cannot run here, and CI may skip nothing: it {reason}"
    );
    // Some programs take several lines to say what they miss.
    record(&format!("{test}: it {}", reason.replace('\n', "; ")));
    false
}

#[expect(clippy::print_stderr, reason = "whoever runs the test is to see it")]
fn record(line: &str) {
    eprintln!("skipped {line}");
    let Some(path) = std::env::var_os("PDMLINE_SKIPPED") else { return };
    // One write for the whole line: other tests append to the same file.
    let noted = OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    noted.unwrap_or_else(|error| panic!("cannot note a skipped test in {}: {error}", path.display()));
}
