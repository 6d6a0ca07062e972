//! The machine's part: two cores, EAL, and one pool.

use std::fs;
use std::process;

use dpdk::{Eal, Pool, PoolConfig, Port, PortConfig, QueuePair};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// Buffers: net_pcap keeps a capture of 65,536 packets in them.
const BUFFERS: u32 = (1 << 17) - 1;

/// MiB for them without, where each takes a page of its own.
const SMALL_MIB: u32 = 640;

/// EAL on two cores: one for the worker, one for all else.
pub struct Machine {
    /// DPDK.
    pub eal: Eal,
    /// Whether packets lie in hugepages.
    pub hugepages: bool,
}

impl Machine {
    /// What EAL calls the worker's core.
    pub const WORKER: u32 = 1;

    /// Octets of memory for all buffers, in hugepages.
    pub const HUGE: usize = 384 << 20;

    /// Starts EAL, and keeps this thread off the worker's core.
    ///
    /// # Panics
    /// If there are not two cores, or EAL does not start.
    #[must_use]
    pub fn start() -> Self {
        let cores = dpdk::cores::usable().expect("the system tells the cores");
        let [rest, .., worker] = cores[..] else {
            panic!("one core is not enough: the worker needs its own")
        };
        let mut others = CpuSet::new();
        others.set(rest as usize).expect("the core is one of the system's");
        sched_setaffinity(Pid::from_raw(0), &others).expect("the core is one of this process's");
        let hugepages = free_hugepages() >= Self::HUGE as u64;
        let memory = if hugepages {
            "--in-memory --single-file-segments".into()
        } else {
            format!("--no-huge -m{SMALL_MIB}")
        };
        let arguments = format!(
            "--file-prefix=pdmline-bench-{} --no-pci --lcores=0@{rest},{}@{worker} {memory}",
            process::id(),
            Self::WORKER
        );
        let arguments: Vec<_> = arguments.split(' ').collect();
        Self { eal: Eal::init(&arguments).expect("EAL starts"), hugepages }
    }

    /// The one pool that there may be.
    ///
    /// # Panics
    /// If there is one already.
    #[must_use]
    pub fn pool(&self) -> Pool<'_> {
        let config = PoolConfig { buffers: BUFFERS, ..PoolConfig::default() };
        Pool::new(&self.eal, "bench", config).expect("EAL has the memory")
    }

    /// The queues of `device`, which has one of each kind, with buffers of `pool`.
    ///
    /// # Panics
    /// If there is no such device.
    pub fn open<'a>(&'a self, device: &str, pool: &Pool<'a>) -> QueuePair<'a> {
        let opened = Port::open(&self.eal, device, PortConfig::default(), pool);
        opened.expect("the device is there").1.pairs().remove(0)
    }
}

/// Octets of the hugepages that nobody has.
fn free_hugepages() -> u64 {
    let memory = fs::read_to_string("/proc/meminfo").expect("the kernel tells of its memory");
    let number = |name: &str| {
        let line = memory.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    let pages = number("HugePages_Free:").zip(number("Hugepagesize:"));
    pages.map_or(0, |(free, kib)| (free * kib) << 10)
}
