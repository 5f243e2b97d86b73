//! Redis or Valkey.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::Store;
use super::source::Kind;
use super::url::Url;
use crate::scenario::SECRET;

pub(super) const KIND: Kind = Kind {
    name: "Redis",
    variable: "TEST_REDIS_URL",
    port: 6379,
    packages: &["redis-server"],
    programs: &["redis-server", "valkey-server"],
    users: &[],
    signal: "TERM",
    settings: &["--save", "", "--appendonly", "no"],
    script: r#"exec "$PROGRAM" --bind 127.0.0.1 --port "$PORT" "$@""#,
    container: &["redis:7-alpine", "redis-server"],
    url: |port| format!("redis://127.0.0.1:{port}"),
    ready: |url| Client::connect(url)?.call(&["PING"]).map(drop),
    create,
};

/// A wait that no answer of a healthy server needs.
const DEADLINE: Duration = Duration::from_secs(10);

/// Takes a database that is empty. Runs of several processes may want the same one, so a key claims it.
fn create(admin: &str, name: &str) -> Result<Store> {
    let mut client = Client::connect(admin)?;
    // From the end: the first ones are those that tests and people use.
    for number in (1..16).rev().map(|number| number.to_string()) {
        client.call(&["SELECT", &number])?;
        if client.call(&["DBSIZE"])? != "0" {
            continue;
        }
        client.call(&["SET", name, "claimed", "EX", "600"])?;
        if client.call(&["DBSIZE"])? != "1" {
            client.call(&["DEL", name])?; // somebody else was as quick
            continue;
        }
        let password = format!(">{SECRET}");
        let user = ["ACL", "SETUSER", name, "on", &password, "~*", "&*", "+@all"];
        client.call(&user)?;
        let url = Url::parse(admin)?.with(name, SECRET, &number);
        let (admin, name) = (admin.to_owned(), name.to_owned());
        let clear = move || {
            let mut client = Client::connect(&admin)?;
            client.call(&["SELECT", &number])?;
            client.call(&["FLUSHDB"])?;
            client.call(&["ACL", "DELUSER", &name]).map(drop)
        };
        return Ok(Store {
            variable: "REDIS_URL",
            url,
            clear: Box::new(clear),
        });
    }
    bail!("none of the databases 1 to 15 is empty")
}

/// The few commands that are needed here, each answered with one line or one text.
struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    fn connect(url: &str) -> Result<Self> {
        let url = Url::parse(url)?;
        let host = if url
            .host
            .rsplit(']')
            .next()
            .is_some_and(|end| end.contains(':'))
        {
            url.host.to_owned()
        } else {
            format!("{}:6379", url.host)
        };
        let address = host.to_socket_addrs()?.next().context("no such host")?;
        let stream = TcpStream::connect_timeout(&address, DEADLINE)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        let mut client = Self {
            stream: BufReader::new(stream),
        };
        match (url.user, url.password) {
            ("", "") => {}
            ("", password) => drop(client.call(&["AUTH", password])?),
            (user, password) => drop(client.call(&["AUTH", user, password])?),
        }
        Ok(client)
    }

    fn call(&mut self, words: &[&str]) -> Result<String> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let line = line.trim_end();
        match line.split_at_checked(1) {
            Some(("+" | ":", answer)) => Ok(answer.to_owned()),
            Some(("$", length)) => {
                let length = length.parse::<usize>().unwrap_or_default();
                let mut text = vec![0; length + 2];
                self.stream.read_exact(&mut text)?;
                text.truncate(length);
                Ok(String::from_utf8_lossy(&text).into_owned())
            }
            Some(("-", error)) => bail!("{error}"),
            _ => bail!("`{line}` is no answer of Redis"),
        }
    }
}
