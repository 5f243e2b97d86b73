//! Requests that are in order, or fail in ways that services fail, each full of secrets.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use prost::Message;
use tokio::task::JoinSet;

use super::plant::{self, secret};
use super::probes::{Probe, probes};
use super::raw::{self, Reply};
use super::run::Report;
use super::search;
use crate::client::{self, GRPC, Request};
use crate::faults::{GARBLED_QUERY, LITERAL_QUERY, LOUD_QUERY, PANIC_QUERY};
use crate::peer::Peer;
use crate::scenario::{Part, Parts};
use crate::service::Service;
use crate::upstream::{Mode, Upstream};

/// How many requests were made, by what is wrong with them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub planted: usize,
    pub bad: usize,
    pub made_up: usize,
}

/// Bad requests at a time.
const AT_A_TIME: usize = 8;

/// What would turn around what stands behind it; text may hold it.
const TURNED: &str = "x%E2%80%AE";

#[derive(Message)]
struct NewUser {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    email: String,
}

#[derive(Message)]
struct Search {
    #[prost(string, tag = "1")]
    q: String,
}

/// Those whom the service calls.
pub(super) struct Rig {
    parts: Parts,
    upstream: Upstream,
    peer: Peer,
}

impl Rig {
    pub(super) async fn new(parts: &Parts) -> Result<Self> {
        Ok(Self {
            parts: parts.clone(),
            upstream: Upstream::start().await?,
            peer: Peer::start().await?,
        })
    }

    /// Where they are.
    pub(super) fn environment(&self) -> BTreeMap<String, String> {
        let upstream = plant::upstream(&self.parts, self.upstream.address());
        let peer = || format!("http://{}", self.peer.address());
        let peer = self
            .parts
            .has(Part::Grpc)
            .then(|| ("GRPC_PEER_URL".to_owned(), peer()));
        upstream.into_iter().chain(peer).collect()
    }

    /// Makes all requests that `service` has a part for.
    pub(super) async fn ask_all(&mut self, service: &Service, report: &mut Report) -> Result<()> {
        let address = service.address();
        let user = format!(
            r#"{{"name":"{}","email":"{}@example.com"}}"#,
            secret("name"),
            secret("email")
        );
        let created = ask(address, "POST", "/users", &user, 201, report).await?;
        let location = created.head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("location")
                .then(|| value.to_owned())
        });
        let location = location.context("a user without a place")?;
        ask(address, "POST", "/users", &user, 409, report).await?;
        let secrets = plant::query();
        for _ in 0..2 {
            ask(
                address,
                "GET",
                &format!("{location}?{secrets}"),
                "",
                200,
                report,
            )
            .await?;
        }
        ask(address, "GET", "/users/1", "", 200, report).await?;
        ask(
            address,
            "GET",
            &format!("/products?limit=0&{secrets}"),
            "",
            400,
            report,
        )
        .await?;
        ask(
            address,
            "GET",
            &format!("/nowhere?{secrets}"),
            "",
            404,
            report,
        )
        .await?;
        ask(
            address,
            "DELETE",
            &format!("/products?{secrets}"),
            "",
            405,
            report,
        )
        .await?;
        for query in [PANIC_QUERY, GARBLED_QUERY, LOUD_QUERY] {
            let target = format!("/products?q={query}&{secrets}");
            ask(address, "GET", &target, "", 500, report).await?;
        }
        ask(
            address,
            "GET",
            &format!("/products?q={TURNED}"),
            "",
            200,
            report,
        )
        .await?;
        if self.parts.has(Part::Sql) {
            let target = format!("/products?q={LITERAL_QUERY}");
            ask(address, "GET", &target, "", 500, report).await?;
        }
        if self.parts.has(Part::Client) {
            for (mode, status) in [
                (Mode::Answer(200), 200),
                (Mode::Answer(404), 502),
                (Mode::Answer(500), 502),
                (Mode::Refuse, 502),
            ] {
                self.upstream.set(mode).await?;
                ask(address, "POST", "/external", "", status, report).await?;
            }
        }
        if self.parts.has(Part::Grpc) {
            let grpc = service.address_of("gRPC listening").await?;
            self.peer.forward_to(grpc);
            call_all(grpc, report).await?;
            ask(address, "GET", "/peer/products?q=lamp", "", 200, report).await?;
            ask(address, "GET", "/peer/products?limit=0", "", 400, report).await?;
        }
        Ok(())
    }

    /// Makes all bad requests.
    pub(super) async fn probe(&self, service: &Service, report: &mut Report) -> Result<()> {
        let address = service.address();
        let probes: Arc<[Probe]> = probes().into();
        let mut running = JoinSet::new();
        for first in 0..AT_A_TIME {
            let probes = probes.clone();
            running.spawn(async move {
                let mut found = Vec::new();
                for Probe { name, bytes } in probes.iter().skip(first).step_by(AT_A_TIME) {
                    match raw::send(address, bytes).await {
                        Ok(reply) => {
                            if let Some(status @ 500..) = reply.status {
                                // That there is no upstream is no fault of the request's.
                                if !name.contains("/external") {
                                    found.push(format!(
                                        "{name} is answered with {status}: {}",
                                        reply.body
                                    ));
                                }
                            }
                            found.extend(search::in_answer(name, &reply));
                        }
                        Err(error) => found.push(format!("{name} gets no answer: {error}")),
                    }
                }
                found
            });
        }
        while let Some(found) = running.join_next().await {
            report.findings.extend(found?);
        }
        report.tally.bad += probes.len();
        Ok(())
    }
}

/// One request over HTTP.
async fn ask(
    address: SocketAddr,
    method: &str,
    target: &str,
    body: &str,
    status: u16,
    report: &mut Report,
) -> Result<Reply> {
    let planted = plant::headers();
    let mut headers: Vec<_> = planted
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    if !body.is_empty() {
        headers.push(("content-type", "application/json"));
    }
    let bytes = raw::request(method, target, &headers, body.as_bytes());
    let reply = raw::send(address, &bytes).await?;
    let asked = format!("{method} {target}");
    ensure!(
        reply.status == Some(status),
        "{asked} is answered with {:?} instead of {status}: {}",
        reply.status,
        reply.body
    );
    report.tally.planted += 1;
    report.findings.extend(search::in_answer(&asked, &reply));
    Ok(reply)
}

async fn call_all(address: SocketAddr, report: &mut Report) -> Result<()> {
    const CREATE: &str = "shop.v1.UserService/CreateUser";
    const SEARCH: &str = "shop.v1.ProductService/Search";
    let user = |name: &str| NewUser {
        name: secret(name),
        email: format!("{}@example.com", secret("grpc-email")),
    };
    let searched = |q: &str| Search { q: q.to_owned() }.encode_to_vec();
    let nameless = NewUser {
        name: "\0".to_owned(),
        ..user("")
    };
    let mut garbage = vec![0x0a, 0x7f];
    garbage.extend(secret("grpc-garbage").bytes());
    for (target, body, code) in [
        (CREATE, user("grpc-name").encode_to_vec(), 0),
        (CREATE, user("grpc-name").encode_to_vec(), 6),
        (CREATE, nameless.encode_to_vec(), 3),
        (CREATE, garbage, 13),
        (SEARCH, searched(PANIC_QUERY), 13),
        (SEARCH, searched(GARBLED_QUERY), 13),
        (
            "shop.v1.UserService/DropUsers",
            user("grpc-name").encode_to_vec(),
            12,
        ),
    ] {
        let mut headers = plant::headers();
        headers.push(("x-secret-bin", secret("grpc-metadata")));
        let request = Request {
            method: GRPC,
            target,
            headers,
            body,
        };
        let answer = client::send(address, &request).await?;
        ensure!(
            answer.status == code,
            "{target} is answered with {} instead of {code}: {:?}",
            answer.status,
            answer.headers
        );
        report.tally.planted += 1;
        let failed = answer.status != 0;
        let reply = Reply {
            status: failed.then_some(400).or(Some(200)),
            head: String::new(),
            // What a failed call says is in its trailers.
            body: format!("{:?}", answer.headers),
        };
        report.findings.extend(search::in_answer(target, &reply));
    }
    Ok(())
}
