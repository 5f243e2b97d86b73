//! PostgreSQL.

use std::fs;
use std::os::unix::process::CommandExt as _;

use anyhow::{Context as _, Result, ensure};
use sqlx::{Connection as _, PgConnection};

use super::process::Command;
use super::source::{Kind, Site};
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
    prepare,
    container,
    url: |port| format!("postgres://postgres:postgres@127.0.0.1:{port}/postgres"),
    ready: |url| run(url, &["SELECT 1".to_owned()]),
    create,
};

/// No durability: nothing here outlives this process.
const SETTINGS: [&str; 4] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=300",
];

fn prepare(site: &Site) -> Result<Command> {
    let data = site.folder.join("data");
    let password = site.folder.join("password");
    fs::write(&password, "postgres\n")?;
    // Its real place: initdb is beside it, whatever links lead there.
    let program = site.program.canonicalize()?;
    let mut initdb = Command::new(program.with_file_name("initdb"));
    initdb
        .args(["--no-sync", "--no-instructions", "--username=postgres"])
        .args(["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256"])
        .arg("--pwfile")
        .arg(&password)
        .arg("--pgdata")
        .arg(&data)
        .current_dir(site.folder);
    if let Some(user) = site.user {
        initdb.uid(user.uid).gid(user.gid);
    }
    let output = initdb.output().context("starting initdb")?;
    ensure!(
        output.status.success(),
        "initdb failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );

    let mut server = Command::new(program);
    server
        .arg("-D")
        .arg(data)
        .args(["-p", &site.port.to_string()]);
    // No socket in the file system: its folder is not writable everywhere.
    let here = ["listen_addresses=127.0.0.1", "unix_socket_directories="];
    for setting in SETTINGS.iter().chain(&here) {
        server.args(["-c", setting]);
    }
    Ok(server)
}

fn container(port: u16) -> Vec<String> {
    let publish = format!("127.0.0.1:{port}:5432");
    let mut arguments = vec!["-p", &publish, "-e", "POSTGRES_PASSWORD=postgres"];
    arguments.extend(["postgres:17-alpine", "postgres"]);
    for setting in &SETTINGS {
        arguments.extend(["-c", setting]);
    }
    arguments.into_iter().map(str::to_owned).collect()
}

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
