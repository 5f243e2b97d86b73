//! PostgreSQL.

use anyhow::Result;
use sqlx::{Connection as _, PgConnection};

use super::source::Kind;
use super::url::Url;
use super::{Store, wait_for};
use crate::scenario::SECRET;

pub(super) const KIND: Kind = Kind {
    name: "PostgreSQL",
    variable: "TEST_POSTGRES_URL",
    port: 5432,
    packages: &["postgresql"],
    programs: &["postgres"],
    users: &["postgres", "nobody"],
    signal: "QUIT",
    settings: SETTINGS,
    script: SCRIPT,
    container: &[
        "-e",
        "POSTGRES_PASSWORD=postgres",
        "postgres:17-alpine",
        "postgres",
    ],
    url: |port| format!("postgres://postgres:postgres@127.0.0.1:{port}/postgres"),
    ready: |url| run(url, &["SELECT 1".to_owned()]),
    create,
};

/// No durability: nothing here outlives this process.
const SETTINGS: &[&str] = &[
    "-c",
    "fsync=off",
    "-c",
    "synchronous_commit=off",
    "-c",
    "full_page_writes=off",
    "-c",
    "max_connections=300",
];

/// `initdb` is beside the program, whatever links lead there. No socket in the file system: its usual folder is not
/// everybody's to write to.
const SCRIPT: &str = r#"
echo postgres >password
program=$(readlink -f "$PROGRAM")
"${program%/*}/initdb" --no-sync --no-instructions --username=postgres --pwfile=password \
    --auth=scram-sha-256 --encoding=UTF8 --locale=C --pgdata=data || exit
exec "$program" -D data -p "$PORT" -c listen_addresses=127.0.0.1 -c unix_socket_directories= "$@"
"#;

fn create(admin: &str, name: &str) -> Result<Store> {
    let url = Url::parse(admin)?.with(name, SECRET, name);
    run(
        admin,
        &[
            format!("CREATE ROLE {name} LOGIN PASSWORD '{SECRET}'"),
            format!("CREATE DATABASE {name} OWNER {name}"),
        ],
    )?;
    let (admin, name) = (admin.to_owned(), name.to_owned());
    let clear = move || {
        run(
            &admin,
            &[
                format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
                format!("DROP ROLE IF EXISTS {name}"),
            ],
        )
    };
    Ok(Store {
        variable: "DATABASE_URL",
        url,
        clear: Box::new(clear),
    })
}

fn run(url: &str, statements: &[String]) -> Result<()> {
    wait_for(async {
        let mut connection = PgConnection::connect(url).await?;
        for statement in statements {
            let sql = sqlx::AssertSqlSafe(statement.clone());
            sqlx::raw_sql(sql).execute(&mut connection).await?;
        }
        Ok(connection.close().await?)
    })
}
