//! The build script of packages with programs that link DPDK: they look for its libraries where `PDMLINE_DPDK` says.
//! A build script can arrange that for its own package only. Programs that hold DPDK themselves look for nothing, and
//! glibc's start of a static one crashes if told to.

#![expect(clippy::print_stdout, reason = "this is how a build script talks to cargo")]

use std::env;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-env-changed=PDMLINE_DPDK");
    if env::var_os("CARGO_FEATURE_STATIC").is_some() {
        return;
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    if let (Some(folder), Some(workspace)) = (env::var_os("PDMLINE_DPDK"), workspace) {
        let libraries = workspace.join(folder).join("lib");
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", libraries.display());
    }
}
