//! A job that is put into a queue, and one that is taken out.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::ready;
use std::hint::black_box;
use std::time::Duration;

use telemetry::jobs::{Delivery, Destination, Failed};

use crate::{Form, Result, Work, repeat};

const ID: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

pub(crate) async fn send(work: Work) -> Result<Duration> {
    let push = |headers: HashMap<String, String>| {
        black_box(headers);
        ready(Ok::<(), Infallible>(()))
    };
    if work.form == Form::Bare {
        return Ok(repeat(work.count, |_| push(HashMap::new())).await);
    }
    let mail = &Destination::new("apalis", "mail");
    Ok(repeat(work.count, |_| mail.send(ID, push)).await)
}

pub(crate) async fn process(work: Work) -> Result<Duration> {
    let attempt = || ready(Ok::<(), Failed>(()));
    if work.form == Form::Bare {
        return Ok(repeat(work.count, |_| attempt()).await);
    }
    let mail = &Destination::new("apalis", "mail");
    let mut headers = HashMap::new();
    let pushed = mail.send(ID, |carried| {
        headers = carried;
        ready(Ok::<(), Infallible>(()))
    });
    pushed.await?;
    let delivery = &Delivery {
        id: ID,
        attempt: 1,
        headers: &headers,
    };
    Ok(repeat(work.count, |_| mail.process(delivery, attempt())).await)
}
