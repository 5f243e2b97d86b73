//! Project names as people give them: a service that Cargo accepts, or one clear sentence and nothing left behind.

use std::fs;
use std::path::Path;

use cargo_generate::{GenerateArgs, Vcs};
use ci::generate::{from_checkout, generate};
use ci::{house, stacks};

/// `cargo generate --silent --name`, without the cleaning up that our own commands add.
fn generate_plainly(name: &str, destination: &Path) -> Result<(), String> {
    let config = tempfile::NamedTempFile::new().unwrap();
    let args = GenerateArgs {
        name: Some(name.to_owned()),
        destination: Some(destination.to_owned()),
        silent: true,
        quiet: true,
        vcs: Some(Vcs::None),
        config: Some(config.path().to_owned()),
        ..from_checkout()
    };
    cargo_generate::generate(args)
        .map(drop)
        .map_err(|error| format!("{error:#}"))
}

#[test]
fn good_names_become_services() {
    let sixty = "s".repeat(60);
    let long = "s".repeat(64);
    let names = [
        ("shop", "shop"),
        ("my-shop", "my-shop"),
        ("my_shop", "my_shop"),
        ("MyShop", "my-shop"),
        ("my--shop", "my-shop"),
        ("r2d2", "r2d2"),
        ("ab", "ab"),
        ("main", "main"),
        (&sixty, &sixty),
        (&long, &long),
    ];
    for (given, package) in names {
        let folder = tempfile::tempdir().unwrap();
        generate_plainly(given, folder.path()).unwrap_or_else(|error| panic!("{given}: {error}"));
        let project = folder.path().join(package);
        let manifest = fs::read_to_string(project.join("Cargo.toml")).unwrap();
        assert!(
            manifest.contains(&format!("name = \"{package}\"")),
            "{given}: {manifest}"
        );
        let mut cargo = house::cargo(&project);
        house::run(
            cargo.args(["metadata", "--no-deps", "--format-version", "1"]),
            &mut |_| (),
        )
        .unwrap();
    }
}

#[test]
fn bad_names_get_one_sentence_and_leave_nothing() {
    let long = "s".repeat(65);
    let names = [
        ("fn", "is a Rust keyword"),
        ("async", "is a Rust keyword"),
        ("Self", "is a Rust keyword"),
        ("9shop", "does not begin with a letter"),
        ("-shop", "does not begin with a letter"),
        ("--force", "does not begin with a letter"),
        ("shop-", "ends with `-`"),
        ("test", "is the name of a crate"),
        ("telemetry", "is the name of a crate"),
        ("tokio", "is the name of a crate"),
        ("serde--json", "is the name of a crate"),
        ("SerdeJson", "is the name of a crate"),
        ("service", "is the name of a crate"),
        ("con", "is the name of a folder"),
        ("target", "is the name of a folder"),
        (&long, "has more than 64 characters"),
        ("", "has fewer than 2 characters"),
        ("s", "has fewer than 2 characters"),
        ("bücher", "contains `ü`"),
        ("日本", "contains `日`"),
        ("a/b", "contains `/`"),
        ("../shop", "contains `.`"),
        ("a\\b", "contains `\\`"),
        ("my shop", "contains ` `"),
        ("a\"b", "contains `\"`"),
        ("a{{b}}", "contains `{`"),
        ("a\nb", "contains `\n`"),
    ];
    for (name, why) in names {
        let folder = tempfile::tempdir().unwrap();
        let error = generate_plainly(name, folder.path()).expect_err(name);
        assert!(
            error.contains(&format!("the project name `{name}` {why}")),
            "{name:?}: {error}"
        );
        assert!(
            error.contains("Allowed are 2 to 64 ASCII letters"),
            "{name:?}: {error}"
        );
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            0,
            "{name:?} left a folder behind"
        );
    }
}

#[test]
fn a_folder_that_exists_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("shop")).unwrap();
    let error = format!(
        "{:#}",
        generate(&stacks::default().unwrap(), "shop", folder.path()).unwrap_err()
    );
    assert!(error.contains("already exists"), "{error}");
    assert!(folder.path().join("shop").is_dir());
}
