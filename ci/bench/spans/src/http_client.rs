//! reqwest, whose last middleware is the server.

use std::time::Duration;

use http::Extensions;
use reqwest_middleware::{ClientBuilder, Middleware, Next};
use telemetry::http_client::Traced;

use crate::{Form, Result, Work, repeat};

struct Answers;

#[async_trait::async_trait]
impl Middleware for Answers {
    async fn handle(
        &self,
        _: reqwest::Request,
        _: &mut Extensions,
        _: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        Ok(http::Response::new("").into())
    }
}

pub(crate) async fn run(work: Work) -> Result<Duration> {
    let mut builder = ClientBuilder::new(reqwest::Client::builder().no_proxy().build()?);
    if work.form != Form::Bare {
        builder = builder.with(Traced::new());
    }
    let client = &builder.with(Answers).build();
    let took = repeat(work.count, |_| {
        client.get("http://127.0.0.1:8080/users/1").send()
    });
    Ok(took.await)
}
