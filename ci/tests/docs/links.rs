//! Links lead somewhere: those within the repository and within a generated service to a file or a heading; those to the
//! outside are at least addresses. Nobody is asked.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use ci::documents::{self, Document};
use ci::root;
use ci::specimens::Specimen;
use ci::stacks::Stack;

/// Where a link in the document at `from` leads, without `..`.
fn resolve(from: &Path, link: &str) -> PathBuf {
    let mut path = from.parent().unwrap_or(Path::new("")).to_path_buf();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => (),
            part => path.push(part),
        }
    }
    path
}

/// What is wrong with the links of `documents`; `exists` knows the files of their project.
fn complaints(documents: &[Document], exists: &dyn Fn(&Path) -> bool) -> Vec<String> {
    let anchors: BTreeMap<&Path, Vec<String>> = documents
        .iter()
        .map(|document| (document.path.as_path(), document.anchors()))
        .collect();
    let complaint = |document: &Document, link: &str| {
        if link.contains("://") {
            let address: Option<axum::http::Uri> = link.parse().ok();
            let is = |uri: &axum::http::Uri| matches!(uri.scheme_str(), Some("https" | "http"));
            return (!address.is_some_and(|uri| is(&uri))).then_some("is no address");
        }
        let (file, heading) = link.split_once('#').unwrap_or((link, ""));
        let target = match file {
            "" => document.path.clone(),
            file => resolve(&document.path, file),
        };
        if target.is_absolute() || !exists(&target) {
            return Some("leads to no file");
        }
        let there = anchors.get(target.as_path());
        let there = there.is_some_and(|anchors| anchors.iter().any(|anchor| anchor == heading));
        (!heading.is_empty() && !there).then_some("leads to no heading")
    };
    let documents = documents.iter();
    let found = documents.flat_map(|document| {
        let links = document.links().into_iter();
        links.filter_map(|link| {
            let wrong = complaint(document, &link)?;
            Some(format!("{}: {link} {wrong}", document.path.display()))
        })
    });
    found.collect()
}

/// Paths that only one machine has.
fn of_one_machine(document: &Document) -> Option<String> {
    let bad = ["/home/", "/root/", "/Users/", "/work/", "file://", "/tmp/"];
    let found = bad.iter().find(|path| document.text.contains(**path))?;
    Some(format!("{}: {found}", document.path.display()))
}

#[test]
fn within_the_repository() {
    let documents = documents::own().unwrap();
    assert!(documents.len() > 4, "{documents:?}");
    let mut wrong = complaints(&documents, &|path| root().join(path).exists());
    wrong.extend(documents.iter().filter_map(of_one_machine));
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn within_a_generated_service() {
    let most = "salvo-mysql-reqwest+redis+jobs+grpc+kubernetes+dashboards";
    let least = "rocket-none-none~openapi~trace-page~containers~github";
    let stacks = [
        "axum-sqlite-reqwest",
        most,
        least,
        "axum-none-ureq+telemetry",
    ];
    let stacks = stacks.map(|name| name.parse::<Stack>().unwrap());
    let mut wrong = Vec::new();
    for Specimen { stack, files } in Specimen::of(&stacks).unwrap() {
        let exists = |path: &Path| files.keys().any(|file| file.starts_with(path));
        let documents = Document::among(&files);
        wrong.extend(complaints(&documents, &exists));
        wrong.extend(documents.iter().filter_map(of_one_machine));
        // What stands in code and looks like a path of the project. A HOWTO speaks of somebody else's.
        let scope = stack.one("scope") == Some("service");
        for document in documents.iter().filter(|_| scope) {
            let spans = document.code_spans().into_iter();
            let paths = spans.filter(|span| is_path(span));
            let missing = paths.filter(|path| !exists(Path::new(path)));
            wrong
                .extend(missing.map(|path| format!("{stack} {}: {path}", document.path.display())));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

fn is_path(span: &str) -> bool {
    let top = [
        "src/",
        "telemetry/",
        "tests/",
        "deploy/",
        "migrations/",
        "proto/",
    ];
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    top.iter().any(|top| span.starts_with(top)) && span.chars().all(plain)
}

#[test]
fn what_leads_nowhere_is_found() {
    let text = "# A b\n[1](#a-b) [2](#c) [3](gone.md) [4](https://a.example/x) [5](https://) [6](/a.md) [7](b/../a.md#a-b)";
    let document = Document {
        path: PathBuf::from("a.md"),
        text: text.to_owned(),
    };
    let found = complaints(&[document], &|path| path == Path::new("a.md"));
    let found: Vec<_> = found.iter().map(|text| &text[6..]).collect();
    let expected = [
        "#c leads to no heading",
        "gone.md leads to no file",
        "https:// is no address",
        "/a.md leads to no file",
    ];
    assert_eq!(found, expected);
}
