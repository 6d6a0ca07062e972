//! Finds DPDK, links it, generates the bindings, and compiles the inline functions that bindgen wraps.

#![expect(clippy::expect_used, reason = "all a build script can do is stop and say why")]

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the DPDK to build with by its folder: `target/dpdk/22.11`, or any other. Without it, it is the machine's.
const SETTING: &str = "PDMLINE_DPDK";

/// Every function the `dpdk` crate calls, or compares its own with, by regular expression. What is not here is not bound.
const FUNCTIONS: &[&str] = &[
    "dpdk_(errno|link_is_up|tel_add_dict_number)",
    "fopencookie",
    "rte_bus_name",
    "rte_dev_(bus|probe|remove)",
    "rte_eal_(cleanup|get_runtime_dir|init|remote_launch|wait_lcore)",
    "rte_eth_dev_(adjust_nb_rx_tx_desc|close|configure|get_mtu|get_port_by_name|info_get|socket_id|start|stop)",
    "rte_eth_dev_owner_(new|set)",
    "rte_eth_dev_rss_(hash_conf_get|hash_update|reta_query)",
    "rte_eth_from_rings",
    "rte_eth_promiscuous_(disable|enable)",
    "rte_eth_(rx|tx)_burst",
    "rte_eth_(rx|tx)_queue_setup",
    "rte_eth_stats_get",
    "rte_get_main_lcore",
    "rte_lcore_(is_enabled|to_socket_id)",
    "rte_log_cur_msg_loglevel",
    "rte_mempool_in_use_count",
    "rte_openlog_stream",
    "rte_pktmbuf_(adj|alloc|alloc_bulk|append|clone|free|free_bulk|headroom|pool_create|prepend|tailroom)",
    "rte_ring_(create|dequeue|free)",
    "rte_strerror",
    "rte_tel_data_(add_dict_string|start_dict)",
    "rte_telemetry_register_cmd",
    "rte_version(_(year|month|minor))?",
];

const TYPES: &[&str] = &[
    "rte_eth_(conf|dev_info|dev_owner|rss_conf|rss_reta_entry64|stats)",
    "rte_(mbuf|mempool|ring)",
    "cookie_io_functions_t",
];

const VALUES: &[&str] = &[
    "mbuf_offset",
    "MBUF_.*",
    "RING_F_(EXACT_SZ|SC_DEQ|SP_ENQ)",
    "RTE_ETH_(DEV_INTR_LSC|MQ_RX_RSS|RETA_GROUP_SIZE|TX_OFFLOAD_MULTI_SEGS)",
    "RTE_ETH_RSS_(IP|IPV6|NONFRAG_IPV6_(OTHER|TCP|UDP)|SCTP|TCP|UDP)",
    "RTE_(LOG_WARNING|MAX_LCORE|PKTMBUF_HEADROOM|TEL_MAX_DICT_ENTRIES|TEL_MAX_STRING_LEN|VER_(YEAR|MONTH|MINOR))",
];

fn main() {
    for variable in [SETTING, "PKG_CONFIG", "PKG_CONFIG_PATH"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    let dpdk = Dpdk::find();
    if env::var_os("CARGO_FEATURE_STATIC").is_some() {
        dpdk.link_statically();
    } else {
        dpdk.link();
    }
    let flags = dpdk.asked(&["--cflags"]);
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let wrappers = out.join("wrappers.c");
    generate(&package().join("wrapper.h"), &flags, &wrappers, &out);
    compile(&wrappers, &flags);
}

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder that a relative path of the user's starts from.
fn workspace() -> &'static Path {
    package().ancestors().nth(2).expect("this package lies two folders deep")
}

/// A DPDK, as pkg-config knows it. The crate of that name drops flags that DPDK's headers need, and cannot link a whole
/// archive.
struct Dpdk {
    /// Where it is, if the user says so.
    prefix: Option<PathBuf>,
}

impl Dpdk {
    fn find() -> Self {
        let dpdk = Self { prefix: env::var_os(SETTING).map(|folder| workspace().join(folder)) };
        dpdk.asked(&["--atleast-version=22.11"]);
        dpdk
    }

    /// What pkg-config says of it, word by word.
    fn asked(&self, arguments: &[&str]) -> Vec<String> {
        let mut command = Command::new(env::var_os("PKG_CONFIG").unwrap_or_else(|| "pkg-config".into()));
        if let Some(prefix) = &self.prefix {
            command.env("PKG_CONFIG_LIBDIR", prefix.join("lib/pkgconfig")).env_remove("PKG_CONFIG_PATH");
        }
        let output = command.args(arguments).args(["--print-errors", "libdpdk"]).output();
        match output {
            Ok(output) if output.status.success() => {
                String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned).collect()
            }
            Ok(output) => self.missing(&String::from_utf8_lossy(&output.stderr)),
            Err(error) => self.missing(&format!("{command:?}: {error}")),
        }
    }

    fn missing(&self, reason: &str) -> ! {
        match &self.prefix {
            Some(prefix) => panic!(
                "{SETTING} names {}, where no DPDK 22.11 or later was found: dpdk-build/build makes one.\n{reason}",
                prefix.display()
            ),
            None => panic!(
                "DPDK 22.11 or later was not found. Install it (apt install libdpdk-dev pkg-config), or name its \
                 folder in {SETTING}.\n{reason}"
            ),
        }
    }

    fn link(&self) {
        for flag in self.asked(&["--libs"]) {
            link_flag(&flag);
        }
        link_flag("-lrte_net_ring"); // a driver with an API of its own; libdpdk.pc has no drivers
    }

    /// Links all of its drivers into the program, where nothing but themselves asks for them.
    fn link_statically(&self) {
        assert!(
            self.prefix.is_some(),
            "the feature `static` wants a DPDK of dpdk-build/build: name it in {SETTING}"
        );
        for flag in self.asked(&["--static", "--libs"]) {
            if let Some(archive) = flag.strip_prefix("-l:lib").and_then(|file| file.strip_suffix(".a")) {
                println!("cargo:rustc-link-lib=static:+whole-archive,-bundle={archive}");
            } else if !flag.starts_with("-lrte_") {
                link_flag(&flag);
            }
        }
    }
}

/// Hands a linker's flag to cargo, if it names a library or a folder.
fn link_flag(flag: &str) {
    if let Some(folder) = flag.strip_prefix("-L") {
        println!("cargo:rustc-link-search=native={folder}");
    } else if let Some(library) = flag.strip_prefix("-l") {
        println!("cargo:rustc-link-lib={library}");
    }
}

fn generate(header: &Path, flags: &[String], wrappers: &Path, out: &Path) {
    let mut builder = bindgen::Builder::default()
        .header(header.display().to_string())
        .clang_args(flags)
        .clang_arg("-D_GNU_SOURCE")
        .wrap_static_fns(true)
        .wrap_static_fns_path(wrappers)
        .clang_macro_fallback()
        .clang_macro_fallback_build_dir(out)
        .generate_comments(false) // doc tests would be made of them
        .prepend_enum_name(false)
        .no_copy("rte_mbuf") // an mbuf has one owner
        .parse_callbacks(Box::new(bindgen::CargoCallbacks::new()));
    builder = FUNCTIONS.iter().fold(builder, |builder, name| builder.allowlist_function(name));
    builder = TYPES.iter().fold(builder, |builder, name| builder.allowlist_type(name));
    builder = VALUES.iter().fold(builder, |builder, name| builder.allowlist_var(name).allowlist_type(name));
    let bindings =
        builder.generate().expect("bindgen reads DPDK's headers: the message above says where it failed");
    bindings.write_to_file(out.join("bindings.rs")).expect("OUT_DIR is writable");
}

fn compile(wrappers: &Path, flags: &[String]) {
    let mut build = cc::Build::new();
    // A debug build's wrappers lie on the packet path as well.
    build.file(wrappers).opt_level(3).define("_GNU_SOURCE", None).define("ALLOW_EXPERIMENTAL_API", None);
    build.warnings(false); // DPDK's headers, not ours
    flags.iter().fold(&mut build, |build, flag| build.flag(flag)).compile("dpdk_wrappers");
}
