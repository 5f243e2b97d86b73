//! Blocking calls in async code: the context goes along, and who gives up ends what goes on.

use std::{
    cell::RefCell,
    io::{self, ErrorKind},
    net::SocketAddr,
    panic,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use opentelemetry::Context;
use tokio::task::{self, AbortHandle};
use ureq::{Error, unversioned::transport::ShutdownHandle};

use super::super::Call;

/// Runs `work`, which may block, on tokio's threads for that, within the current span and context.
///
/// A thread cannot be stopped. When the future is dropped, say because the client of the service hung up, nobody waits
/// for the work any more: the span of the request under way ends there and then, without an error, as if an async client
/// had been dropped. Its connection is closed, so the thread soon finds out, and no other request of the same work is
/// sent. (Only a name that is being looked up, or a connection being made, is waited for.)
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (context, span) = (Context::current(), tracing::Span::current());
    let shared = Arc::new(Work::default());
    let here = shared.clone();
    let task = task::spawn_blocking(move || {
        // In this order: the span makes its own context current, which may lack what was added to it.
        let _span = span.entered();
        let _context = context.attach();
        let _work = shared.enter();
        work()
    });
    let _leash = Leash {
        work: here,
        task: task.abort_handle(),
    };
    match task.await.map_err(task::JoinError::try_into_panic) {
        Ok(value) => value,
        Err(Ok(panic)) => panic::resume_unwind(panic),
        // The runtime is shutting down, and drops this future too.
        Err(Err(_)) => std::future::pending().await,
    }
}

/// Ends the work that nobody waits for any more.
struct Leash {
    work: Arc<Work>,
    task: AbortHandle,
}

impl Drop for Leash {
    fn drop(&mut self) {
        // In case no thread has begun it.
        self.task.abort();
        self.work.abandon();
    }
}

/// What a thread does for a caller who may give up, as both see it.
#[derive(Debug, Default)]
pub(super) struct Work(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    abandoned: bool,
    /// The attempt in flight.
    call: Option<Call>,
    /// What it is sent over.
    socket: Option<Arc<Socket>>,
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Work>>> = const { RefCell::new(None) };
}

impl Work {
    /// This thread's work. Outside of [`blocking`], a request is a work of its own.
    ///
    /// # Errors
    /// When nobody waits for it: nothing may be sent.
    pub(super) fn current() -> Result<Arc<Self>, Error> {
        let work = CURRENT.with_borrow(Clone::clone).unwrap_or_default();
        work.state().refuse_if_abandoned()?;
        Ok(work)
    }

    /// Begins an attempt.
    ///
    /// # Errors
    /// When nobody waits for it: it must not be sent.
    pub(super) fn begin(self: Arc<Self>, call: Call) -> Result<Attempt, Error> {
        let mut state = self.state();
        state.refuse_if_abandoned()?;
        (state.call, state.socket) = (Some(call), None);
        drop(state);
        Ok(Attempt(self.enter()))
    }

    fn enter(self: Arc<Self>) -> Entered {
        let before = CURRENT.replace(Some(self.clone()));
        Entered { work: self, before }
    }

    fn abandon(self: &Arc<Self>) {
        let mut state = self.state();
        state.abandoned = true;
        let (call, socket) = (state.call.take(), state.socket.take());
        drop(state);
        drop(call);
        if let Some(socket) = socket {
            socket.close_if_used_by(self);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

impl State {
    fn refuse_if_abandoned(&self) -> Result<(), Error> {
        if self.abandoned {
            let refused = io::Error::new(ErrorKind::ConnectionAborted, "nobody waits for it");
            return Err(Error::Io(refused));
        }
        Ok(())
    }
}

/// One attempt, from its beginning to the head of the response.
pub(super) struct Attempt(Entered);

impl Attempt {
    /// Says how it went, unless it was given up, and ends it.
    pub(super) fn end(self, tell: impl FnOnce(&mut Call, Option<SocketAddr>)) {
        let mut state = self.0.work.state();
        let call = state.call.take();
        let peer = state.socket.as_ref().map(|socket| socket.peer);
        drop(state);
        if let Some(mut call) = call {
            tell(&mut call, peer);
        }
    }
}

/// Until it is dropped, the work is this thread's.
struct Entered {
    work: Arc<Work>,
    before: Option<Arc<Work>>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.before.take());
    }
}

/// A connection, which serves one work after another.
#[derive(Debug)]
pub(super) struct Socket {
    handle: Weak<dyn ShutdownHandle>,
    peer: SocketAddr,
    user: Mutex<Weak<Work>>,
}

impl Socket {
    pub(super) fn new(handle: Weak<dyn ShutdownHandle>, peer: SocketAddr) -> Self {
        let user = Mutex::default();
        Self { handle, peer, user }
    }

    /// This thread's work uses it from now on.
    ///
    /// # Errors
    /// When nobody waits for that work: nothing may be sent.
    pub(super) fn is_used(self: &Arc<Self>) -> Result<(), Error> {
        let work = Work::current()?;
        *lock(&self.user) = Arc::downgrade(&work);
        let mut state = work.state();
        state.refuse_if_abandoned()?;
        state.socket = Some(self.clone());
        Ok(())
    }

    fn close_if_used_by(&self, work: &Arc<Work>) {
        let user = lock(&self.user);
        if user.as_ptr() == Arc::as_ptr(work)
            && let Some(handle) = self.handle.upgrade()
        {
            handle.shutdown();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
