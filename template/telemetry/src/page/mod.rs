//! A page with the last traces, for development: on a port of its own that only this machine reaches. It is not compiled
//! into release builds.

mod http;
mod json;
mod store;
#[cfg(test)]
mod tests;

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
};

use opentelemetry_sdk::{logs::LoggerProviderBuilder, trace::SpanProcessor};

use self::store::Store;
use crate::{
    env::Env,
    limits::{LimitedLogs, Limits},
    marks::Rule,
};

/// Beside the ports of OTLP, and not one of a known server.
const DEFAULT_PORT: u16 = 4319;

/// Keeps the last traces and shows them, if it is open.
#[derive(Debug, Default)]
pub(crate) struct Page {
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    url: String,
    store: Store,
}

impl Page {
    pub(crate) fn closed() -> Self {
        Self::default()
    }

    /// Opens it where a person may be looking: in the environment `development`.
    pub(crate) fn open(environment: &str, rule: Rule, env: &mut Env) -> Self {
        const PORT: &str = "TELEMETRY_PAGE_PORT";
        let said = env.get(PORT);
        let port = match said.as_deref() {
            None => Some(DEFAULT_PORT),
            Some("none") => None,
            Some(said) => Some(said.parse().unwrap_or_else(|_| {
                env.warnings.push(format!(
                    "{PORT}={said:?} is not understood and ignored; allowed: 0 to 65535, none"
                ));
                DEFAULT_PORT
            })),
        };
        let Some(port) = port.filter(|_| environment == "development") else {
            return Self::closed();
        };
        let store = Store::default();
        match listen(port, &store, rule) {
            Ok(url) => Self {
                open: Some(Open { url, store }),
            },
            Err(error) => {
                let warning = format!("the page with the last traces cannot be served: {error}");
                env.warnings.push(warning);
                Self::closed()
            }
        }
    }

    /// Its address, to which `/#` and a trace's id may be added.
    pub(crate) fn url(&self) -> Option<&str> {
        self.open.as_ref().map(|open| open.url.as_str())
    }

    /// Where spans go.
    pub(crate) fn spans(&self) -> Option<Box<dyn SpanProcessor>> {
        let open = self.open.as_ref()?;
        Some(Box::new(open.store.clone()))
    }

    pub(crate) fn with_logs(
        &self,
        to: LoggerProviderBuilder,
        limits: &Limits,
    ) -> LoggerProviderBuilder {
        match &self.open {
            None => to,
            Some(open) => to.with_log_processor(LimitedLogs::new(open.store.clone(), limits)),
        }
    }
}

/// Another service may have the port: then any that is free. The page has threads of its own, and makes no telemetry.
fn listen(port: u16, store: &Store, rule: Rule) -> io::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    let url = format!("http://{}", listener.local_addr()?);
    let store = store.clone();
    http::serve(listener, move |target| match target.split_once('?') {
        None if target == "/" => http::Answer::Page,
        Some(("/traces", after)) => {
            let after = after.strip_prefix("after=").and_then(|n| n.parse().ok());
            json::list(&store, after, rule).map_or(http::Answer::Nothing, http::Answer::Json)
        }
        None => match target.strip_prefix("/traces/") {
            Some(id) => {
                json::trace(&store, id, rule).map_or(http::Answer::Unknown, http::Answer::Json)
            }
            None => http::Answer::Unknown,
        },
        Some(_) => http::Answer::Unknown,
    })?;
    Ok(url)
}
