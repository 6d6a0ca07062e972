//! Commands on DPDK's telemetry socket, which `dpdk-telemetry.py` reads.
//!
//! DPDK calls one function for all of ours, on a thread of its own and with nothing to remember us by: what answers is
//! looked up by the command.

mod dictionary;

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dpdk_sys::rte_tel_data;

pub use dictionary::{Dictionary, Value};

use crate::eal::c_string;
use crate::error::describe;
use crate::{Eal, Error};

/// Makes an answer of the text behind the command's comma.
type Provider = Arc<dyn Fn(&str) -> Dictionary + Send + Sync>;

/// What answers each command ever registered, since DPDK forgets none: nothing does once its [`Telemetry`] is gone.
static PROVIDERS: Mutex<BTreeMap<String, Option<Provider>>> = Mutex::new(BTreeMap::new());

/// Our commands, answered until this is dropped; `null` is the answer afterwards.
pub struct Telemetry<'eal> {
    commands: Vec<String>,
    _eal: PhantomData<&'eal ()>,
}

impl<'eal> Telemetry<'eal> {
    /// No commands yet.
    #[must_use]
    pub const fn new(_eal: &'eal Eal) -> Self {
        Self { commands: Vec::new(), _eal: PhantomData }
    }

    /// Answers `command`, such as `/pdm/stats`, by what `provider` makes of the text behind the command's comma, which
    /// is empty if there is none. It is called on DPDK's threads, several at a time, and must keep away from the packet
    /// path: let it read what a control thread has put aside. If it panics the answer is `null`.
    ///
    /// # Errors
    /// [`Error::Telemetry`] if DPDK refuses the command or its `help`, or the process has had the command before;
    /// [`Error::ZeroOctet`].
    pub fn register(
        &mut self,
        command: &str,
        help: &str,
        provider: impl Fn(&str) -> Dictionary + Send + Sync + 'static,
    ) -> Result<(), Error> {
        let refused = |said| Error::Telemetry { command: command.to_owned(), said };
        let (c_command, c_help) = (c_string(command)?, c_string(help)?);
        let mut providers = providers();
        if providers.contains_key(command) {
            return Err(refused("it exists".into()));
        }
        // SAFETY: EAL runs, both strings are copied, and the function is there as long as the program.
        let code = unsafe {
            dpdk_sys::rte_telemetry_register_cmd(c_command.as_ptr(), Some(answer), c_help.as_ptr())
        };
        if code != 0 {
            return Err(refused(describe(code)));
        }
        providers.insert(command.to_owned(), Some(Arc::new(provider)));
        self.commands.push(command.to_owned());
        Ok(())
    }
}

impl Drop for Telemetry<'_> {
    fn drop(&mut self) {
        let mut providers = providers();
        for command in self.commands.drain(..) {
            providers.insert(command, None);
        }
    }
}

fn providers() -> MutexGuard<'static, BTreeMap<String, Option<Provider>>> {
    PROVIDERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers a client; below zero the answer is `null`.
unsafe extern "C" fn answer(
    command: *const c_char,
    parameters: *const c_char,
    data: *mut rte_tel_data,
) -> c_int {
    // SAFETY: DPDK passes C strings that live through the call; no parameters are null.
    let [command, parameters] = [command, parameters].map(|text| unsafe { text_of(text) });
    let provider = providers().get(&command).cloned().flatten();
    let answer = catch_unwind(AssertUnwindSafe(|| provider.map(|provider| provider(&parameters))));
    match answer {
        // SAFETY: `data` is DPDK's answer, which is ours to be filled.
        Ok(Some(dictionary)) => unsafe { dictionary.write(data) },
        _ => -1,
    }
}

/// # Safety
/// `text` is null, or a C string.
unsafe fn text_of(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: it is a C string.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
