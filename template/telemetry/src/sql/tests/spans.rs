use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use opentelemetry::{
    Context,
    trace::{
        FutureExt as _, SpanKind, Status, TraceContextExt as _, Tracer as _, TracerProvider as _,
    },
};
use sqlx::{Error, Executor as _};

use super::{
    super::{
        SCOPE,
        backend::testing::{DUPLICATE, FIND, INSERT, TALKATIVE},
        failure::discreet,
    },
    rig::{Rig, attribute, is_child_of, join},
};

#[tokio::test]
async fn a_statement_is_a_client_span_below_the_current_one() {
    let rig = Rig::new(1).await;
    let parent = rig.tracers.tracer("test").start("parent");
    let context = Context::new().with_span(parent);
    let done = sqlx::query(INSERT)
        .bind(1)
        .bind("Ada")
        .execute(&rig.pool)
        .with_context(context.clone())
        .await;
    assert_eq!(done.expect("inserted").rows_affected(), 1);

    let span = rig.span();
    assert_eq!(span.name, "INSERT users");
    assert_eq!(span.span_kind, SpanKind::Client);
    assert_eq!(span.status, Status::Unset);
    assert_eq!(span.instrumentation_scope.name(), SCOPE);
    assert!(is_child_of(&span, context.span().span_context()));
    let expected = rig.attributes(&[
        ("db.query.summary", "INSERT users"),
        ("db.query.text", INSERT),
    ]);
    assert_eq!(join(&span.attributes), expected);
}

#[tokio::test]
async fn text_that_binds_nothing_loses_its_literals() {
    let rig = Rig::new(1).await;
    // The first goes out with an empty list of arguments, the second with none.
    sqlx::query("SELECT id FROM users WHERE name = 'secret'")
        .fetch_all(&rig.pool)
        .await
        .expect("ran");
    sqlx::raw_sql("SELECT id FROM users WHERE name = 'secret'; SELECT 42")
        .execute(&rig.pool)
        .await
        .expect("ran");
    let texts: Vec<_> = rig
        .spans()
        .iter()
        .filter_map(|span| attribute(span, "db.query.text"))
        .collect();
    assert_eq!(
        texts
            .iter()
            .map(|text| text.as_str().into_owned())
            .collect::<Vec<_>>(),
        [
            "SELECT id FROM users WHERE name = ?",
            "SELECT id FROM users WHERE name = ?; SELECT ?"
        ]
    );
}

#[tokio::test]
async fn a_failure_shows_code_and_class_but_no_value() {
    let rig = Rig::new(1).await;
    let insert = || sqlx::query(INSERT).bind(1).bind("secret");
    insert().execute(&rig.pool).await.expect("inserted");
    let error = insert().execute(&rig.pool).await.expect_err("a duplicate");
    assert!(
        error
            .as_database_error()
            .is_some_and(sqlx::error::DatabaseError::is_unique_violation)
    );

    let span = rig.spans().remove(1);
    assert_eq!(attribute(&span, "error.type"), Some(DUPLICATE.into()));
    assert_eq!(
        attribute(&span, "db.response.status_code"),
        Some(DUPLICATE.into())
    );
    assert_eq!(span.status, Status::error("unique_violation"));
    assert!(!format!("{span:?}").contains("secret"));

    // A message that quotes the text: `no such column: secret`.
    sqlx::query("SELECT secret FROM users WHERE name = 'x'")
        .fetch_all(&rig.pool)
        .await
        .expect_err("no column");
    assert_eq!(rig.spans().remove(2).status, Status::error("database"));
}

#[tokio::test]
async fn what_goes_on_record_of_an_error_holds_no_value() {
    let rig = Rig::new(1).await;
    let error = sqlx::raw_sql(TALKATIVE).execute(&rig.pool).await;
    let error = error.expect_err("a mistake");
    assert!(error.to_string().contains("hunter2"), "{error}");
    let said = discreet(&error).expect("other words");
    assert!(
        said.starts_with("database ") && !said.contains("hunter2"),
        "{said}"
    );

    let insert = || sqlx::query(INSERT).bind(1).bind("hunter2");
    insert().execute(&rig.pool).await.expect("inserted");
    let error = insert().execute(&rig.pool).await.expect_err("a duplicate");
    let said = discreet(&error).unwrap_or_else(|| error.to_string());
    // The constraint is named all the same, be it by the key's name or the column's.
    assert!(
        ["users.id", "users_pkey", "PRIMARY"]
            .iter()
            .any(|name| said.contains(name)),
        "{said}"
    );

    let error = sqlx::query_scalar::<_, i64>("SELECT name FROM users");
    let error = error.fetch_one(&rig.pool).await.expect_err("no number");
    assert_eq!(
        discreet(&error).as_deref(),
        Some("column 0 cannot be decoded")
    );
}

#[tokio::test]
async fn finding_no_row_is_no_failure() {
    let rig = Rig::new(1).await;
    let found: Result<String, Error> = sqlx::query_scalar(FIND).bind(1).fetch_one(&rig.pool).await;
    assert!(matches!(found, Err(Error::RowNotFound)));
    let span = rig.span();
    assert_eq!(span.status, Status::Unset);
    assert_eq!(attribute(&span, "error.type"), None);
}

#[tokio::test]
async fn a_stream_ends_its_span_at_its_end_or_when_dropped() {
    let rig = Rig::new(1).await;
    for id in 1..=3 {
        sqlx::query(INSERT)
            .bind(id)
            .bind("x")
            .execute(rig.pool.inner())
            .await
            .expect("inserted");
    }
    let mut all = sqlx::query("SELECT id FROM users").fetch(&rig.pool);
    while all.try_next().await.expect("a row").is_some() {}
    assert_eq!(
        rig.names(),
        ["SELECT users"],
        "ended although the stream is still held"
    );
    drop(all);

    let mut some = sqlx::query("SELECT id FROM users").fetch(&rig.pool);
    assert!(some.next().await.is_some());
    assert_eq!(rig.spans().len(), 1);
    drop(some);
    assert_eq!(rig.spans().len(), 2);
    assert_eq!(rig.spans()[1].status, Status::Unset);

    drop(sqlx::query("SELECT id FROM users").fetch(&rig.pool));
    assert_eq!(rig.spans().len(), 2, "what was never polled never ran");
}

#[tokio::test]
async fn a_cancelled_wait_is_no_failure_and_a_dry_pool_is() {
    let rig = Rig::impatient().await;
    let _held = rig.pool.acquire().await.expect("a connection");
    let query = sqlx::query("SELECT 1").execute(&rig.pool);
    tokio::time::timeout(Duration::from_millis(20), query)
        .await
        .expect_err("cancelled");
    let span = rig.span();
    assert_eq!((span.status, span.name.as_ref()), (Status::Unset, "SELECT"));

    let error = sqlx::query("SELECT 1")
        .execute(&rig.pool)
        .await
        .expect_err("no connection");
    assert!(matches!(error, Error::PoolTimedOut));
    let span = rig.spans().remove(1);
    assert_eq!(
        attribute(&span, "error.type"),
        Some("pool_timed_out".into())
    );
    assert_eq!(attribute(&span, "db.response.status_code"), None);
}

#[tokio::test]
async fn a_transaction_tells_how_it_began_and_ended() {
    let rig = Rig::new(1).await;
    let mut transaction = rig.pool.begin().await.expect("begun");
    sqlx::query(INSERT)
        .bind(1)
        .bind("a")
        .execute(&mut transaction)
        .await
        .expect("inserted");
    let name: String = sqlx::query_scalar(FIND)
        .bind(1)
        .fetch_one(&mut transaction)
        .await
        .expect("found");
    assert_eq!(name, "a");
    transaction.commit().await.expect("committed");
    assert_eq!(
        rig.names(),
        ["BEGIN", "INSERT users", "SELECT users", "COMMIT"]
    );

    let mut dropped = rig.pool.begin().await.expect("begun");
    sqlx::query("DELETE FROM users")
        .execute(&mut dropped)
        .await
        .expect("deleted");
    drop(dropped);
    let rolled_back = rig.pool.begin().await.expect("begun");
    rolled_back.rollback().await.expect("rolled back");
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM users")
        .fetch_one(&rig.pool)
        .await
        .expect("counted");
    assert_eq!(count, 1);
    assert_eq!(
        rig.names()[4..],
        ["BEGIN", "DELETE users", "BEGIN", "ROLLBACK", "SELECT users"]
    );

    let error = rig
        .pool
        .begin_with("SELECT nonsense")
        .await
        .expect_err("no transaction");
    let span = rig.spans().pop().expect("a span");
    assert_eq!(span.name, "SELECT");
    assert_ne!(span.status, Status::Unset, "{error}");
}

#[tokio::test]
async fn works_wherever_sqlx_does() {
    let rig = Rig::new(2).await;
    let mut connection = rig.pool.acquire().await.expect("a connection");
    let statement = connection
        .prepare(sqlx::SqlStr::from_static(FIND))
        .await
        .expect("prepared");
    let row = sqlx::Statement::query(&statement)
        .bind(1)
        .fetch_optional(&mut connection)
        .await
        .expect("ran");
    assert!(row.is_none());
    let pool = rig.pool.clone();
    // The futures are `Send`, as a handler's must be.
    let task = tokio::spawn(async move {
        let mut transaction = pool.begin().await?;
        sqlx::query(INSERT)
            .bind(1)
            .bind("a")
            .execute(&mut transaction)
            .await?;
        let mut rows = sqlx::query("SELECT id FROM users").fetch(&mut transaction);
        while rows.try_next().await?.is_some() {}
        drop(rows);
        transaction.commit().await?;
        let mut built = sqlx::QueryBuilder::new("SELECT id FROM users WHERE id IN (");
        built.separated(", ").push_bind(1).push_bind(2);
        built.push(")").build().fetch_all(&pool).await
    });
    assert_eq!(task.await.expect("joined").expect("ran").len(), 1);
    let names = [
        "SELECT users",
        "BEGIN",
        "INSERT users",
        "SELECT users",
        "COMMIT",
        "SELECT users",
    ];
    assert_eq!(rig.names(), names);
}

#[tokio::test]
async fn an_argument_that_cannot_be_encoded_is_a_failure() {
    struct Unfit;
    impl sqlx::Type<super::super::Driver> for Unfit {
        fn type_info() -> <super::super::Driver as sqlx::Database>::TypeInfo {
            <i32 as sqlx::Type<super::super::Driver>>::type_info()
        }
    }
    impl sqlx::Encode<'_, super::super::Driver> for Unfit {
        fn encode_by_ref(
            &self,
            _: &mut <super::super::Driver as sqlx::Database>::ArgumentBuffer,
        ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
            Err("secret".into())
        }
    }
    let rig = Rig::new(1).await;
    let error = sqlx::query(FIND)
        .bind(Unfit)
        .execute(&rig.pool)
        .await
        .expect_err("no value");
    assert!(matches!(error, Error::Encode(_)));
    assert_eq!(attribute(&rig.span(), "error.type"), Some("encode".into()));
}
