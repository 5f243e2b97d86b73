//! The database servers that tests and scenarios need, and they are real: named by `TEST_POSTGRES_URL`, `TEST_MYSQL_URL`
//! and `TEST_REDIS_URL`; else private ones, started when they are needed first and stopped with this process.

mod mysql;
mod packages;
mod postgres;
mod process;
mod prometheus;
mod redis;
mod source;
#[cfg(test)]
mod tests;
mod url;

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, anyhow};

use crate::scenario::{Part, Parts};
use crate::stacks::Stack;
pub use packages::program;
pub use prometheus::{Prometheus, Rule, Sample};
use source::{Kind, Server, Surroundings};

/// The variables by which the tests of `stack` find their servers. An administrator's URLs: tests make databases of their
/// own there.
///
/// # Errors
/// When a server is neither there nor can be started, with what to install or to set.
pub fn environment(stack: &Stack) -> Result<BTreeMap<String, String>> {
    let url = |kind: &'static Kind| Ok((kind.variable.to_owned(), server(kind)?.url.clone()));
    kinds(stack).into_iter().map(url).collect()
}

/// What one run of the scenario needs: an empty database of its own on each server of `stack`; `None` for a stack that
/// needs no server.
///
/// # Errors
/// As for [`environment`], and when the server refuses to make one.
pub fn database(stack: &Stack) -> Result<Option<Fresh>> {
    let mut fresh = Fresh::default();
    for kind in kinds(stack) {
        let name = unique();
        let store = (kind.create)(&server(kind)?.url, &name)
            .with_context(|| format!("making an empty database in {}", kind.name))?;
        fresh.stores.push(store);
    }
    Ok(Some(fresh).filter(|fresh| !fresh.stores.is_empty()))
}

/// Empty databases with a user whose password is the scenario's secret. They are dropped with this.
#[derive(Debug, Default)]
pub struct Fresh {
    stores: Vec<Store>,
}

impl Fresh {
    /// `DATABASE_URL`, `REDIS_URL`: what the service is told.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let pair = |store: &Store| (store.variable.to_owned(), store.url.clone());
        self.stores.iter().map(pair).collect()
    }
}

/// One of them.
struct Store {
    variable: &'static str,
    url: String,
    /// Takes it away again.
    clear: Box<dyn FnMut() -> Result<()> + Send + Sync>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("variable", &self.variable)
            .finish_non_exhaustive()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Err(error) = (self.clear)() {
            eprintln!("the database of a scenario stays: {error:#}");
        }
    }
}

fn kinds(stack: &Stack) -> Vec<&'static Kind> {
    let database = match stack.one("database") {
        Some("postgres") => Some(&postgres::KIND),
        Some("mysql") => Some(&mysql::KIND),
        _ => None,
    };
    let redis = Parts::of(stack).has(Part::Redis).then_some(&redis::KIND);
    database.into_iter().chain(redis).collect()
}

/// The one server of a kind, for as long as this process lives. Nothing drops a static: a server that was started here
/// watches for the end of this process, whatever ends it.
fn server(kind: &'static Kind) -> Result<&'static Server> {
    static POSTGRES: OnceLock<Result<Server, String>> = OnceLock::new();
    static MYSQL: OnceLock<Result<Server, String>> = OnceLock::new();
    static REDIS: OnceLock<Result<Server, String>> = OnceLock::new();
    let cell = match kind.variable {
        "TEST_POSTGRES_URL" => &POSTGRES,
        "TEST_MYSQL_URL" => &MYSQL,
        _ => &REDIS,
    };
    let find = || Server::find(kind, &Surroundings::of_this_process(kind));
    cell.get_or_init(|| find().map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| anyhow!("{error}"))
}

/// A name for a database that no other process and no other run has: short enough for a MySQL user.
fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = now.unwrap_or_default().as_secs();
    format!("scenario_{seconds:x}_{}_{count}", std::process::id())
}

/// Runs `work` to its end, from within a runtime or without one.
fn wait_for<T: Send>(work: impl Future<Output = Result<T>> + Send) -> Result<T> {
    let run = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(work)
    };
    std::thread::scope(|scope| scope.spawn(run).join())
        .unwrap_or_else(|_| Err(anyhow!("the thread that spoke to the server panicked")))
}
