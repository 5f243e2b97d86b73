use super::*;
use crate::contract::{Counts, Difference};
use crate::specimens::Specimen;
use crate::stacks;

fn mutation() -> Mutation {
    Mutation {
        name: "a".to_owned(),
        fault: "a fault".to_owned(),
        needs: Vec::new(),
        file: "src/main.rs".to_owned(),
        text: "one".to_owned(),
        instead: "two".to_owned(),
        named: vec!["`one`".to_owned(), "missing".to_owned()],
    }
}

fn finding(line: &str) -> Finding {
    Finding {
        judge: Judge::Contract,
        line: line.to_owned(),
    }
}

/// Without compiling anything: the place of each fault is there, once, in every stack that it is for.
#[test]
fn every_fault_can_be_planted() {
    let mutations = all().unwrap();
    assert!(mutations.len() >= 20, "{}", mutations.len());
    let mut stacks = stacks::flagship().unwrap();
    stacks.push(STACK.parse().unwrap());
    for Specimen { stack, files } in &Specimen::of(&stacks).unwrap() {
        for mutation in mutations.iter().filter(|one| one.applies_to(stack)) {
            let file = files.get(Path::new(&mutation.file));
            let text = std::str::from_utf8(file.map(Vec::as_slice).unwrap_or_default()).unwrap();
            let planted = mutation.planted(text);
            let planted =
                planted.unwrap_or_else(|error| panic!("{stack} {}: {error}", mutation.name));
            assert_ne!(planted, text, "{}: nothing changes", mutation.name);
        }
    }
}

#[test]
fn the_usual_stack_has_a_place_for_every_fault() {
    let stack: Stack = STACK.parse().unwrap();
    for mutation in all().unwrap() {
        assert!(mutation.applies_to(&stack), "{}", mutation.name);
    }
}

#[test]
fn what_a_fault_needs_is_a_part_or_a_choice() {
    let stack: Stack = "axum-none-none+grpc".parse().unwrap();
    for (needs, applies) in [
        (vec![], true),
        (vec!["grpc", "axum"], true),
        (vec!["sql"], false),
        (vec!["grpc", "sqlite"], false),
        (vec!["no such thing"], false),
    ] {
        let needs = needs.into_iter().map(str::to_owned).collect();
        let mutation = Mutation {
            needs,
            ..mutation()
        };
        assert_eq!(mutation.applies_to(&stack), applies, "{mutation:?}");
    }
}

#[test]
fn a_place_that_is_gone_or_not_unique_is_an_error() {
    assert_eq!(mutation().planted("zero one").unwrap(), "zero two");
    let gone = mutation().planted("zero").unwrap_err().to_string();
    assert!(gone.contains("src/main.rs has no\none"), "{gone}");
    assert!(mutation().planted("one one").is_err());
    let empty = tempfile::tempdir().unwrap();
    assert!(mutation().plant(empty.path()).is_err());
}

#[test]
fn one_line_must_name_the_fault() {
    let (half, other) = (finding("`one` is odd"), finding("it is missing"));
    let whole = finding("`one` is missing");
    assert!(matches!(fate(&mutation(), Vec::new()), Fate::Survived));
    let apart = fate(&mutation(), vec![half.clone(), other]);
    assert!(matches!(apart, Fate::Unnamed(said) if said.len() == 2));
    let named = fate(&mutation(), vec![half, whole.clone()]);
    assert!(matches!(named, Fate::Named(finding) if finding == whole));
}

#[test]
fn every_changed_line_and_every_breach_is_a_finding() {
    let report = contract::Report {
        files: 1,
        differences: vec![Difference {
            file: "a.txt".to_owned(),
            diff: "--- contract/a.txt\n+++ received\n@@ -1 +1 @@\n same\n-old\n+new\n".to_owned(),
        }],
        breaches: vec!["a breach".to_owned()],
        conformance: Vec::new(),
        expected: Counts::default(),
        received: Counts::default(),
        requests: 1,
        stopped_in: Duration::ZERO,
    };
    let lines: Vec<_> = findings(&report).into_iter().map(|one| one.line).collect();
    assert_eq!(lines, ["a breach", "a.txt: -old", "a.txt: +new"]);
    let clean = contract::Report {
        differences: Vec::new(),
        breaches: Vec::new(),
        ..report
    };
    assert!(findings(&clean).is_empty());
}

#[test]
fn the_output_of_a_service_names_nothing() {
    let error = anyhow::anyhow!("no header").context("step `a` failed; the output:\n`one` missing");
    let finding = Finding::of(&error);
    assert_eq!(finding.line, "step `a` failed; the output:: no header");
    assert!(!mutation().is_named_by(&finding.line));
}
