//! The service that `/external` calls. Its behaviour is a switch; it keeps the headers of each call.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, SET_COOKIE};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::scenario::SECRET;

/// What the upstream does with the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Answer(u16),
    /// Answers the next call with 503, and all later ones with this status.
    Recover(u16),
    /// Answers nothing until the mode changes; then as that mode says.
    Hang,
    /// Nobody listens on the port.
    Refuse,
}

/// Lower-case header names and their values.
pub type Headers = BTreeMap<String, String>;

/// A running upstream. It stops when it is dropped.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    mode: watch::Sender<Mode>,
    calls: Mutex<Vec<Headers>>,
    /// Bumped at each call.
    called: watch::Sender<usize>,
}

impl Upstream {
    /// # Errors
    /// When no port can be bound.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("binding the upstream's port")?;
        let shared = Arc::new(Shared {
            mode: watch::Sender::new(Mode::Answer(200)),
            calls: Mutex::default(),
            called: watch::Sender::new(0),
        });
        let address = listener.local_addr()?;
        let task = Some(serve(listener, shared.clone()));
        Ok(Self {
            address,
            shared,
            task,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Throws the switch.
    ///
    /// # Errors
    /// When the port cannot be bound again after [`Mode::Refuse`].
    pub async fn set(&mut self, mode: Mode) -> anyhow::Result<()> {
        self.shared.mode.send_replace(mode);
        if mode == Mode::Refuse {
            if let Some(task) = self.task.take() {
                task.abort();
                // Only when the task is gone is its listener closed; that it was cancelled is the point.
                let _ = task.await;
            }
        } else if self.task.is_none() {
            let listener = TcpListener::bind(self.address)
                .await
                .context("binding the upstream's port again")?;
            self.task = Some(serve(listener, self.shared.clone()));
        }
        Ok(())
    }

    /// The number of calls so far.
    pub fn calls(&self) -> usize {
        *self.shared.called.borrow()
    }

    /// The headers of each call after the first `calls`.
    pub fn headers_since(&self, calls: usize) -> Vec<Headers> {
        self.shared
            .calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .skip(calls)
            .cloned()
            .collect()
    }

    /// Waits until there were `calls` calls.
    ///
    /// # Errors
    /// When there were not within `deadline`.
    pub async fn wait_for_calls(&self, calls: usize, deadline: Duration) -> anyhow::Result<()> {
        let mut called = self.shared.called.subscribe();
        timeout(deadline, called.wait_for(|count| *count >= calls))
            .await
            .with_context(|| format!("the upstream was not called within {deadline:?}"))?
            .context("the upstream is gone")?;
        Ok(())
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

fn serve(listener: TcpListener, shared: Arc<Shared>) -> JoinHandle<()> {
    let routes = Router::new().fallback(answer).with_state(shared);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            eprintln!("the upstream stopped: {error}");
        }
    })
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let headers = request
        .headers()
        .iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    shared
        .calls
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(headers);
    shared.called.send_modify(|count| *count += 1);

    let mut mode = shared.mode.subscribe();
    let status = match mode
        .wait_for(|mode| *mode != Mode::Hang)
        .await
        .map(|mode| *mode)
    {
        Ok(Mode::Answer(status)) => {
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
        }
        Ok(Mode::Recover(status)) => {
            shared.mode.send_replace(Mode::Answer(status));
            StatusCode::SERVICE_UNAVAILABLE
        }
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    // No keep-alive: after `Refuse` no pooled connection may reach the old listener's tasks. What else it says is nobody's
    // business either.
    let headers = [
        (CONNECTION, "close".to_owned()),
        (SET_COOKIE, format!("login={SECRET}")),
    ];
    (status, headers, format!("hello from upstream, {SECRET}")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Answer, Request, send};

    async fn call(address: SocketAddr) -> anyhow::Result<Answer> {
        let headers = vec![("traceparent", "of the caller".to_owned())];
        send(
            address,
            &Request {
                method: "GET",
                target: "/hello",
                headers,
                body: Vec::new(),
            },
        )
        .await
    }

    #[tokio::test]
    async fn does_as_the_switch_says_and_keeps_headers() {
        let mut upstream = Upstream::start().await.unwrap();
        let address = upstream.address();
        for status in [200, 404, 500] {
            upstream.set(Mode::Answer(status)).await.unwrap();
            assert_eq!(call(address).await.unwrap().status, status);
        }
        assert_eq!(upstream.calls(), 3);
        assert_eq!(upstream.headers_since(2)[0]["traceparent"], "of the caller");
        assert!(upstream.headers_since(3).is_empty());
    }

    #[tokio::test]
    async fn recovers_after_one_call() {
        let mut upstream = Upstream::start().await.unwrap();
        upstream.set(Mode::Recover(200)).await.unwrap();
        assert_eq!(call(upstream.address()).await.unwrap().status, 503);
        assert_eq!(call(upstream.address()).await.unwrap().status, 200);
    }

    #[tokio::test]
    async fn refuses_and_listens_again_on_the_same_port() {
        let mut upstream = Upstream::start().await.unwrap();
        upstream.set(Mode::Refuse).await.unwrap();
        assert!(call(upstream.address()).await.is_err());
        upstream.set(Mode::Answer(200)).await.unwrap();
        assert_eq!(call(upstream.address()).await.unwrap().status, 200);
    }

    #[tokio::test]
    async fn hangs_until_the_switch_is_thrown() {
        let mut upstream = Upstream::start().await.unwrap();
        upstream.set(Mode::Hang).await.unwrap();
        let waiting = tokio::spawn(call(upstream.address()));
        upstream
            .wait_for_calls(1, Duration::from_secs(5))
            .await
            .unwrap();
        assert!(!waiting.is_finished());
        upstream.set(Mode::Answer(200)).await.unwrap();
        assert_eq!(waiting.await.unwrap().unwrap().status, 200);
    }
}
