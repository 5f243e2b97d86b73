//! `&Pool` and `&mut Lease` as executors of sqlx. Its other methods (`execute`, `fetch_all`, `fetch_one` …) all go
//! through the two that are wrapped here.
//!
//! An operation starts when its future or stream is polled first, below the span that was current when it was made. On
//! a pool it covers the wait for a connection as well: that is what its caller waits for, and where a dry pool shows.

use std::{fmt, ops::DerefMut, sync::Arc};

use async_stream::try_stream;
use futures_util::{TryStreamExt as _, future::BoxFuture, stream::BoxStream};
use opentelemetry::Context;
use sqlx::{Arguments as _, Database, Describe, Either, Error, Execute, Executor, SqlStr};

use super::{
    Driver, Lease, Pool,
    operation::{Operation, Operations},
};

type BoxDynError = Box<dyn std::error::Error + Send + Sync>;
type Raw = <Driver as Database>::Connection;
type Arguments = <Driver as Database>::Arguments;
type Prepared = <Driver as Database>::Statement;
type Row = <Driver as Database>::Row;
type TypeInfo = <Driver as Database>::TypeInfo;
type Step = Either<<Driver as Database>::QueryResult, Row>;

/// A query, taken apart to look at and put together again: [`Execute::sql`] consumes it.
struct Request {
    sql: SqlStr,
    prepared: Option<Prepared>,
    arguments: Result<Option<Arguments>, BoxDynError>,
    persistent: bool,
    parent: Context,
}

impl Request {
    fn new<'q>(mut query: impl Execute<'q, Driver>) -> Self {
        let arguments = query.take_arguments();
        let (prepared, persistent) = (query.statement().cloned(), query.persistent());
        Self {
            sql: query.sql(),
            prepared,
            arguments,
            persistent,
            parent: Context::current(),
        }
    }

    fn start(&self, operations: &Operations) -> Operation {
        // `query()` brings arguments even if none were bound, so that there are some means nothing.
        let binds = match &self.arguments {
            Ok(arguments) => arguments
                .as_ref()
                .is_some_and(|arguments| arguments.len() > 0),
            Err(_) => true, // one could not be encoded
        };
        operations.start(self.sql.as_str(), binds, &self.parent)
    }
}

impl Execute<'_, Driver> for Request {
    fn sql(self) -> SqlStr {
        self.sql
    }
    fn statement(&self) -> Option<&Prepared> {
        self.prepared.as_ref()
    }
    fn take_arguments(&mut self) -> Result<Option<Arguments>, BoxDynError> {
        std::mem::replace(&mut self.arguments, Ok(None))
    }
    fn persistent(&self) -> bool {
        self.persistent
    }
}

// As in sqlx, what a pool runs does not borrow it: any lifetime will do.
impl<'p> Executor<'p> for &'_ Pool {
    type Database = Driver;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Driver>,
    {
        if !self.shared.records {
            return self.shared.raw.fetch_many(query);
        }
        let (pool, request) = (self.clone(), Request::new(query));
        Box::pin(try_stream! {
            let mut operation = request.start(&pool.shared.operations);
            let mut lease = pool.acquire().await.inspect_err(|error| operation.fail(error))?;
            let mut steps = lease.raw.fetch_many(request);
            while let Some(step) = steps.try_next().await.inspect_err(|error| operation.fail(error))? {
                if step.is_right() {
                    operation.returned_row();
                }
                yield step;
            }
        })
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<Row>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Driver>,
    {
        if !self.shared.records {
            return self.shared.raw.fetch_optional(query);
        }
        let (pool, request) = (self.clone(), Request::new(query));
        Box::pin(async move {
            let mut operation = request.start(&pool.shared.operations);
            let acquired = pool.acquire().await;
            let mut lease = acquired.inspect_err(|error| operation.fail(error))?;
            let row = lease.raw.fetch_optional(request).await;
            drop(lease);
            operation.ended(row)
        })
    }

    // Preparing and describing run nothing, so there is no operation to tell of.
    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [TypeInfo],
    ) -> BoxFuture<'e, Result<Prepared, Error>>
    where
        'p: 'e,
    {
        let pool = self.clone();
        Box::pin(async move {
            pool.acquire()
                .await?
                .raw
                .prepare_with(sql, parameters)
                .await
        })
    }

    // There because the feature `macros` of sqlx is on, here or in any crate of the graph.
    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Driver>, Error>>
    where
        'p: 'e,
    {
        let pool = self.clone();
        Box::pin(async move { pool.acquire().await?.raw.describe(sql).await })
    }
}

impl<'c, C> Executor<'c> for &'c mut Lease<C>
where
    C: DerefMut<Target = Raw> + Send + fmt::Debug,
{
    type Database = Driver;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Driver>,
    {
        if !self.term.shared.records {
            return self.raw.fetch_many(query);
        }
        let request = Request::new(query);
        let (shared, raw) = (Arc::clone(&self.term.shared), &mut *self.raw);
        Box::pin(try_stream! {
            let mut operation = request.start(&shared.operations);
            let mut steps = raw.fetch_many(request);
            while let Some(step) = steps.try_next().await.inspect_err(|error| operation.fail(error))? {
                if step.is_right() {
                    operation.returned_row();
                }
                yield step;
            }
        })
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<Row>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Driver>,
    {
        if !self.term.shared.records {
            return self.raw.fetch_optional(query);
        }
        let request = Request::new(query);
        let (shared, raw) = (Arc::clone(&self.term.shared), &mut *self.raw);
        Box::pin(async move {
            let mut operation = request.start(&shared.operations);
            operation.ended(raw.fetch_optional(request).await)
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [TypeInfo],
    ) -> BoxFuture<'e, Result<Prepared, Error>>
    where
        'c: 'e,
    {
        self.raw.prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Driver>, Error>>
    where
        'c: 'e,
    {
        self.raw.describe(sql)
    }
}
