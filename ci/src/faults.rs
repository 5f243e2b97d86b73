//! Plants a fault in a generated copy, so that the scenario can show what telemetry a bug leaves behind.

use std::path::Path;

use anyhow::{Context as _, bail};

/// `GET /products?q=…` with this text panics in a patched copy.
pub const PANIC_QUERY: &str = "panic-please";

/// The first attempt to welcome a user of this name fails in a patched copy.
pub const FAILING_NAME: &str = "fail-once";

/// A piece of text that follows an anchor in a file of the service.
struct Fault {
    file: &'static str,
    /// The fault goes behind the first `{` at or after this text.
    anchor: &'static str,
    code: &'static str,
}

/// `GET /products?q=…` with this text never comes to an end in a patched copy.
pub const SLOW_QUERY: &str = "slow-please";

/// `GET /products?q=…` with this text fails in a patched copy: with an error of JSON that quotes a value.
pub const GARBLED_QUERY: &str = "garbled-please";

/// `GET /products?q=…` with this text panics in a patched copy, with words that would be lines of their own.
pub const LOUD_QUERY: &str = "loud-please";

/// `GET /products?q=…` with this text fails in a patched copy with a database: with a driver's error that quotes a literal.
pub const LITERAL_QUERY: &str = "literal-please";

const PANIC_IN_SEARCH: Fault = Fault {
    file: "src/products/mod.rs",
    anchor: "async fn find(state: &AppState, search: Search)",
    code: "\n    if search.q == \"panic-please\" {\n        panic!(\"a planted bug\");\n    }",
};

const STALL_IN_SEARCH: Fault = Fault {
    file: PANIC_IN_SEARCH.file,
    anchor: PANIC_IN_SEARCH.anchor,
    code: "\n    if search.q == \"slow-please\" {\n        std::future::pending::<()>().await;\n    }",
};

const TALK_IN_SEARCH: Fault = Fault {
    file: PANIC_IN_SEARCH.file,
    anchor: PANIC_IN_SEARCH.anchor,
    code: "
    if search.q == \"garbled-please\" {
        serde_json::from_str::<u8>(\"\\\"c4n4ry-json\\\"\").map_err(AppError::internal)?;
    }
    if search.q == \"loud-please\" {
        panic!(\"x\\r\\nFORGED \\u{1b}[2J\\u{9b}2J\\u{202e}\");
    }",
};

const LITERAL_IN_SEARCH: Fault = Fault {
    file: PANIC_IN_SEARCH.file,
    anchor: PANIC_IN_SEARCH.anchor,
    code: "
    if search.q == \"literal-please\" {
        use telemetry::ResultExt as _;
        let misfit = \"INSERT INTO users (id, name, email) VALUES ('c4n4ry-literal', 'c4n4ry-literal', 'c4n4ry-literal')\";
        sqlx::raw_sql(misfit).execute(&state.db.pool).await.record_err()?;
    }",
};

const FAILURE_IN_JOB: Fault = Fault {
    file: "src/jobs/welcome.rs",
    anchor: "match users::get(state, self.user_id).await",
    code: "
            Ok(user) if user.name == \"fail-once\" && {
                static FAILED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
                !FAILED.swap(true, std::sync::atomic::Ordering::Relaxed)
            } => return Err(AppError::internal(std::io::Error::other(\"a planted failure\"))),",
};

/// `GET /products?q=…` with this text asks the database in a loop in a copy with [`plant_repetition`].
const REPETITION_IN_SEARCH: Fault = Fault {
    file: PANIC_IN_SEARCH.file,
    anchor: PANIC_IN_SEARCH.anchor,
    code: "
    if search.q == \"again-please\" {
        for round in 1..=12 {
            tracing::info!(round, \"asking again\");
            store::find(state, &search).await?;
        }
    }",
};

/// Plants SQL in a loop.
///
/// # Errors
/// As for [`plant`].
pub fn plant_repetition(project: &Path) -> anyhow::Result<()> {
    REPETITION_IN_SEARCH.plant(project)
}

/// Plants what the scenario needs in the service at `project`.
///
/// # Errors
/// When a file or the anchor in it is missing: the template moved on and this module did not.
pub fn plant(project: &Path) -> anyhow::Result<()> {
    if project.join(FAILURE_IN_JOB.file).exists() {
        FAILURE_IN_JOB.plant(project)?;
    }
    if project.join("src/db").exists() {
        LITERAL_IN_SEARCH.plant(project)?;
    }
    TALK_IN_SEARCH.plant(project)?;
    STALL_IN_SEARCH.plant(project)?;
    PANIC_IN_SEARCH.plant(project)
}

impl Fault {
    fn plant(&self, project: &Path) -> anyhow::Result<()> {
        let path = project.join(self.file);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("reading {}", path.display()))?;
        let Some(body) = text
            .find(self.anchor)
            .and_then(|at| text[at..].find("{\n").map(|brace| at + brace + 1))
        else {
            bail!(
                "{}: no function body after `{}` to plant a fault in",
                path.display(),
                self.anchor
            );
        };
        let patched = format!("{}{}{}", &text[..body], self.code, &text[body..]);
        std::fs::write(&path, patched).with_context(|| format!("writing {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &str = "/// Finds.\nasync fn find(state: &AppState, search: Search) -> Result<(), E> {\n    Ok(())\n}\n";

    fn project(text: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("src/products")).unwrap();
        std::fs::write(directory.path().join("src/products/mod.rs"), text).unwrap();
        directory
    }

    #[test]
    fn the_fault_is_the_first_statement() {
        let project = project(SERVICE);
        plant(project.path()).unwrap();
        let text = std::fs::read_to_string(project.path().join("src/products/mod.rs")).unwrap();
        let body: Vec<&str> = text.lines().skip(2).map(str::trim).collect();
        assert_eq!(body[0], format!("if search.q == \"{PANIC_QUERY}\" {{"));
        assert_eq!(body[3], format!("if search.q == \"{SLOW_QUERY}\" {{"));
    }

    #[test]
    fn the_stall_hits_its_query() {
        assert!(STALL_IN_SEARCH.code.contains(&format!("\"{SLOW_QUERY}\"")));
    }

    #[test]
    fn the_talk_hits_its_queries() {
        for query in [GARBLED_QUERY, LOUD_QUERY] {
            assert!(TALK_IN_SEARCH.code.contains(&format!("{query:?}")));
        }
        assert!(
            LITERAL_IN_SEARCH
                .code
                .contains(&format!("{LITERAL_QUERY:?}"))
        );
        for fault in [TALK_IN_SEARCH, LITERAL_IN_SEARCH] {
            assert!(fault.code.contains(crate::leaks::MARK));
        }
    }

    #[test]
    fn the_failure_is_for_one_name() {
        assert!(FAILURE_IN_JOB.code.contains(&format!("{FAILING_NAME:?}")));
    }

    #[test]
    fn a_missing_anchor_is_an_error() {
        let error = plant(project("fn other() {}").path()).unwrap_err();
        assert!(error.to_string().contains("src/products/mod.rs"), "{error}");
    }
}
