//! Workers: closures on EAL's cores, joined before what they borrow goes.

use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use crate::{Eal, Error};

/// Where workers are launched, see [`Eal::scope`].
pub struct Scope<'scope, 'env: 'scope> {
    eal: &'scope Eal,
    /// Cores to be waited for.
    launched: RefCell<Vec<u32>>,
    /// Invariant, as in `std::thread::Scope`: a longer scope must not pass for this one.
    _scope: PhantomData<&'scope mut &'scope ()>,
    _env: PhantomData<&'env mut &'env ()>,
}

/// A launched worker.
#[must_use = "join it, or its panic goes unnoticed"]
pub struct Worker<'scope, T> {
    result: Receiver<thread::Result<T>>,
    ended: Arc<AtomicBool>,
    _scope: PhantomData<&'scope ()>,
}

impl Eal {
    /// Runs `main` here, which may launch workers on other cores; returns when all of them have ended. So they may
    /// borrow whatever outlives this call.
    ///
    /// # Panics
    /// If `main` does; the workers are waited for first. A panic in a worker ends that worker only, and is what
    /// [`Worker::join`] returns.
    pub fn scope<'env, R>(&'env self, main: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> R) -> R {
        let scope =
            Scope { eal: self, launched: RefCell::new(Vec::new()), _scope: PhantomData, _env: PhantomData };
        let result = catch_unwind(AssertUnwindSafe(|| main(&scope)));
        for core in scope.launched.take() {
            // SAFETY: EAL runs and has this core: it was launched on.
            unsafe { dpdk_sys::rte_eal_wait_lcore(core) };
        }
        result.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

impl<'scope> Scope<'scope, '_> {
    /// Runs `work` on `core`, whose thread is pinned to it and known to EAL, so that pools keep a cache for it. A core
    /// here is one of EAL's: `--lcores` may pin several of them to one processor, which their workers then share.
    ///
    /// # Errors
    /// [`Error::NoWorkerCore`]; [`Error::CoreBusy`] while an earlier worker runs there.
    pub fn launch<T: Send + 'scope>(
        &'scope self,
        core: u32,
        work: impl FnOnce() -> T + Send + 'scope,
    ) -> Result<Worker<'scope, T>, Error> {
        if !self.eal.takes_worker(core) {
            return Err(Error::NoWorkerCore { core, main: self.eal.main_core() });
        }
        let (sender, result) = sync_channel(1);
        let ended = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&ended);
        let job: Job<'scope> = Box::new(move || {
            let result = catch_unwind(AssertUnwindSafe(work));
            drop(sender.send(result)); // nobody may be waiting
            ends.store(true, Ordering::Release);
        });
        let job = Box::into_raw(Box::new(job));
        // SAFETY: `run` takes the job back on that core, once. What it borrows outlives the scope, which waits for it,
        // and only the thread that started EAL launches.
        if unsafe { dpdk_sys::rte_eal_remote_launch(Some(run), job.cast(), core) } != 0 {
            // SAFETY: the launch was refused, so the job is still ours.
            drop(unsafe { Box::from_raw(job) });
            return Err(Error::CoreBusy { core });
        }
        self.launched.borrow_mut().push(core);
        Ok(Worker { result, ended, _scope: PhantomData })
    }
}

impl<T> Worker<'_, T> {
    /// Waits for the worker, and returns what it returned.
    ///
    /// # Errors
    /// What it panicked with.
    pub fn join(self) -> thread::Result<T> {
        match self.result.recv() {
            Ok(result) => result,
            Err(_) => Err(Box::new("the worker ended without a result")),
        }
    }

    /// Whether it has ended, so that [`Worker::join`] will not wait.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

type Job<'scope> = Box<dyn FnOnce() + Send + 'scope>;

/// What EAL calls on the worker's core.
unsafe extern "C" fn run(job: *mut c_void) -> c_int {
    // SAFETY: `launch` passes a boxed job, to one call.
    let job = unsafe { Box::from_raw(job.cast::<Job<'_>>()) };
    job();
    0
}
