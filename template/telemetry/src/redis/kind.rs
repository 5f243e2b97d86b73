//! What operations that are alike have in common: their name, attributes and time series, found out once and not for each
//! of them.

use std::{
    borrow::Cow,
    collections::HashMap,
    hash::Hash,
    sync::{Arc, RwLock},
};

use opentelemetry::{KeyValue, metrics::Histogram};
use opentelemetry_semantic_conventions::attribute::{
    DB_OPERATION_BATCH_SIZE, DB_OPERATION_NAME, DB_QUERY_TEXT,
};
use redis::{Cmd, Pipeline};

use super::call::{Call, Shape};
use crate::{names, series::Series};

/// Commands that are remembered, and batches: as many as a service writes down.
const CAPACITY: usize = 256;

/// Operations that are told apart by their outcome only.
#[derive(Debug)]
pub(super) struct Kind {
    /// The span's.
    pub(super) name: Cow<'static, str>,
    /// Of the span and the metric.
    pub(super) attributes: Vec<KeyValue>,
    /// Of the span alone.
    pub(super) of_span: Vec<KeyValue>,
    /// How long it took where it did not fail; where it did, that belongs to a series of the failure.
    pub(super) duration: Series<f64>,
    pub(super) failures: Histogram<f64>,
}

/// The operations of one connection.
#[derive(Debug)]
pub(super) struct Kinds {
    /// Attributes that all of them have: system, namespace, server.
    common: Vec<KeyValue>,
    duration: Histogram<f64>,
    commands: Known<Shape>,
    batches: Known<Call>,
}

type Known<K> = RwLock<HashMap<K, Arc<Kind>>>;

impl Kinds {
    pub(super) fn new(common: Vec<KeyValue>, duration: Histogram<f64>) -> Self {
        Self {
            common,
            duration,
            commands: RwLock::default(),
            batches: RwLock::default(),
        }
    }

    pub(super) fn of(&self, command: &Cmd) -> Arc<Kind> {
        remembered(&self.commands, Shape::of(command), |_| {
            self.describe(&Call::of(command))
        })
    }

    pub(super) fn of_all(&self, pipeline: &Pipeline) -> Arc<Kind> {
        remembered(&self.batches, Call::of_all(pipeline), |call| {
            self.describe(call)
        })
    }

    fn describe(&self, call: &Call) -> Kind {
        let text = |text: &str| Arc::<str>::from(text);
        let mut attributes = self.common.clone();
        attributes.push(KeyValue::new(DB_OPERATION_NAME, text(&call.name)));
        let query = (!call.text.is_empty()).then(|| KeyValue::new(DB_QUERY_TEXT, text(&call.text)));
        let size = call
            .batch_size
            .map(|size| KeyValue::new(DB_OPERATION_BATCH_SIZE, size));
        Kind {
            name: names::kept(call.name.clone()),
            of_span: query.into_iter().chain(size).collect(),
            duration: Series::new(&self.duration, attributes.clone().into()),
            failures: self.duration.clone(),
            attributes,
        }
    }
}

fn remembered<K: Eq + Hash>(
    known: &Known<K>,
    key: K,
    describe: impl FnOnce(&K) -> Kind,
) -> Arc<Kind> {
    // A poisoned lock only costs the shortcut.
    if let Ok(known) = known.read()
        && let Some(kind) = known.get(&key)
    {
        return Arc::clone(kind);
    }
    let kind = Arc::new(describe(&key));
    if let Ok(mut known) = known.write()
        && known.len() < CAPACITY
    {
        known.insert(key, Arc::clone(&kind));
    }
    kind
}

#[cfg(test)]
mod tests {
    use opentelemetry::global;
    use redis::{cmd, pipe};

    use super::*;

    #[test]
    fn remembers_a_bounded_number_of_commands() {
        let kinds = Kinds::new(
            Vec::new(),
            global::meter("test").f64_histogram("seconds").build(),
        );
        for n in 0..2 * CAPACITY {
            kinds.of(&cmd(&format!("COMMAND{n}")));
            kinds.of_all(pipe().get(n).cmd(&format!("COMMAND{n}")));
        }
        assert_eq!(kinds.commands.read().expect("sound").len(), CAPACITY);
        assert_eq!(kinds.batches.read().expect("sound").len(), CAPACITY);
        let known = || kinds.of(&cmd("COMMAND1"));
        assert!(Arc::ptr_eq(&known(), &known()));
        assert_eq!(kinds.of(&cmd("COMMAND1").arg(1).take()).of_span.len(), 1);
        assert_eq!(kinds.of(&cmd("COMMAND999")).name, "COMMAND999");
    }
}
