use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::process::{Command, Process};
use super::source::{Kind, Server, Surroundings};
use super::{Fresh, mysql, packages, postgres, redis, server, unique};
use crate::scenario::SECRET;

const KINDS: [&Kind; 3] = [&postgres::KIND, &mysql::KIND, &redis::KIND];

/// A machine with nothing.
fn nothing() -> Surroundings {
    Surroundings {
        url: None,
        path: Vec::new(),
        docker: false,
        installs: false,
        root: false,
        patience: Duration::ZERO,
    }
}

#[test]
fn without_a_server_the_error_says_what_would_help() {
    for kind in KINDS {
        let error = Server::find(kind, &nothing()).unwrap_err().to_string();
        for part in [kind.name, kind.packages[0], kind.variable, "Docker", "://"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}

#[test]
fn a_variable_that_names_nothing_is_an_error_without_its_password() {
    for kind in KINDS {
        let url = (kind.url)(1).replace("127", "someone:hunter2@127");
        let url = url
            .replace("postgres:postgres@", "")
            .replace("root:root@", "");
        let around = Surroundings {
            url: Some(url),
            ..nothing()
        };
        let error = format!("{:#}", Server::find(kind, &around).unwrap_err());
        assert!(error.contains(kind.variable), "{error}");
        assert!(error.contains("not ready within"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_program_that_fails_is_quoted() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("redis-server");
    std::fs::write(&program, "#!/bin/sh\necho no room for \"$1\" >&2\nexit 1\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, mode).unwrap();
    let around = Surroundings {
        path: vec![folder.path().to_owned()],
        ..nothing()
    };
    let error = format!("{:#}", Server::find(&redis::KIND, &around).unwrap_err());
    assert!(error.contains("ended before it was ready"), "{error}");
    assert!(error.contains("no room for --bind"), "{error}");
}

#[test]
fn a_process_goes_with_its_folder() {
    let folder = packages::folder(None).unwrap();
    let path = folder.path().to_owned();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "echo up; exec sleep 600"]);
    let process = Process::start(command, None, "TERM", Some(folder)).unwrap();
    let begun = Instant::now();
    while process.tail() != "up" {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "it does not start"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(path.exists() && !process.ended());
    drop(process);
    assert!(!path.exists());
}

/// Each makes databases that let the scenario's user in, and takes them away again.
#[test]
fn real_servers_have_fresh_databases() {
    for kind in KINDS {
        let admin = &server(kind).unwrap().url;
        let (first, second) = (unique(), unique());
        let stores = [&first, &second].map(|name| (kind.create)(admin, name).unwrap());
        let urls = stores.each_ref().map(|store| store.url.clone());
        assert_ne!(urls[0], urls[1]);
        for url in &urls {
            assert!(url.contains(SECRET), "{url}");
            (kind.ready)(url).unwrap();
        }
        let fresh = Fresh {
            stores: stores.into(),
        };
        assert_eq!(fresh.environment().len(), 1);
        drop(fresh);
        for url in &urls {
            (kind.ready)(url).unwrap_err();
        }
    }
}

#[test]
fn programs_out_of_the_path_are_found() {
    assert!(packages::folders().contains(&PathBuf::from("/usr/sbin")));
}
