//! MariaDB or MySQL, whichever is there.

use std::fs;
use std::os::unix::process::CommandExt as _;

use anyhow::{Context as _, Result, ensure};
use sqlx::{Connection as _, MySqlConnection};

use super::process::Command;
use super::source::{Kind, Site};
use super::url::Url;
use super::{Store, wait_for};
use crate::scenario::SECRET;

pub(super) const KIND: Kind = Kind {
    name: "MySQL or MariaDB",
    variable: "TEST_MYSQL_URL",
    port: 3306,
    packages: &["mariadb-server"],
    programs: &["mariadbd", "mysqld"],
    users: &["mysql", "nobody"],
    signal: "KILL",
    prepare,
    container,
    url: |port| format!("mysql://root:root@127.0.0.1:{port}/mysql"),
    ready: |url| run(url, &["SELECT 1".to_owned()]),
    create,
};

/// No durability: nothing here outlives this process. `loose` is for what only one of the two knows.
const SETTINGS: [&str; 6] = [
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-buffer-pool-size=64M",
    "--loose-innodb-doublewrite=0",
    "--skip-log-bin",
    "--max-connections=300",
    "--loose-mysqlx=OFF",
];

/// One statement a line, or the server does not read it. It comes over TCP, where it is not `localhost`.
const ADMINISTRATOR: &str = "CREATE USER IF NOT EXISTS 'root'@'127.0.0.1' IDENTIFIED BY 'root';
ALTER USER 'root'@'127.0.0.1' IDENTIFIED BY 'root';
GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;
";

fn prepare(site: &Site) -> Result<Command> {
    let data = format!("--datadir={}", site.folder.join("data").display());
    let script = site.folder.join("administrator.sql");
    fs::write(&script, ADMINISTRATOR)?;

    let maria = site.program.canonicalize()?.ends_with("mariadbd");
    let mut install = if maria {
        let mut install = Command::new("mariadb-install-db");
        install.args(["--no-defaults", "--skip-test-db"]);
        install.arg("--auth-root-authentication-method=normal");
        install
    } else {
        let mut install = Command::new(site.program);
        install.args(["--no-defaults", "--initialize-insecure"]);
        install
    };
    install.arg(&data).current_dir(site.folder);
    if let Some(user) = site.user {
        install.uid(user.uid).gid(user.gid);
    }
    let output = install.output().context("making the system's tables")?;
    ensure!(
        output.status.success(),
        "the system's tables cannot be made:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );

    let mut server = Command::new(site.program);
    server
        .args(["--no-defaults", "--bind-address=127.0.0.1"])
        .arg("--skip-name-resolve")
        .arg(format!("--port={}", site.port))
        .arg(data)
        .arg(format!("--init-file={}", script.display()))
        // Relative to the data: an absolute one may be longer than a socket's name can be.
        .args(["--socket=server.sock", "--pid-file=server.pid"])
        .args(SETTINGS);
    Ok(server)
}

fn container(port: u16) -> Vec<String> {
    let publish = format!("127.0.0.1:{port}:3306");
    let mut arguments = vec!["-p", &publish, "-e", "MARIADB_ROOT_PASSWORD=root"];
    arguments.push("mariadb:11");
    arguments.extend(SETTINGS);
    arguments.into_iter().map(str::to_owned).collect()
}

fn create(admin: &str, name: &str) -> Result<Store> {
    let url = Url::parse(admin)?.with(name, SECRET, name);
    run(
        admin,
        &[
            format!("CREATE DATABASE {name}"),
            format!("CREATE USER '{name}'@'%' IDENTIFIED BY '{SECRET}'"),
            format!("GRANT ALL ON {name}.* TO '{name}'@'%'"),
        ],
    )?;
    let (admin, name) = (admin.to_owned(), name.to_owned());
    let clear = move || {
        run(
            &admin,
            &[
                format!("DROP DATABASE IF EXISTS {name}"),
                format!("DROP USER IF EXISTS '{name}'@'%'"),
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
        let mut connection = MySqlConnection::connect(url).await?;
        for statement in statements {
            let sql = sqlx::AssertSqlSafe(statement.clone());
            sqlx::raw_sql(sql).execute(&mut connection).await?;
        }
        Ok(connection.close().await?)
    })
}
