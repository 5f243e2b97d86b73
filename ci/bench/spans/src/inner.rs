//! Spans of the service's own functions.

use std::hint::black_box;
use std::time::Duration;

use opentelemetry::KeyValue;
use tracing::instrument;

use crate::{Form, Result, Work, repeat};

#[instrument(name = "db.get_user", skip_all, fields(user.id = id))]
async fn instrumented(id: i64) -> i64 {
    black_box(id)
}

async fn bare(id: i64) -> i64 {
    black_box(id)
}

pub(crate) async fn instrument(work: Work) -> Result<Duration> {
    Ok(match work.form {
        Form::Bare => repeat(work.count, |_| bare(1)).await,
        _ => repeat(work.count, |_| instrumented(1)).await,
    })
}

pub(crate) async fn traced(work: Work) -> Result<Duration> {
    let traced = || telemetry::traced("db.get_user", [KeyValue::new("user.id", 1)], bare(1));
    Ok(match work.form {
        Form::Bare => repeat(work.count, |_| bare(1)).await,
        _ => repeat(work.count, |_| traced()).await,
    })
}
