//! What is at an address: whether it is there, and what it speaks.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, lookup_host},
    time::timeout,
};

use crate::{tls::Tls, transport};

const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(super) enum Unreachable {
    Name,
    Silent,
    Io(io::Error),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    Http1,
    Http2,
    Tls,
    Nothing,
}

pub(super) async fn connect(host: &str, port: u16) -> Result<TcpStream, Unreachable> {
    let addresses = match timeout(PATIENCE, lookup_host((host, port))).await {
        Ok(Ok(addresses)) => addresses.collect::<Vec<_>>(),
        Ok(Err(_)) | Err(_) => return Err(Unreachable::Name),
    };
    match timeout(PATIENCE, TcpStream::connect(&*addresses)).await {
        Ok(stream) => stream.map_err(Unreachable::Io),
        Err(_) => Err(Unreachable::Silent),
    }
}

/// What is spoken by who is at the other end of `stream`, in plain text.
pub(super) async fn language(stream: TcpStream, host: &str, port: u16) -> Speaks {
    // The preface of HTTP/2 with settings that change nothing: RFC 9113, section 3.4.
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    match recognise(&ask(stream, preface).await) {
        Speaks::Nothing => {}
        found => return found,
    }
    let Ok(stream) = connect(host, port).await else {
        return Speaks::Nothing;
    };
    let request = format!("GET / HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n");
    recognise(&ask(stream, request.as_bytes()).await)
}

/// The beginning of the answer; empty if there is none.
async fn ask(mut stream: TcpStream, question: &[u8]) -> Vec<u8> {
    let mut answer = vec![0; 512];
    let conversation = async {
        stream.write_all(question).await?;
        stream.read(&mut answer).await
    };
    let read = timeout(PATIENCE, conversation).await;
    answer.truncate(read.map_or(0, |read| read.unwrap_or(0)));
    answer
}

fn recognise(answer: &[u8]) -> Speaks {
    const SETTINGS: u8 = 4;
    const GOAWAY: u8 = 7;
    let text = String::from_utf8_lossy(answer);
    match answer {
        // Go's servers say so in plain text.
        _ if text.contains("HTTP request to an HTTPS server") => Speaks::Tls,
        _ if text.contains("HTTP request was sent to HTTPS port") => Speaks::Tls,
        _ if text.starts_with("HTTP/1.") => Speaks::Http1,
        // An alert: RFC 8446, section 6.
        [0x15, 0x03, ..] => Speaks::Tls,
        [_, _, _, SETTINGS | GOAWAY, ..] => Speaks::Http2,
        _ => Speaks::Nothing,
    }
}

/// What is wrong with the encryption; `None` if it comes about.
pub(super) async fn tls(tls: &Tls, url: &str) -> Option<String> {
    let client = reqwest::Client::builder().timeout(PATIENCE);
    let client = tls.http(client).and_then(reqwest::ClientBuilder::build);
    let asked = match client {
        Ok(client) => client.get(url).send().await.map(drop),
        Err(error) => Err(error),
    };
    asked.err().map(|error| transport::chain(&error))
}
