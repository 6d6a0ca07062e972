//! Where EAL's log goes: nowhere, but for the warnings and errors of the step under way, which end up in our own error.
//! An operator who asks for EAL's log (`--log-level`) gets it on standard error.

use std::ffi::{c_char, c_void};
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Octets kept of one step's log. A driver that fails says why in its first lines.
const KEPT: usize = 4096;

struct Log {
    /// Warnings and errors since the step began.
    heard: String,
    /// Standard error, if the operator wants to see everything.
    shown: Option<File>,
}

static LOG: Mutex<Log> = Mutex::new(Log { heard: String::new(), shown: None });

fn log() -> MutexGuard<'static, Log> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes over EAL's log, once and before EAL starts, and copies all of it to `shown`.
pub(crate) fn take_over(shown: Option<OwnedFd>) {
    show(shown);
    let functions =
        dpdk_sys::cookie_io_functions_t { read: None, write: Some(write), seek: None, close: None };
    // SAFETY: the mode is a C string and the functions live as long as the program. The stream is never closed, since
    // EAL's threads may write to it until the process ends. EAL falls back to its own if it is null.
    unsafe { dpdk_sys::rte_openlog_stream(dpdk_sys::fopencookie(ptr::null_mut(), c"w".as_ptr(), functions)) };
}

/// Copies all of EAL's log to `shown` from now on, and to nowhere else.
pub(crate) fn show(shown: Option<OwnedFd>) {
    log().shown = shown.map(File::from);
}

/// Runs one step and returns what EAL and the drivers complained of meanwhile.
pub(crate) fn hear<T>(step: impl FnOnce() -> T) -> (T, String) {
    log().heard.clear();
    let result = step();
    let lines: Vec<_> =
        log().heard.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
    (result, lines.join("; "))
}

/// `heard`, or `otherwise` when nothing was.
pub(crate) fn or(heard: String, otherwise: impl FnOnce() -> String) -> String {
    if heard.is_empty() { otherwise() } else { heard }
}

/// The stream's write function. EAL flushes after each message, so each call carries one.
unsafe extern "C" fn write(_: *mut c_void, octets: *const c_char, length: usize) -> i64 {
    // SAFETY: stdio passes a buffer of that length, and leaves it alone until this returns.
    let message = unsafe { std::slice::from_raw_parts(octets.cast::<u8>(), length) };
    // SAFETY: reads a thread-local integer, set by EAL for the message it is writing.
    let level = unsafe { dpdk_sys::rte_log_cur_msg_loglevel() };
    let mut log = log();
    let grave = u32::try_from(level).is_ok_and(|level| level <= dpdk_sys::RTE_LOG_WARNING);
    if grave && log.heard.len() + length <= KEPT {
        log.heard.push_str(&String::from_utf8_lossy(message));
    }
    if let Some(file) = &mut log.shown {
        // A log that cannot be written is no reason to stop, and there is nowhere to say so.
        drop(file.write_all(message));
    }
    i64::try_from(length).unwrap_or(-1)
}
