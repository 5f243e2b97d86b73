//! What is known of a statement before it runs. It depends on the text alone, so it is found out once a text.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, OnceLock, RwLock},
};

use opentelemetry::{KeyValue, metrics::Histogram};
use opentelemetry_semantic_conventions::attribute::{DB_QUERY_SUMMARY, DB_QUERY_TEXT};

use super::{backend::DIALECT, sanitize::sanitize, summary::summary};
use crate::{names, series::Series};

/// Texts that are remembered: as many as a service writes down, and not those it builds at run time without end.
const CAPACITY: usize = 256;
const LONGEST: usize = 4 * 1024;

/// A statement's share of the signals.
#[derive(Debug)]
pub(super) struct Statement {
    /// The span's name.
    pub(super) name: Cow<'static, str>,
    /// Attributes of the span and of the metrics.
    pub(super) attributes: Arc<[KeyValue]>,
    /// How long it took where it did not fail; where it did, that belongs to a series of the failure.
    pub(super) duration: Series<f64>,
    pub(super) failures: Histogram<f64>,
    pub(super) returned_rows: Series<u64>,
    text: Arc<str>,
    sanitized: OnceLock<Arc<str>>,
}

impl Statement {
    /// `db.query.text`: as it is if it binds parameters (the convention asks for that), else without its literals.
    pub(super) fn text(&self, binds: bool) -> KeyValue {
        let text = if binds {
            &self.text
        } else {
            self.sanitized
                .get_or_init(|| sanitize(&self.text, DIALECT).into())
        };
        KeyValue::new(DB_QUERY_TEXT, Arc::clone(text))
    }
}

/// The statements of one pool.
#[derive(Debug)]
pub(super) struct Statements {
    /// Attributes that all of them have: system, namespace, server.
    common: Vec<KeyValue>,
    /// The span's name if the text has no summary.
    fallback: Cow<'static, str>,
    duration: Histogram<f64>,
    returned_rows: Histogram<u64>,
    known: RwLock<HashMap<Arc<str>, Arc<Statement>>>,
}

impl Statements {
    pub(super) fn new(
        common: Vec<KeyValue>,
        fallback: Cow<'static, str>,
        duration: Histogram<f64>,
        returned_rows: Histogram<u64>,
    ) -> Self {
        Self {
            common,
            fallback,
            duration,
            returned_rows,
            known: RwLock::default(),
        }
    }

    pub(super) fn get(&self, sql: &str) -> Arc<Statement> {
        // A poisoned lock only costs the shortcut.
        if let Some(statement) = self
            .known
            .read()
            .ok()
            .and_then(|known| known.get(sql).cloned())
        {
            return statement;
        }
        let statement = Arc::new(self.describe(sql));
        if sql.len() <= LONGEST
            && let Ok(mut known) = self.known.write()
            && known.len() < CAPACITY
        {
            known.insert(Arc::clone(&statement.text), Arc::clone(&statement));
        }
        statement
    }

    fn describe(&self, sql: &str) -> Statement {
        let mut attributes = Vec::with_capacity(self.common.len() + 1);
        attributes.extend_from_slice(&self.common);
        let summary = summary(sql, DIALECT);
        if let Some(summary) = &summary {
            let summary = Arc::<str>::from(summary.as_str());
            attributes.push(KeyValue::new(DB_QUERY_SUMMARY, summary));
        }
        let attributes: Arc<[KeyValue]> = attributes.into();
        Statement {
            name: summary.map_or_else(|| self.fallback.clone(), names::kept),
            duration: Series::new(&self.duration, Arc::clone(&attributes)),
            failures: self.duration.clone(),
            returned_rows: Series::new(&self.returned_rows, Arc::clone(&attributes)),
            attributes,
            text: sql.into(),
            sanitized: OnceLock::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::global;

    use super::*;

    fn statements(fallback: &'static str) -> Statements {
        let meter = global::meter("test");
        Statements::new(
            Vec::new(),
            fallback.into(),
            meter.f64_histogram("seconds").build(),
            meter.u64_histogram("rows").build(),
        )
    }

    #[test]
    fn remembers_a_bounded_number_of_texts() {
        let statements = statements("sqlite");
        for n in 0..2 * CAPACITY {
            statements.get(&format!("SELECT {n}"));
        }
        statements.get(&"x".repeat(2 * LONGEST));
        assert_eq!(
            statements.known.read().expect("not poisoned").len(),
            CAPACITY
        );
        assert!(Arc::ptr_eq(
            &statements.get("SELECT 1"),
            &statements.get("SELECT 1")
        ));
    }

    #[test]
    fn what_has_no_summary_is_named_after_the_database() {
        let statement = statements("service.db").get("secret 'x'");
        assert_eq!(&*statement.name, "service.db");
        assert!(statement.attributes.is_empty());
    }
}
