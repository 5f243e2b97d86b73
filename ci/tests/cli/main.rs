//! The command lines that people type: `cargo run -- new` always, and the real `cargo generate` when `$CARGO_GENERATE` names
//! its binary. What comes out must be what the library generates.

mod safety;
mod terminal;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ci::options::Options;
use ci::specimens::{NAME, Specimen};
use ci::stacks::Stack;
use ci::{files, root};
use terminal::Terminal;

const DEFAULT: &str = "axum-sqlite-reqwest";

/// A way to generate from this checkout, up to the flags that say what.
struct Program {
    command: Vec<String>,
}

impl Program {
    fn new() -> Self {
        Self {
            command: vec![env!("CARGO_BIN_EXE_ci").into(), "new".into()],
        }
    }

    /// `cargo generate` with `source`, which is `--path …` or `--git …`.
    fn real(source: [&str; 2]) -> Option<Self> {
        let Some(binary) = std::env::var("CARGO_GENERATE")
            .ok()
            .filter(|binary| !binary.is_empty())
        else {
            let _ = writeln!(
                std::io::stderr(),
                "CARGO_GENERATE names no binary: only the library was tried"
            );
            return None;
        };
        let mut command = vec![binary, "generate".into(), "--vcs".into(), "none".into()];
        command.extend(source.map(str::to_owned));
        Some(Self { command })
    }

    fn command(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.command[0]);
        command
            .args(&self.command[1..])
            .args(arguments)
            .current_dir(folder);
        // A developer's favourites and answers are not part of the test.
        command
            .env("CARGO_HOME", folder)
            .env("CARGO_GENERATE_NO_TIP", "1");
        command
    }

    fn run(&self, folder: &Path, arguments: &[&str]) -> Output {
        self.command(folder, arguments).output().unwrap()
    }
}

/// With `--path` on this checkout.
fn programs() -> Vec<Program> {
    let path = root().display().to_string();
    [Some(Program::new()), Program::real(["--path", &path])]
        .into_iter()
        .flatten()
        .collect()
}

fn expect(stack: &str, project: &Path) {
    let stack: Stack = stack.parse().unwrap();
    let expected = Specimen::new(&stack).unwrap().files;
    let found = files::read(project).unwrap();
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&expected), "{stack}");
    for (path, content) in found {
        assert!(
            expected[&path] == content,
            "{stack}: {} differs",
            path.display()
        );
    }
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    // Cargo and cargo-generate may leave files of their own in their home.
    entries.filter(|name| !name.starts_with('.')).collect()
}

#[test]
fn silent_with_a_name_gives_the_default_stack() {
    for program in programs() {
        let folder = tempfile::tempdir().unwrap();
        let output = program.run(folder.path(), &["--silent", "--name", NAME]);
        assert!(output.status.success(), "{output:?}");
        expect(DEFAULT, &folder.path().join(NAME));
    }
}

#[test]
fn answers_on_the_command_line_give_that_stack() {
    for program in programs() {
        let folder = tempfile::tempdir().unwrap();
        let output = program.run(
            folder.path(),
            &[
                "--silent",
                "-n",
                NAME,
                "-d",
                "database=none",
                "-d",
                "http_client=none",
            ],
        );
        assert!(output.status.success(), "{output:?}");
        expect("axum-none-none", &folder.path().join(NAME));
    }
}

#[test]
fn the_birth_certificate_makes_the_same_service_again() {
    let first = Specimen::new(&"axum-none-reqwest".parse().unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let certificate = folder.path().join(".template.toml");
    fs::write(&certificate, first.text(".template.toml").unwrap()).unwrap();
    for program in programs() {
        let folder = tempfile::tempdir().unwrap();
        let output = program.run(
            folder.path(),
            &[
                "-s",
                "-n",
                NAME,
                "--values-file",
                certificate.to_str().unwrap(),
            ],
        );
        assert!(output.status.success(), "{output:?}");
        expect("axum-none-reqwest", &folder.path().join(NAME));
    }
}

/// A clone holds what is committed; this is what a commit of the present files would hold.
#[test]
fn a_git_repository_gives_the_same_as_the_checkout() {
    let repository = tempfile::tempdir().unwrap();
    let git = |folder: &Path, arguments: &[&str]| {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(folder)
            .output()
            .expect("git is needed for this test");
        assert!(output.status.success(), "git {arguments:?}: {output:?}");
        output.stdout
    };
    let listed = git(
        root(),
        &[
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ],
    );
    for path in String::from_utf8(listed)
        .unwrap()
        .split_terminator('\0')
        .filter(|path| root().join(path).is_file())
    {
        let copy = repository.path().join(path);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(root().join(path), copy).unwrap();
    }
    git(
        repository.path(),
        &["init", "--quiet", "--initial-branch", "main"],
    );
    git(repository.path(), &["add", "--all"]);
    let author = ["-c", "user.name=ci", "-c", "user.email=ci@localhost"];
    git(
        repository.path(),
        &[&author[..], &["commit", "--quiet", "--message", "all"]].concat(),
    );

    let url = format!("file://{}", repository.path().display());
    let Some(program) = Program::real(["--git", &url]) else {
        // The library is built without git; the copy must do as a checkout.
        assert!(
            repository
                .path()
                .join("template/Cargo.toml.liquid")
                .exists()
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let output = program.run(folder.path(), &["--silent", "--name", NAME]);
    assert!(output.status.success(), "{output:?}");
    expect(DEFAULT, &folder.path().join(NAME));
}

#[test]
fn questions_are_answered_in_a_terminal() {
    for program in programs() {
        let folder = tempfile::tempdir().unwrap();
        let mut terminal = Terminal::run(program.command(folder.path(), &[]));
        terminal.wait_for("Project name");
        terminal.enter("tokio");
        terminal.wait_for("`tokio` is the name of a crate that the service uses");
        terminal.wait_for("Project name");
        assert!(
            entries(folder.path()).is_empty(),
            "a name that will not do makes no folder"
        );
        terminal.enter(NAME);
        terminal.wait_for("Web framework");
        terminal.enter("");
        terminal.wait_for("Database");
        terminal.wait_for("none - example data in memory");
        terminal.enter(&terminal::DOWN.repeat(3));
        terminal.wait_for("Client for outgoing HTTP");
        terminal.enter("");
        terminal.wait_for("Extras");
        terminal.enter(" ");
        terminal.wait_for("Around the service");
        terminal.enter("");
        terminal.wait_for("Scope");
        terminal.enter("");
        let (status, screen) = terminal.finish();
        assert!(status.success(), "{screen}");
        expect("axum-none-reqwest+redis", &folder.path().join(NAME));
    }
}

#[test]
fn a_generation_says_what_will_be_and_what_to_do_next() {
    for program in programs() {
        let folder = tempfile::tempdir().unwrap();
        let answers = ["-d", "database=postgres", "-d", "extras=grpc"];
        let output = program.run(folder.path(), &[&["-s", "-n", NAME], &answers[..]].concat());
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let files = files::read(&folder.path().join(NAME)).unwrap().len();
        for text in [
            "shop: axum, postgres, reqwest, grpc; around it openapi, trace-page, containers, github",
            "listens on 8080 (HTTP), 50051 (gRPC)",
            &format!("{files} files; crates: shop, shop-telemetry, shop-proto"),
            "cd shop",
            "docker compose up --detach --wait postgres",
        ] {
            assert!(said.contains(text), "`{text}` is not in {said}");
        }
    }
}

#[test]
fn every_choice_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let output = Program::new().run(folder.path(), &["--list"]);
    let said = String::from_utf8_lossy(&output.stdout);
    for question in &Options::load().unwrap().questions {
        assert!(
            said.contains(&format!("{} - {}", question.name, question.prompt)),
            "{said}"
        );
        for choice in &question.choices {
            assert!(said.contains(&format!("\n  {}\n", choice.label)), "{said}");
        }
    }
    // What it says is read off generated services.
    for text in [
        "tests/api/keyspace.rs\n      crates  redis\n      needs   Redis (REDIS_URL)",
        "apalis-sqlite",
    ] {
        assert!(said.contains(text), "`{text}` is not in {said}");
    }
    assert!(entries(folder.path()).is_empty(), "nothing is generated");
}

/// Only our own command can: cargo-generate takes an unknown key for a variable of the template's.
#[test]
fn new_refuses_what_is_no_question_before_it_writes_anything() {
    let refused = [
        (
            vec!["-d", "databse=none"],
            "there is no question `databse`; the questions are `framework`, `database`, `http_client`",
        ),
        (
            vec!["-d", "database=oracle"],
            "`database` cannot be `oracle`; allowed is one of `sqlite`, `postgres`, `mysql`, `none`",
        ),
        (
            vec!["-d", "project-name=x"],
            "there is no question `project-name`",
        ),
        (vec!["-d", "database"], "`-d database` has no value"),
        (
            vec!["--values-file", "missing.toml"],
            "values file missing.toml",
        ),
        (
            vec!["--destination", "missing"],
            "the destination missing is not a folder",
        ),
        (
            vec!["--name", "tokio"],
            "the project name `tokio` is the name of a crate",
        ),
    ];
    for (arguments, message) in refused {
        let folder = tempfile::tempdir().unwrap();
        let mut all = vec!["--silent"];
        if !arguments.contains(&"--name") {
            all.extend(["--name", NAME]);
        }
        all.extend(&arguments);
        let output = Program::new().run(folder.path(), &all);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {errors}");
        assert!(errors.contains(message), "{arguments:?}: {errors}");
        assert!(
            entries(folder.path()).is_empty(),
            "{arguments:?} left {:?}",
            entries(folder.path())
        );
    }
}

#[test]
fn new_leaves_a_repository_or_none_as_it_is_told() {
    for (vcs, expected) in [("git", true), ("none", false)] {
        let folder = tempfile::tempdir().unwrap();
        let output = Program::new().run(folder.path(), &["--silent", "--name", NAME, "--vcs", vcs]);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(
            folder.path().join(NAME).join(".git").exists(),
            expected,
            "--vcs {vcs}"
        );
    }
}

/// As in a container.
#[test]
fn no_variable_needs_to_name_the_user() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Program::new().command(folder.path(), &["--silent", "--name", NAME]);
    for name in [
        "CARGO_NAME",
        "GIT_AUTHOR_NAME",
        "GIT_COMMITTER_NAME",
        "USER",
        "USERNAME",
        "NAME",
    ] {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    expect(DEFAULT, &folder.path().join(NAME));
}
