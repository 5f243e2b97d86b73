//! The trees of the pairwise stacks, in which every choice meets every other, are as they were reviewed.

use std::collections::BTreeSet;
use std::fs;

use ci::origin::Origins;
use ci::snapshot;
use ci::specimens::Specimen;
use similar::TextDiff;

#[test]
fn every_pair_of_choices_is_as_its_snapshot() {
    let origins = Origins::read().unwrap();
    let mut report = String::new();
    for specimen in Specimen::of(&snapshot::stacks().unwrap()).unwrap() {
        let path = snapshot::path(&specimen.stack);
        let reviewed = fs::read_to_string(&path).unwrap_or_default();
        let generated = snapshot::render(&specimen, &origins).unwrap();
        if reviewed != generated {
            let diff = TextDiff::from_lines(&reviewed, &generated);
            report += &diff
                .unified_diff()
                .header(&format!("{}", path.display()), "generated now")
                .to_string();
        }
    }
    assert!(
        report.is_empty(),
        "\n{report}\nIf this is meant, run `cargo run -- bless`."
    );
}

#[test]
fn there_is_no_snapshot_of_a_stack_that_is_not_among_them() {
    let wanted: BTreeSet<_> = snapshot::stacks()
        .unwrap()
        .iter()
        .map(snapshot::path)
        .collect();
    let present: BTreeSet<_> = fs::read_dir(snapshot::folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let orphans: Vec<_> = present.difference(&wanted).collect();
    assert!(
        orphans.is_empty(),
        "{orphans:?} belong to no stack; run `cargo run -- bless`."
    );
}
