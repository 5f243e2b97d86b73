//! The Markdown that people read: its headings, links, code and commands.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::{files, root};

/// A document, or a part of one.
#[derive(Clone, Debug)]
pub struct Document {
    /// From the root of its project.
    pub path: PathBuf,
    pub text: String,
}

/// A fenced block of code.
#[derive(Debug, PartialEq, Eq)]
pub struct Block<'a> {
    pub language: &'a str,
    pub code: String,
}

impl Document {
    /// Reads a document of this repository.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(path: &str) -> Result<Self> {
        let text = fs::read_to_string(root().join(path)).with_context(|| path.to_owned())?;
        let path = PathBuf::from(path);
        Ok(Self { path, text })
    }

    /// The documents among these files.
    pub fn among(files: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<Self> {
        let is_document = |path: &Path| path.extension().is_some_and(|end| end == "md");
        let documents = files.iter().filter(|(path, _)| is_document(path));
        let read = documents.map(|(path, content)| Self {
            path: path.clone(),
            text: String::from_utf8_lossy(content).into_owned(),
        });
        read.collect()
    }

    /// Text and fenced blocks, in their order.
    fn parts(&self) -> (String, Vec<Block<'_>>) {
        let (mut prose, mut blocks, mut open) = (String::new(), Vec::new(), None);
        for line in self.text.lines() {
            match (line.trim_start().strip_prefix("```"), &mut open) {
                (Some(language), None) => {
                    let code = String::new();
                    open = Some(Block { language, code });
                }
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (None, Some(block)) => block.code = format!("{}{line}\n", block.code),
                (None, None) => prose = format!("{prose}{line}\n"),
            }
        }
        (prose, blocks)
    }

    pub fn blocks(&self) -> Vec<Block<'_>> {
        self.parts().1
    }

    /// The text between blocks and code, and the code in it.
    fn prose(&self) -> (String, Vec<String>) {
        let (prose, _) = self.parts();
        let (mut text, mut spans) = (String::new(), Vec::new());
        for (index, piece) in prose.split('`').enumerate() {
            if index % 2 == 0 {
                text.push_str(piece);
            } else {
                // Code may be broken over lines like any other text.
                spans.push(piece.split_whitespace().collect::<Vec<_>>().join(" "));
                text.push('`');
            }
        }
        (text, spans)
    }

    /// The code within sentences.
    pub fn code_spans(&self) -> Vec<String> {
        self.prose().1
    }

    /// Headings as GitHub names them in addresses.
    pub fn anchors(&self) -> Vec<String> {
        let (prose, _) = self.parts();
        let headings = prose.lines().filter(|line| line.starts_with('#'));
        headings
            .map(|line| anchor(line.trim_start_matches('#')))
            .collect()
    }

    /// Where links and images point to.
    pub fn links(&self) -> Vec<String> {
        let (text, _) = self.prose();
        let inline = text.split("](").skip(1);
        let inline = inline.filter_map(|rest| Some(rest.split_once(')')?.0));
        let bare = text.split("<http").skip(1);
        let bare = bare.filter_map(|rest| Some(format!("http{}", rest.split_once('>')?.0)));
        inline.map(str::to_owned).chain(bare).collect()
    }

    /// What stands below `heading`, up to the next of its rank or above.
    pub fn section(&self, heading: &str) -> Option<Self> {
        let rank = |line: &str| line.bytes().take_while(|byte| *byte == b'#').count();
        let mut lines = self.text.lines();
        let first = lines
            .find(|line| line.starts_with('#') && line.trim_start_matches('#').trim() == heading)?;
        let mut fenced = false;
        let lines = lines.take_while(|line| {
            fenced ^= line.starts_with("```");
            fenced || !line.starts_with('#') || rank(line) > rank(first)
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        let path = self.path.clone();
        Some(Self { path, text })
    }

    /// The commands in blocks for a shell, one by one, without comments.
    pub fn commands(&self) -> Vec<String> {
        let blocks = self.blocks();
        let shell = blocks.iter().filter(|block| block.language == "sh");
        let code: String = shell.map(|block| &*block.code).collect();
        let code = code.replace("\\\n  ", "");
        let commands = code
            .lines()
            .flat_map(|line| uncommented(line).split(" && "));
        let commands = commands.map(|command| command.trim().to_owned());
        commands.filter(|command| !command.is_empty()).collect()
    }
}

/// The documents of this repository that are not generated from.
///
/// # Errors
/// They cannot be read.
pub fn own() -> Result<Vec<Document>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(root())? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.insert(entry.file_name().into(), fs::read(entry.path())?);
        }
    }
    for folder in ["docs", "ci"] {
        let below = files::read(&root().join(folder))?;
        let below = below.into_iter();
        files.extend(below.map(|(path, content)| (Path::new(folder).join(path), content)));
    }
    Ok(Document::among(&files))
}

/// What sentences tell to type, and not only speak of, begins with one of these.
const PROGRAMS: [&str; 8] = [
    "cargo", "curl", "docker", "git", "just", "kubectl", "promtool", "weaver",
];

/// All commands in a document: in blocks, and in sentences.
pub fn told(document: &Document) -> Vec<String> {
    let spans = document.code_spans().into_iter();
    let is_command = |span: &String| {
        let mut words = span.split(' ').skip_while(|word| word.contains('='));
        let program = words.next().is_some_and(|word| PROGRAMS.contains(&word));
        // `docker compose` and its like are names of programs.
        let rest = words.collect::<Vec<_>>().join(" ");
        program && !matches!(&*rest, "" | "generate" | "compose" | "merge")
    };
    let mut commands = document.commands();
    commands.extend(spans.filter(is_command));
    commands
}

/// What documents call by `cargo run -- …` and is no command of this program: those of a service.
pub const OF_A_SERVICE: [&str; 3] = ["--help", "--help-telemetry", "telemetry doctor"];

/// What stands behind the `--` of `cargo run --`, in words. Placeholders such as `<this folder>` are one word.
pub fn arguments(command: &str) -> Option<Vec<String>> {
    let (cargo, arguments) = command.split_once(" -- ")?;
    cargo.contains("cargo run").then_some(())?;
    let (mut words, mut word, mut end) = (Vec::new(), String::new(), ' ');
    for c in arguments.chars().chain([' ']) {
        match c {
            '\'' if end == ' ' => end = '\'',
            '<' if end == ' ' => end = '>',
            ' ' if end == ' ' => {
                words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()))
            }
            c if c == end => {
                word.push_str(if c == '>' { "PLACE" } else { "" });
                end = ' ';
            }
            c if end != '>' => word.push(c),
            _ => (),
        }
    }
    Some(words)
}

/// The variables that a command sets for itself.
pub fn environment(command: &str) -> BTreeMap<String, String> {
    let words = command.split(' ');
    let set = words.map_while(|word| word.split_once('='));
    set.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn uncommented(line: &str) -> &str {
    let comment = if line.starts_with('#') {
        Some(0)
    } else {
        line.find(" #")
    };
    &line[..comment.unwrap_or(line.len())]
}

fn anchor(heading: &str) -> String {
    let kept = |c: char| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        c if c.is_alphanumeric() => Some(c.to_ascii_lowercase()),
        _ => None,
    };
    heading.trim().chars().filter_map(kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Document {
        let text = "# One `two`, three\n\nSee [it](a.md#b), <https://a.example>, `[no](link)` and `cargo\nrun -- x`.\n\n\
            ## Sub\n\n```sh\n# all\na --b   # why\nX=1 \\\n  Y=2 c && d\n```\n\n# Next\n\n```text\n# no heading\n```\n";
        Document {
            path: PathBuf::from("x.md"),
            text: text.to_owned(),
        }
    }

    #[test]
    fn headings_links_and_code_are_told_apart() {
        let document = document();
        assert_eq!(document.anchors(), ["one-two-three", "sub", "next"]);
        assert_eq!(document.links(), ["a.md#b", "https://a.example"]);
        let spans = document.code_spans();
        assert_eq!(spans, ["two", "[no](link)", "cargo run -- x"]);
        let sub = document.section("Sub").unwrap();
        assert!(sub.anchors().is_empty());
        assert!(document.section("Missing").is_none());
    }

    #[test]
    fn arguments_are_words() {
        let words = |command| arguments(command).unwrap_or_default();
        let given = "cargo run --release -- new --into <this folder> -d 'a=b c'";
        assert_eq!(words(given), ["new", "--into", "PLACE", "-d", "a=b c"]);
        assert!(arguments("cargo clippy -- -D warnings").is_none());
        let told = told(&document());
        assert_eq!(told, ["a --b", "X=1 Y=2 c", "d", "cargo run -- x"]);
    }

    #[test]
    fn commands_come_one_by_one_and_without_comments() {
        let commands = document().commands();
        assert_eq!(commands, ["a --b", "X=1 Y=2 c", "d"]);
        let set = environment(&commands[1]);
        assert_eq!(set["X"], "1");
        assert_eq!(set.len(), 2);
    }
}
