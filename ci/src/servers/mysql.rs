//! MariaDB or MySQL, whichever is there.

use anyhow::Result;
use sqlx::{Connection as _, MySqlConnection};

use super::source::Kind;
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
    settings: SETTINGS,
    script: SCRIPT,
    container: &["-e", "MARIADB_ROOT_PASSWORD=root", "mariadb:11"],
    url: |port| format!("mysql://root:root@127.0.0.1:{port}/mysql"),
    ready: |url| run(url, &["SELECT 1".to_owned()]),
    create,
};

/// No durability: nothing here outlives this process. `loose` is for what only one of the two knows.
const SETTINGS: &[&str] = &[
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-buffer-pool-size=64M",
    "--loose-innodb-doublewrite=0",
    "--skip-log-bin",
    "--max-connections=300",
    "--loose-mysqlx=OFF",
];

/// The administrator comes over TCP, where he is not `localhost`. The socket's path is relative to the data: an absolute
/// one may be longer than a socket's name can be.
const SCRIPT: &str = r#"
cat >administrator.sql <<END
CREATE USER IF NOT EXISTS 'root'@'127.0.0.1' IDENTIFIED BY 'root';
ALTER USER 'root'@'127.0.0.1' IDENTIFIED BY 'root';
GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;
END
case $(readlink -f "$PROGRAM") in
*mariadbd)
    mariadb-install-db --no-defaults --skip-test-db --auth-root-authentication-method=normal \
        --datadir="$PWD/data" ;;
*)
    "$PROGRAM" --no-defaults --initialize-insecure --datadir="$PWD/data" ;;
esac || exit
exec "$PROGRAM" --no-defaults --bind-address=127.0.0.1 --skip-name-resolve --port="$PORT" \
    --datadir="$PWD/data" --init-file="$PWD/administrator.sql" \
    --socket=server.sock --pid-file=server.pid "$@"
"#;

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
