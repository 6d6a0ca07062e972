//! EAL, DPDK's environment: memory, cores and drivers, started once and ended by a guard.

use std::ffi::{CStr, CString, OsStr, c_char, c_int};
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::libc;
use nix::sched::{sched_getaffinity, sched_setaffinity};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, dup, dup2_stderr, dup2_stdout, fork};

use crate::error::{Error, last_error};
use crate::{Version, log};

static STARTED: AtomicBool = AtomicBool::new(false);

/// A started EAL. Pools and ports borrow it; dropping it ends EAL and gives its memory back.
///
/// It stays with the thread that started it, the only one that launches workers.
///
/// ```compile_fail,E0277
/// fn sent<T: Send>() {}
/// sent::<dpdk::Eal>();
/// ```
/// ```compile_fail,E0597
/// # fn main() -> Result<(), dpdk::Error> {
/// let _left = {
///     let eal = dpdk::Eal::init(&["--no-huge"])?;
///     dpdk::Pool::new(&eal, "pool", dpdk::PoolConfig::default())?.packet(b"none outlives EAL")?
/// };
/// # Ok(())
/// # }
/// ```
pub struct Eal {
    /// EAL may keep pointers into its arguments.
    _arguments: Vec<CString>,
    _stays_here: PhantomData<*const ()>,
}

impl Eal {
    /// Starts EAL with `arguments` (without a program name).
    ///
    /// The calling thread may run on the same cores afterwards as before, and so may every thread it starts later.
    /// What EAL logs or prints reaches nobody, unless the arguments ask with `--log-level`: then its log goes to
    /// standard error. While EAL starts, the whole process's standard output and error are taken away.
    ///
    /// A device that does not exist is no error here, only where it is opened.
    ///
    /// # Errors
    /// [`Error::OtherRelease`]; [`Error::SecondEal`] on every call but the first, whether that succeeded or not;
    /// [`Error::Eal`] with what EAL said; [`Error::ZeroOctet`]; [`Error::System`].
    pub fn init<S: AsRef<str>>(arguments: &[S]) -> Result<Self, Error> {
        Version::BUILT_WITH.must_fit(Version::running())?;
        let words = ["pdmline"].into_iter().chain(arguments.iter().map(AsRef::as_ref));
        let kept = words.map(c_string).collect::<Result<Vec<_>, _>>()?;
        if STARTED.swap(true, Ordering::Relaxed) {
            return Err(Error::SecondEal);
        }
        let wanted = arguments.iter().any(|argument| argument.as_ref().starts_with("--log-level"));
        let affinity =
            sched_getaffinity(Pid::from_raw(0)).map_err(Error::system("read this thread's cores"))?;
        let outputs = Outputs::take().map_err(Error::system("set standard output aside"))?;
        log::take_over(if wanted { outputs.stderr.try_clone().ok() } else { None });
        let (started, complaints) = log::hear(|| Ok(are_taken(&kept)? && start(&kept)));
        let printed = outputs.give_back();
        sched_setaffinity(Pid::from_raw(0), &affinity)
            .map_err(Error::system("restore this thread's cores"))?;
        if started.map_err(Error::system("have a process of its own check EAL's arguments"))? {
            return Ok(Self { _arguments: kept, _stays_here: PhantomData });
        }
        let reason = last_error();
        let arguments = arguments.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" ");
        let said: Vec<_> = [printed, complaints].into_iter().filter(|text| !text.is_empty()).collect();
        Err(Error::Eal { arguments, said: log::or(said.join("; "), || reason) })
    }

    /// EAL's main core, which takes no worker.
    #[must_use]
    pub fn main_core(&self) -> u32 {
        // SAFETY: EAL runs, and this reads its configuration.
        unsafe { dpdk_sys::rte_get_main_lcore() }
    }

    /// The cores that take a worker: all EAL was started with but its main one.
    #[must_use]
    pub fn worker_cores(&self) -> Vec<u32> {
        (0..dpdk_sys::RTE_MAX_LCORE).filter(|core| self.takes_worker(*core)).collect()
    }

    /// The NUMA node of a core that EAL was started with; none if its thread may run on several.
    #[must_use]
    pub fn socket_of(&self, core: u32) -> Option<u32> {
        // SAFETY: EAL runs, and the core is in its table.
        let socket = is_enabled(core).then(|| unsafe { dpdk_sys::rte_lcore_to_socket_id(core) })?;
        u32::try_from(socket.cast_signed()).ok() // -1 is any
    }

    pub(crate) fn takes_worker(&self, core: u32) -> bool {
        core != self.main_core() && is_enabled(core)
    }
}

fn is_enabled(core: u32) -> bool {
    // SAFETY: reads EAL's configuration; a core beyond its table reads as not enabled.
    unsafe { dpdk_sys::rte_lcore_is_enabled(core) == 1 }
}

impl Drop for Eal {
    fn drop(&mut self) {
        let runtime = runtime_dir();
        // SAFETY: EAL was started by this guard, which exists once; pools, ports, packets and workers borrow it, so
        // none is left.
        unsafe { dpdk_sys::rte_eal_cleanup() };
        // EAL leaves the folder of its file prefix behind. Nobody else uses it: we start no secondary processes.
        let _ = fs::remove_dir_all(runtime);
    }
}

/// The folder that holds what EAL shares between processes of one file prefix.
fn runtime_dir() -> PathBuf {
    // SAFETY: EAL runs, and returns a C string of its own that stays as it is.
    let path = unsafe { CStr::from_ptr(dpdk_sys::rte_eal_get_runtime_dir()) };
    PathBuf::from(OsStr::from_bytes(path.to_bytes()))
}

pub(crate) fn c_string(text: &str) -> Result<CString, Error> {
    CString::new(text).map_err(|_| Error::ZeroOctet(text.replace('\0', "\\0")))
}

/// Whether EAL takes its arguments. From 25.11 on it ends the process where it does not, so another one asks: with `--help`
/// among them EAL looks at all, prints and ends.
fn are_taken(arguments: &[CString]) -> Result<bool, Errno> {
    if (dpdk_sys::RTE_VER_YEAR, dpdk_sys::RTE_VER_MONTH) < (25, 11) {
        return Ok(true); // it says so when it starts
    }
    // SAFETY: the child needs only what the C library keeps whole across a fork (memory, streams), and this thread's log.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(waitpid(child, None)? == WaitStatus::Exited(child, 0)),
        ForkResult::Child => {
            log::show(dup(std::io::stderr()).ok());
            let mut asking = arguments.to_vec();
            asking.insert(1, c"--help".to_owned());
            start(&asking);
            // SAFETY: ends this copy of the process without running what the original has yet to run at its end.
            unsafe { libc::_exit(1) }
        }
    }
}

/// Calls EAL's start, and says whether it did.
fn start(arguments: &[CString]) -> bool {
    let mut pointers: Vec<*mut c_char> =
        arguments.iter().map(|argument| argument.as_ptr().cast_mut()).collect();
    pointers.push(ptr::null_mut());
    let Ok(count) = c_int::try_from(arguments.len()) else { return false };
    // SAFETY: `pointers` holds `count` C strings and a null, as main's argv does. EAL permutes the pointers and writes
    // to no string; the strings live as long as the guard.
    unsafe { dpdk_sys::rte_eal_init(count, pointers.as_mut_ptr()) >= 0 }
}

/// Standard output and error, set aside while EAL starts: it prints its usage text and what getopt says, to both, and so
/// does the process that asks whether it takes its arguments.
struct Outputs {
    stdout: OwnedFd,
    stderr: OwnedFd,
    printed: File,
}

impl Outputs {
    fn take() -> Result<Self, Errno> {
        let printed = File::from(memfd_create(c"eal-output", MFdFlags::MFD_CLOEXEC)?);
        let taken = Self { stdout: dup(std::io::stdout())?, stderr: dup(std::io::stderr())?, printed };
        flush();
        dup2_stdout(&taken.printed)?;
        dup2_stderr(&taken.printed)?;
        Ok(taken)
    }

    /// Puts both back, and returns what getopt, or its like in newer releases, complained of meanwhile: the rest is the
    /// usage text.
    fn give_back(mut self) -> String {
        flush();
        // Neither fails while both ends are open, and nobody could be told.
        let _ = dup2_stdout(&self.stdout).and(dup2_stderr(&self.stderr));
        let mut text = String::new();
        drop(self.printed.rewind().and_then(|()| self.printed.read_to_string(&mut text)));
        let mut complaints = text
            .lines()
            .filter_map(|line| line.strip_prefix("pdmline: ").or(line.strip_prefix("ARGPARSE: ")));
        complaints.next().unwrap_or_default().to_owned()
    }
}

/// Empties the buffers of C's standard output, which is not Rust's.
fn flush() {
    // SAFETY: a null stream means all of them.
    unsafe { libc::fflush(ptr::null_mut()) };
}
