//! A real browser: Chromium without a window, told what to do by WebDriver (<https://www.w3.org/TR/webdriver2/>).

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::servers;

/// How long the browser may take for anything.
const DEADLINE: Duration = Duration::from_secs(60);
const PACKAGES: [&str; 2] = ["chromium", "chromium-driver"];

/// A browser with one window. [`Browser::close`] it: what is dropped takes only its driver along.
#[derive(Debug)]
pub struct Browser {
    driver: SocketAddr,
    session: String,
    _process: Child,
    _profile: TempDir,
}

impl Browser {
    /// Starts it, and installs it first where it is missing and can be installed: as root on Debian.
    ///
    /// # Errors
    /// When there is none, with what to install.
    pub async fn start() -> Result<Self> {
        let chromium = servers::program(&["chromium", "chromium-browser"], &PACKAGES)?;
        let driver = servers::program(&["chromedriver"], &PACKAGES)?;
        let profile = tempfile::tempdir()?;
        let mut process = Command::new(driver)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("starting chromedriver")?;
        let stdout = process.stdout.take().context("chromedriver's stdout")?;
        let port = timeout(DEADLINE, port(BufReader::new(stdout))).await;
        let driver = SocketAddr::from(([127, 0, 0, 1], port.context("chromedriver is silent")??));

        let mut arguments = vec![
            "--headless=new".to_owned(),
            "--window-size=1440,900".to_owned(),
            "--hide-scrollbars".to_owned(),
            // Containers have little of it.
            "--disable-dev-shm-usage".to_owned(),
            format!("--user-data-dir={}", profile.path().display()),
        ];
        if rustix::process::getuid().is_root() {
            arguments.push("--no-sandbox".to_owned()); // it knows no sandbox for root
        }
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "binary": chromium, "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let session = call(driver, "POST", "/session", &wanted).await?;
        let session = session["sessionId"].as_str().context("no session")?;
        Ok(Self {
            driver,
            session: session.to_owned(),
            _process: process,
            _profile: profile,
        })
    }

    async fn command(&self, path: &str, body: Value) -> Result<Value> {
        let path = format!("/session/{}/{path}", self.session);
        call(self.driver, "POST", &path, &body).await
    }

    /// Opens `url`.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub async fn go(&self, url: &str) -> Result<()> {
        self.command("url", json!({ "url": url })).await.map(drop)
    }

    /// Waits until the JavaScript expression is true, and gives its value.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn wait(&self, expression: &str) -> Result<Value> {
        let script = format!(
            "const done = arguments[0];
             const look = () => {{ const value = ({expression}); value ? done(value) : setTimeout(look, 20); }};
             look();"
        );
        let body = json!({ "script": script, "args": [] });
        let value = self.command("execute/async", body).await;
        value.with_context(|| format!("waiting in the browser for {expression}"))
    }

    /// Presses keys, one after the other.
    ///
    /// # Errors
    /// When the browser is gone.
    pub async fn press(&self, keys: &str) -> Result<()> {
        let action = |kind: &str, key: char| json!({ "type": kind, "value": key.to_string() });
        let actions: Vec<Value> = keys
            .chars()
            .flat_map(|key| [action("keyDown", key), action("keyUp", key)])
            .collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        let body = json!({ "actions": [keyboard] });
        self.command("actions", body).await.map(drop)
    }

    /// Has pages look as in a browser that is set to `light` or `dark`.
    ///
    /// # Errors
    /// When the browser is gone.
    pub async fn prefer(&self, scheme: &str) -> Result<()> {
        let scheme = json!({ "name": "prefers-color-scheme", "value": scheme });
        let body =
            json!({ "cmd": "Emulation.setEmulatedMedia", "params": { "features": [scheme] } });
        self.command("goog/cdp/execute", body).await.map(drop)
    }

    /// What is seen, as PNG.
    ///
    /// # Errors
    /// When the browser is gone.
    pub async fn screenshot(&self) -> Result<Vec<u8>> {
        let path = format!("/session/{}/screenshot", self.session);
        let picture = call(self.driver, "GET", &path, &Value::Null).await?;
        from_base64(picture.as_str().unwrap_or_default()).context("a picture that is no base64")
    }

    /// What the page complained of since the last time: errors of scripts, and what its policy forbade.
    ///
    /// # Errors
    /// When the browser is gone.
    pub async fn complaints(&self) -> Result<Vec<String>> {
        let log = self.command("se/log", json!({ "type": "browser" })).await?;
        let entries = log.as_array().into_iter().flatten();
        Ok(entries.map(|entry| entry["message"].to_string()).collect())
    }

    /// Ends the browser.
    ///
    /// # Errors
    /// When it is gone already.
    pub async fn close(self) -> Result<()> {
        let path = format!("/session/{}", self.session);
        let closed = call(self.driver, "DELETE", &path, &Value::Null);
        closed.await.map(drop)
    }
}

/// The port that chromedriver says it listens on; first it repeats the 0 that it was told.
async fn port(mut output: impl tokio::io::AsyncBufRead + Unpin) -> Result<u16> {
    let mut line = String::new();
    while output.read_line(&mut line).await? > 0 {
        if let Some((_, port)) = line.trim_end().trim_end_matches('.').split_once("on port ")
            && let Ok(port @ 1..) = port.parse()
        {
            return Ok(port);
        }
        line.clear();
    }
    bail!("chromedriver ended and named no port")
}

/// One command, and the value that it gives.
async fn call(driver: SocketAddr, method: &str, path: &str, body: &Value) -> Result<Value> {
    let exchange = async {
        let stream = TcpStream::connect(driver).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = hyper::Request::builder()
            .method(method)
            .uri(path)
            .header("host", driver.to_string())
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))?;
        let (head, body) = sender.send_request(request).await?.into_parts();
        let answer: Value = serde_json::from_slice(&body.collect().await?.to_bytes())?;
        let value = &answer["value"];
        ensure!(
            head.status.is_success(),
            "{}: {}",
            value["error"].as_str().unwrap_or_default(),
            value["message"].as_str().unwrap_or_default()
        );
        anyhow::Ok(value.clone())
    };
    timeout(DEADLINE, exchange)
        .await
        .with_context(|| format!("the browser does not answer in {DEADLINE:?}"))?
}

/// RFC 4648, section 4. Nothing but pictures comes so.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for letter in text.trim_end_matches('=').bytes() {
        let value = LETTERS.iter().position(|known| *known == letter)?;
        bits = (bits << 6 | u32::try_from(value).ok()?) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::from_base64;

    #[test]
    fn pictures_are_read_as_they_were_written() {
        // RFC 4648, section 10.
        for (text, bytes) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(from_base64(text).as_deref(), Some(bytes.as_bytes()));
        }
        assert_eq!(from_base64("?"), None);
    }
}
