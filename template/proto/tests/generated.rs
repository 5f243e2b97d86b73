//! The committed code is what the `.proto` files say. Where it is not, this test writes it anew, and fails this once.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs::{self, DirEntry},
    io,
    path::{Path, PathBuf},
};

use prost::Message as _;
use prost_types::FileDescriptorSet;

#[test]
fn the_generated_code_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fresh = tempfile::tempdir().expect("a temporary folder");
    generate(root, fresh.path());

    let committed = root.join("src/generated");
    fs::create_dir_all(&committed).expect("a writable checkout");
    let is_stale = |name: &String| {
        fs::read(fresh.path().join(name)).ok() != fs::read(committed.join(name)).ok()
    };
    let mut stale = names(fresh.path());
    stale.append(&mut names(&committed));
    stale.retain(is_stale);
    for name in &stale {
        let place = committed.join(name);
        match fs::read(fresh.path().join(name)) {
            Ok(code) => fs::write(place, code).expect("a writable checkout"),
            Err(_) => fs::remove_file(place).expect("a writable checkout"),
        }
    }
    assert!(
        stale.is_empty(),
        "{stale:?} did not fit the .proto files; the code is made anew: look at it and commit it"
    );
}

/// Makes all code for the `.proto` files below `root` into `folder`.
fn generate(root: &Path, folder: &Path) {
    let mut protos = Vec::new();
    collect(root, &mut protos);
    protos.sort();
    let mut compiler = protox::Compiler::new([root]).expect("a folder");
    compiler.include_imports(true).include_source_info(true);
    compiler
        .open_files(protos)
        .unwrap_or_else(|error| panic!("{error:?}"));
    let with_comments = compiler.file_descriptor_set();

    let interface = interface(with_comments.clone());
    fs::write(folder.join("interface.rs"), interface).expect("a writable folder");
    tonic_prost_build::configure()
        .build_transport(false) // a client is made of any channel; how it connects is the caller's business
        .out_dir(folder)
        .compile_fds(with_comments)
        .expect("code for valid .proto files");
}

fn collect(folder: &Path, protos: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, protos);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "proto")
        {
            protos.push(path);
        }
    }
}

/// What servers tell about themselves: their methods by name, and for reflection the files as a whole.
fn interface(mut files: FileDescriptorSet) -> String {
    let mut text = "// Made of the .proto files; see tests/generated.rs.\n\n\
        /// Every method, as `package.Service/Method`.\npub const METHODS: &[&str] = &[\n"
        .to_owned();
    for file in &mut files.file {
        file.source_code_info = None; // comments stay at home
        for service in &file.service {
            for method in &service.method {
                let (package, service, method) = (file.package(), service.name(), method.name());
                let _ = writeln!(text, "    \"{package}.{service}/{method}\",");
            }
        }
    }
    let bytes = files.encode_to_vec();
    let _ = write!(
        text,
        "];\n\n/// The files, encoded, for reflection.\npub const FILE_DESCRIPTOR_SET: &[u8] =\n    b\"{}\";\n",
        bytes.escape_ascii()
    );
    text
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let name = |entry: io::Result<DirEntry>| entry.expect("an entry").file_name();
    entries
        .map(|entry| name(entry).to_string_lossy().into_owned())
        .collect()
}
