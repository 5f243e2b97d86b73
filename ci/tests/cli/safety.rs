//! Generation on a bad day: nothing is half-written that can be prevented, nothing of others' is touched, and the rest is said
//! in a sentence.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use ci::files;
use ci::specimens::NAME;
use tempfile::TempDir;

use super::terminal::Terminal;
use super::{DEFAULT, Program, entries, expect, programs};

const SILENTLY: [&str; 3] = ["--silent", "--name", NAME];

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn ctrl_c_at_a_question_leaves_nothing() {
    for question in ["Project name", "Web framework", "Extras"] {
        let folder = tempfile::tempdir().unwrap();
        let mut terminal = Terminal::run(Program::new().command(folder.path(), &[]));
        for asked in [
            "Project name",
            "Web framework",
            "Database",
            "Client",
            "Extras",
        ] {
            terminal.wait_for(asked);
            if asked == question {
                break;
            }
            terminal.enter(if asked == "Project name" { NAME } else { "" });
        }
        terminal.interrupt();
        let (status, screen) = terminal.finish();
        assert!(!status.success(), "{screen}");
        assert_eq!(entries(folder.path()), [""; 0], "at {question}: {screen}");
    }
}

/// No file may be longer than a few blocks, which is what a full disk looks like to who writes one.
#[test]
fn a_full_disk_leaves_nothing() {
    for program in programs() {
        for blocks in [1, 16, 64] {
            let folder = tempfile::tempdir().unwrap();
            let inner = program.command(folder.path(), &SILENTLY);
            let mut full = Command::new("sh");
            full.args([
                "-c",
                &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\""),
                "sh",
            ])
            .arg(inner.get_program())
            .args(inner.get_args())
            .current_dir(folder.path())
            .env("CARGO_HOME", folder.path());
            let output = full.output().unwrap();
            assert!(!output.status.success(), "{output:?}");
            assert!(
                said(&output).contains("File too large"),
                "{}",
                said(&output)
            );
            assert_eq!(entries(folder.path()), [""; 0], "{blocks} blocks");
        }
    }
}

#[test]
fn a_folder_or_file_that_is_there_already_is_not_touched() {
    for program in programs() {
        for is_folder in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let there = folder.path().join(NAME);
            if is_folder {
                fs::create_dir(&there).unwrap();
                fs::write(there.join("mine"), "mine").unwrap();
            } else {
                fs::write(&there, "mine").unwrap();
            }
            let output = program.run(folder.path(), &SILENTLY);
            assert!(!output.status.success(), "{output:?}");
            assert!(
                said(&output).contains("already exists"),
                "{}",
                said(&output)
            );
            let mine = if is_folder { there.join("mine") } else { there };
            assert_eq!(fs::read_to_string(mine).unwrap(), "mine");
            assert_eq!(entries(folder.path()), [NAME]);
        }
    }
}

/// Not even an administrator can write to `/proc`.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_to_is_refused_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&SILENTLY[..], &["--destination", "/proc"]].concat();
    let output = Program::new().run(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("nothing can be written to /proc"),
        "{}",
        said(&output)
    );
}

/// As in a container that has nothing but a shell: no git, no home, no name.
#[test]
fn nothing_but_a_folder_is_needed() {
    for program in programs() {
        let folder = tempfile::tempdir().unwrap();
        let inner = program.command(folder.path(), &SILENTLY);
        let mut bare = Command::new(inner.get_program());
        bare.args(inner.get_args())
            .current_dir(folder.path())
            .env_clear();
        // The real one asks for the name; ours does without.
        bare.env("CARGO_NAME", "nobody").env("PATH", "/nonexistent");
        let output = bare.output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        expect(DEFAULT, &folder.path().join(NAME));
    }
}

/// Who the user is goes into no file, and no variable that nobody asked for does: what is not said cannot inject.
#[test]
fn what_nobody_asked_for_changes_nothing() {
    let evil = "\"\"\" {{ framework }} {% raw %} '); }\n[dependencies]\nevil = \"1\" #";
    for (index, program) in programs().iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let mut arguments = SILENTLY.to_vec();
        let defines = ["description", "authors", "username", "queue", "db", "parts"];
        let defines = defines.map(|name| format!("{name}={evil}"));
        if index > 0 {
            // Ours refuses what is no question.
            arguments.extend(defines.iter().flat_map(|define| ["-d", define.as_str()]));
        }
        let mut command = program.command(folder.path(), &arguments);
        for name in [
            "CARGO_NAME",
            "CARGO_EMAIL",
            "GIT_AUTHOR_NAME",
            "USER",
            "NAME",
            "EMAIL",
        ] {
            command.env(name, evil);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        expect(DEFAULT, &folder.path().join(NAME));
    }
}

/// A workspace with one member, `lib`.
fn workspace(manifest: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    member(&folder.path().join("lib"), "lib");
    folder
}

fn member(folder: &Path, name: &str) {
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::write(folder.join("src/lib.rs"), "").unwrap();
    let manifest =
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
}

#[test]
fn a_parent_s_manifest_gains_one_member_and_keeps_every_comment() {
    let before = "# Ours.\n[workspace]\nresolver = \"3\" # new\nmembers = [\n    \"lib\", # the library\n]\n\n# The end.\n";
    let folder = workspace(before);
    let output = Program::new().run(folder.path(), &SILENTLY);
    assert!(output.status.success(), "{}", said(&output));
    let after = fs::read_to_string(folder.path().join("Cargo.toml")).unwrap();
    assert_eq!(
        after,
        before.replace("    \"lib\"", &format!("    \"{NAME}\",\n    \"lib\""))
    );
}

#[test]
fn a_parent_s_manifest_stays_when_a_pattern_names_the_member_or_nothing_shall() {
    let before = "[workspace]\nresolver = \"3\"\nmembers = [ \"lib\",\n  \"services/*\" ] # all\n";
    let folder = workspace(before);
    member(&folder.path().join("services/a"), "a");
    for arguments in [
        ["--destination", "services"],
        ["--no-workspace", "--overwrite"],
    ] {
        let arguments = [&SILENTLY[..], &arguments].concat();
        let output = Program::new().run(folder.path(), &arguments);
        assert!(output.status.success(), "{}", said(&output));
        let after = fs::read_to_string(folder.path().join("Cargo.toml")).unwrap();
        assert_eq!(after, before, "{arguments:?}");
    }
}

#[test]
fn a_parent_that_cannot_take_the_service_is_told_before_anything_is_written() {
    for (manifest, name, sentence) in [
        ("[workspace\n", NAME, "is not understood"),
        (
            "[workspace]\nmembers = \"lib\"\n",
            NAME,
            "is not understood",
        ),
        (
            "[workspace]\nresolver = \"3\"\nmembers = [\"lib\"]\n",
            "lib",
            "has a package `lib` already",
        ),
    ] {
        let folder = workspace(manifest);
        let before = files::read(folder.path()).unwrap();
        let arguments = ["--silent", "--name", name, "--destination", "lib/.."];
        let output = Program::new().run(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains(sentence), "{}", said(&output));
        let mut after = files::read(folder.path()).unwrap();
        // Cargo's own, in the home that it was given.
        after.retain(|path, _| before.contains_key(path) || !path.starts_with(".package-cache"));
        assert_eq!(after, before, "{manifest}");
    }
}
