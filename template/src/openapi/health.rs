#![expect(dead_code, reason = "they show a shape; nobody calls or reads them")]

use std::collections::BTreeMap;

use utoipa::{OpenApi, ToSchema};

use super::{common::HEALTH, problem::Problem};
use crate::health;

#[derive(OpenApi)]
#[openapi(
    paths(health, healthz, ready, readyz),
    tags((name = HEALTH, description = "For load balancers. These requests leave no trace."))
)]
pub(super) struct Api;

/// The process is there and answers.
#[derive(ToSchema)]
#[schema(example = json!({ "status": "ok" }))]
struct Liveness {
    #[schema(pattern = "^ok$")]
    status: String,
}

/// Whether the service can do its work.
#[derive(ToSchema)]
struct Readiness {
    #[schema(pattern = "^(not )?ready$")]
    status: String,
    /// `ok` or `failed`, by part of the service.
    checks: BTreeMap<String, String>,
}

const _: fn(health::Readiness) -> Readiness = |health::Readiness { status, checks }| Readiness {
    status: status.to_owned(),
    checks: checks
        .into_iter()
        .map(|(part, check)| (part.to_owned(), check.to_owned()))
        .collect(),
};

/// Whether the process lives
#[utoipa::path(
    get,
    path = "/health",
    tag = HEALTH,
    responses((status = 200, description = "It does.", body = Liveness))
)]
fn health() {}

/// Whether the process lives
#[utoipa::path(
    get,
    path = "/healthz",
    tag = HEALTH,
    responses((status = 200, description = "It does.", body = Liveness))
)]
fn healthz() {}

/// Whether its dependencies answer
#[utoipa::path(
    get,
    path = "/ready",
    tag = HEALTH,
    responses(
        (status = 200, description = "They do.", body = Readiness),
        (
            status = 503,
            description = "One of them does not, or the check took too long.",
            content((Readiness = "application/json"), (Problem = "application/problem+json"))
        ),
    )
)]
fn ready() {}

/// Whether its dependencies answer
#[utoipa::path(
    get,
    path = "/readyz",
    tag = HEALTH,
    responses(
        (status = 200, description = "They do.", body = Readiness),
        (
            status = 503,
            description = "One of them does not, or the check took too long.",
            content((Readiness = "application/json"), (Problem = "application/problem+json"))
        ),
    )
)]
fn readyz() {}
