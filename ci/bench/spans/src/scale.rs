//! More of it: spans in a request, routes of a service, paths that callers make up.

use std::hint::black_box;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use tower::Service as _;
use tracing::instrument;

use crate::server::{layered, request};
use crate::{Form, Result, Work, repeat};

#[instrument(skip_all, fields(number))]
async fn step(number: u64) -> u64 {
    black_box(number)
}

pub(crate) async fn run(kind: &str, size: u64, work: Work) -> Result<Duration> {
    let bare = work.form == Form::Bare;
    let (router, path): (Router, Box<dyn Fn(u64) -> String>) = match kind {
        // The server's is one of them.
        "spans" => {
            let work = move || async move {
                for number in 1..size {
                    if bare {
                        black_box(number);
                    } else {
                        step(number).await;
                    }
                }
            };
            let router = Router::new().route("/work", get(work));
            (router, Box::new(|_| "/work".to_owned()))
        }
        "routes" => {
            let add = |router: Router, number| {
                router.route(&format!("/route{number}/{{id}}"), get(|| async {}))
            };
            let router = (0..size).fold(Router::new(), add);
            (router, Box::new(move |n| format!("/route{}/1", n % size)))
        }
        // Of one route.
        "ids" => {
            let router = Router::new().route("/products/{id}", get(|_: Path<u64>| async {}));
            (router, Box::new(move |n| format!("/products/{}", n % size)))
        }
        // Of no route.
        "paths" => {
            let router = Router::new().route("/work", get(|| async {}));
            (router, Box::new(move |n| format!("/made-up/{}", n % size)))
        }
        _ => return Err(format!("`{kind}` is nothing that grows").into()),
    };
    let mut router = layered(router, work.form);
    let took = repeat(work.count, |number| {
        router.call(request(&path(number), None))
    });
    Ok(took.await)
}
