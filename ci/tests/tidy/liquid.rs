//! The little of Liquid that tidy needs: where tags and outputs are, and which variables they name.

/// What stands between `{% %}` or `{{ }}`.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    Tag(&'a str),
    Output(&'a str),
}

pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("{%").into_iter().chain(rest.find("{{")).min() {
        let tag = rest[at..].starts_with("{%");
        let Some(length) = rest[at..].find(if tag { "%}" } else { "}}" }) else {
            break;
        };
        let inner = rest[at + 2..at + length].trim_matches('-').trim();
        pieces.push(if tag {
            Piece::Tag(inner)
        } else {
            Piece::Output(inner)
        });
        rest = &rest[at + length + 2..];
    }
    pieces
}

/// The variables that a piece reads. Loop variables count too; the caller knows them by [`loop_variable`].
pub fn variables<'a>(piece: &Piece<'a>) -> Vec<&'a str> {
    let expression = match piece {
        // Filters take no variables here.
        Piece::Output(text) => text.split('|').next().unwrap_or_default(),
        Piece::Tag(text) => match text.split_once(' ') {
            Some(("for", rest)) => rest.split_once(" in ").map_or("", |(_, list)| list),
            Some((_, condition)) => condition,
            None => "",
        },
    };
    let words = expression
        .split_whitespace()
        .filter(|word| !word.starts_with('"'));
    words
        .filter(|word| word.starts_with(char::is_alphabetic))
        .filter(|word| !OPERATORS.contains(word))
        .collect()
}

const OPERATORS: [&str; 5] = ["and", "or", "contains", "true", "false"];

/// `part` of `for part in parts`.
pub fn loop_variable<'a>(piece: &Piece<'a>) -> Option<&'a str> {
    let Piece::Tag(text) = piece else { return None };
    text.strip_prefix("for ")?
        .split_once(" in ")
        .map(|(variable, _)| variable.trim())
}

#[test]
fn finds_tags_outputs_and_their_variables() {
    let text = "a {%- if db and x == \"y\" %}{{ part | pascal_case }}{% endif %} {%- for part in parts %}{{forloop.last}}";
    let pieces = pieces(text);
    assert_eq!(pieces[0], Piece::Tag("if db and x == \"y\""));
    assert_eq!(variables(&pieces[0]), ["db", "x"]);
    assert_eq!(variables(&pieces[1]), ["part"]);
    assert!(variables(&pieces[2]).is_empty());
    assert_eq!(
        (variables(&pieces[3]), loop_variable(&pieces[3])),
        (vec!["parts"], Some("part"))
    );
}
