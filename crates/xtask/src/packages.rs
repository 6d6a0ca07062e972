//! What the machine must have, why, and how it gets there.

use std::process::{Command, Stdio};

use anyhow::{Result, bail, ensure};

/// A Debian package and the reason it is needed.
pub(crate) struct Package {
    pub(crate) name: &'static str,
    why: &'static str,
}

const fn package(name: &'static str, why: &'static str) -> Package {
    Package { name, why }
}

/// To build and run the program. Debian's libdpdk-dev depends on every driver package, so no driver is named here.
pub(crate) const BUILD: &[Package] = &[
    package("libdpdk-dev", "DPDK's headers, libraries and drivers"),
    package("pkg-config", "tells the build where DPDK is"),
    package("libclang-dev", "bindgen reads DPDK's headers with it"),
    package("gcc", "compiles DPDK's inline functions"),
    package("libc6-dev", "the C library's headers, which DPDK's include"),
];

/// To test it, beyond that.
pub(crate) const TEST: &[Package] = &[
    package("tshark", "the independent reader of what we write"),
    package("iproute2", "makes the network namespaces of the test rig"),
    package("ethtool", "turns offloads off there, as veth needs"),
    package("iputils-ping", "pings through the appliance"),
    package("strace", "watches the workers for system calls"),
    package("tmux", "a terminal of known size, for the screen of pdmline top"),
    package("python3-venv", "runs independent readers of our exports, from PyPI"),
    TESTPMD,
];

/// To count its instructions.
pub(crate) const INSTRUCTIONS: &[Package] = &[package("valgrind", "counts instructions")];

/// To measure it against others.
pub(crate) const VERSUS: &[Package] = &[TESTPMD];

const TESTPMD: Package = package("dpdk-dev", "brings dpdk-testpmd, which pdmline is measured against");

/// To build DPDK from source, to run the program where there is nothing else, and to have other releases of Debian.
pub(crate) const DPDK: &[Package] = &[
    package("curl", "fetches DPDK's source"),
    package("xz-utils", "unpacks it"),
    package("meson", "builds DPDK"),
    package("ninja-build", "works for meson"),
    package("python3-pyelftools", "lets DPDK's build describe its drivers"),
    package("libnuma-dev", "tells DPDK which memory is near"),
    package("flex", "builds libpcap, for DPDK's net_pcap"),
    package("bison", "builds libpcap, too"),
    package("iproute2", "makes the interfaces of the tests"),
    package("debootstrap", "makes an image of another Debian, for a DPDK whose source cannot be had"),
    package("docker.io", "runs that image, and the program in an empty one"),
];

/// To build the images, and to run and judge the lab in containers.
pub(crate) const LAB: &[Package] = &[
    package("debootstrap", "makes the images' bases where no registry of images can be reached"),
    package("docker.io", "builds and runs containers"),
    package("docker-compose", "brings the lab's containers up together"),
    package("tshark", "reads what passes the lab's wire"),
];

/// Installs those packages that are missing, and tells which and why.
pub(crate) fn install(build: &[Package], test: &[Package]) -> Result<()> {
    let wanted = || build.iter().chain(test);
    if !has("dpkg-query") || !has("apt-get") {
        let list: String = wanted().map(|p| format!("  {:<14} {}\n", p.name, p.why)).collect();
        bail!(
            "this is neither Debian nor Ubuntu, so nothing can be installed for you. Install the likes of\n{list}\
             (DPDK 22.11 or later), then run `cargo test --workspace`, or `cargo run --release -p pdmline -- demo`."
        );
    }
    let missing: Vec<&Package> = wanted().filter(|p| !is_installed(p.name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("Installing with apt:");
    for package in &missing {
        println!("  {:<14} {}", package.name, package.why);
    }
    apt(&["update"])?;
    let names = missing.iter().map(|package| package.name);
    apt(&["install", "--yes", "--no-install-recommends"].into_iter().chain(names).collect::<Vec<_>>())
}

fn is_installed(package: &str) -> bool {
    let answer =
        Command::new("dpkg-query").args(["--show", "--showformat=${db:Status-Status}", package]).output();
    answer.is_ok_and(|output| output.stdout == b"installed")
}

/// Runs apt-get with root's rights.
pub(crate) fn apt(arguments: &[&str]) -> Result<()> {
    let mut command = as_root()?;
    // Somebody else's apt may be at work (a fresh cloud machine updates itself): wait for it instead of failing.
    command.args([
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "--quiet",
        "--option=DPkg::Lock::Timeout=300",
    ]);
    command.args(arguments);
    println!("$ {}", command_line(&command));
    let status = command.status()?;
    ensure!(status.success(), "`{}` ended with {status}", command_line(&command));
    Ok(())
}

/// The start of a command line that has root's rights and takes environment variables: env for root, sudo for others.
pub(crate) fn as_root() -> Result<Command> {
    let id = Command::new("id").arg("--user").output()?;
    if id.stdout.trim_ascii() == b"0" {
        return Ok(Command::new("env"));
    }
    ensure!(
        has("sudo"),
        "packages are missing, and only root can install them: run this as root, or install sudo"
    );
    Ok(Command::new("sudo"))
}

fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.is_ok()
}

fn command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
