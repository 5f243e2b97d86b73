//! What the service calls: it answers all requests alike. The judging upstream keeps the headers of each call, and would take
//! more time than what is measured.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello";
/// Requests without a body end so.
const END: &[u8] = b"\r\n\r\n";

/// It stops when it is dropped.
#[derive(Debug)]
pub(super) struct Echo {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Echo {
    pub(super) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.context("binding the upstream's port")?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream));
            }
        });
        Ok(Self { address, task })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Until the caller hangs up.
async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut head = Vec::with_capacity(4096);
    while stream.read_buf(&mut head).await? > 0 {
        while let Some(end) = head.windows(END.len()).position(|bytes| bytes == END) {
            head.drain(..end + END.len());
            stream.write_all(ANSWER).await?;
        }
    }
    Ok(())
}
