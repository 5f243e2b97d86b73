//! The spans of one trace as trees.

use std::collections::BTreeSet;

use super::Span;

/// A span and the spans below it, in order of their start.
#[derive(Debug)]
pub struct Node<'a> {
    pub span: &'a Span,
    pub children: Vec<Node<'a>>,
}

impl<'a> Node<'a> {
    /// This span and all below it, depth first, each with its depth.
    pub fn walk(&self) -> Vec<(usize, &'a Span)> {
        let mut all = vec![(0, self.span)];
        for child in &self.children {
            all.extend(
                child
                    .walk()
                    .into_iter()
                    .map(|(depth, span)| (depth + 1, span)),
            );
        }
        all
    }
}

/// The traces that hold a span which is linked to `trace`, in order of their start: what it set off and did not wait for.
pub fn linked<'a>(trace: &str, spans: &'a [Span]) -> Vec<&'a str> {
    let mut linked: Vec<&Span> = spans
        .iter()
        .filter(|span| span.trace_id != trace)
        .filter(|span| span.links.iter().any(|link| link.trace_id == trace))
        .collect();
    linked.sort_by_key(|span| span.start);
    let mut traces: Vec<&str> = linked.iter().map(|span| span.trace_id.as_str()).collect();
    traces.dedup();
    traces
}

/// The spans of one trace whose parent is not among them (none, remote, or lost), with all that is below them.
pub fn trees<'a>(spans: &[&'a Span]) -> Vec<Node<'a>> {
    let known: BTreeSet<&str> = spans.iter().map(|span| span.span_id.as_str()).collect();
    let is_root = |span: &Span| {
        span.parent
            .as_deref()
            .is_none_or(|parent| !known.contains(parent))
    };
    let mut sorted = spans.to_vec();
    sorted.sort_by_key(|span| (span.start, span.end));
    sorted
        .iter()
        .filter(|span| is_root(span))
        .map(|span| node(span, &sorted))
        .collect()
}

fn node<'a>(span: &'a Span, all: &[&'a Span]) -> Node<'a> {
    let is_child = |other: &&&Span| {
        other.parent.as_deref() == Some(&span.span_id) && other.span_id != span.span_id
    };
    Node {
        span,
        children: all
            .iter()
            .filter(is_child)
            .map(|child| node(child, all))
            .collect(),
    }
}
