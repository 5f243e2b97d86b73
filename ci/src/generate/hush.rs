//! cargo-generate reports to standard error and has no switch against it. Progress and results of a command would drown
//! in that, so standard error goes nowhere for as long as a [`Hush`] lives.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;

/// How many want silence (generations run in parallel), and where standard error went before the first of them.
static STATE: Mutex<(usize, Option<OwnedFd>)> = Mutex::new((0, None));

pub struct Hush(());

pub fn hush() -> Result<Hush> {
    let mut state = state();
    if state.0 == 0 {
        let before = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stderr(), 0)?;
        rustix::stdio::dup2_stderr(File::options().write(true).open("/dev/null")?)?;
        state.1 = Some(before);
    }
    state.0 += 1;
    Ok(Hush(()))
}

impl Drop for Hush {
    fn drop(&mut self) {
        let mut state = state();
        state.0 -= 1;
        if state.0 == 0
            && let Some(before) = state.1.take()
        {
            // Should this fail, the only loss is the text of later messages.
            let _ = rustix::stdio::dup2_stderr(before);
        }
    }
}

fn state() -> MutexGuard<'static, (usize, Option<OwnedFd>)> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}
