//! `db.query.summary`: the operations and targets of a statement, in their order, and nothing else of it.
//! <https://opentelemetry.io/docs/specs/semconv/db/database-spans/#generating-a-summary-of-the-query>
//!
//! No parser: it follows keywords, and for each level of parentheses it remembers what a name there would mean. Names
//! and keywords keep the case they were written in, as the convention asks.

use super::token::{Dialect, Kind, Token, tokens};
use words::{AFTER_TABLES, BARE, BEFORE_TARGET, DATA, DEFINITION, OBJECTS, TARGETED};

mod words;

/// The convention's limit. A name that does not fit is left out whole, with all that follows.
const MAX_LENGTH: usize = 255;
/// How much of a text is read, in bytes. Longer ones are scripts or carry thousands of rows; their start says it.
const MAX_READ: usize = 32 * 1024;
/// Names of common table expressions that are kept in mind; a statement with more of them shows the rest as targets.
const MAX_EXPRESSIONS: usize = 32;

/// The summary of `sql`; `None` if it holds no operation that is known.
pub(super) fn summary(sql: &str, dialect: Dialect) -> Option<String> {
    let mut summary = Summary::default();
    let mut read = 0;
    let mut tokens = tokens(sql, dialect)
        .take_while(|token| {
            read += token.text.len();
            read <= MAX_READ
        })
        .filter(|token| token.kind != Kind::Gap)
        .peekable();
    while let Some(token) = tokens.next() {
        let qualified = tokens
            .peek()
            .is_some_and(|next| next.kind == Kind::Symbol(b'.'));
        summary.read(token, qualified);
        if summary.full {
            break;
        }
    }
    summary.end_of_statement();
    Some(summary.text).filter(|text| !text.is_empty())
}

/// What the next word on a level of parentheses means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Expect {
    /// An operation: the start of a statement.
    #[default]
    Operation,
    /// A statement that another one wraps: behind `EXPLAIN`, behind common table expressions.
    Inner,
    /// A sub-select, or any expression.
    Expression,
    /// `CREATE` was read: the kind of the object.
    Object,
    /// A table.
    Target,
    /// The rest of a qualified name.
    Qualified,
    /// The name of a common table expression.
    Name,
    /// `AS`, perhaps after columns in parentheses.
    As,
    /// The parentheses of a common table expression.
    Body,
    /// Nothing that matters.
    Nothing,
}

#[derive(Debug, Default)]
struct Level {
    expect: Expect,
    /// `FROM` and `JOIN` name tables here; inside a function call (`extract(year FROM …)`) they do not.
    query: bool,
    /// A comma brings another table.
    tables: bool,
    /// `USING` names a table, once.
    using: bool,
}

#[derive(Debug, Default)]
struct Summary<'a> {
    text: String,
    outer: Vec<Level>,
    level: Level,
    expressions: Vec<&'a str>,
    last: Option<Token<'a>>,
    /// Where this statement's part begins, and the one before it.
    statement: usize,
    previous: usize,
    /// Where the last operation or name begins.
    last_piece: usize,
    full: bool,
}

impl<'a> Summary<'a> {
    fn read(&mut self, token: Token<'a>, qualified: bool) {
        match token.kind {
            // Behind a dot stands a column's name, whatever word it is.
            Kind::Word
                if self.level.expect != Expect::Qualified
                    && self.after(|last| last.kind == Kind::Symbol(b'.')) =>
            {
                self.nothing_named();
            }
            Kind::Word => self.word(token, qualified),
            Kind::QuotedName => self.name(token, qualified),
            // Text in double quotes is a name where only a name can stand.
            Kind::Value
                if token.text.starts_with('"')
                    && token.text.len() > 1
                    && token.text.ends_with('"') =>
            {
                self.name(token, qualified);
            }
            Kind::Symbol(symbol) => self.symbol(symbol),
            Kind::Value | Kind::Placeholder | Kind::Gap => self.nothing_named(),
        }
        self.last = Some(token);
    }

    fn after(&self, is: impl Fn(&Token<'a>) -> bool) -> bool {
        self.last.as_ref().is_some_and(is)
    }

    fn symbol(&mut self, symbol: u8) {
        match symbol {
            b'(' => self.open(),
            b')' => self.level = self.outer.pop().unwrap_or_default(),
            b';' => self.end_of_statement(),
            b',' if self.level.tables => self.level.expect = Expect::Target,
            b',' if self.level.expect == Expect::Inner => self.level.expect = Expect::Name,
            b'.' if self.level.expect == Expect::Qualified => {}
            _ => self.nothing_named(),
        }
    }

    fn open(&mut self) {
        let (inside, after) = match self.level.expect {
            Expect::Operation => (Expect::Operation, Expect::Nothing),
            // The list of columns, then the statement.
            Expect::As => (Expect::Nothing, Expect::As),
            Expect::Body => (Expect::Operation, Expect::Inner),
            // A sub-select or a join in parentheses.
            Expect::Target => (Expect::Target, Expect::Nothing),
            Expect::Inner => (Expect::Expression, Expect::Inner),
            _ => (Expect::Expression, Expect::Nothing),
        };
        self.level.expect = after;
        let joins = inside == Expect::Target;
        let inside = Level {
            expect: inside,
            query: joins,
            tables: joins,
            using: false,
        };
        self.outer.push(std::mem::replace(&mut self.level, inside));
    }

    fn word(&mut self, word: Token<'a>, qualified: bool) {
        use Expect::{
            As, Body, Expression, Inner, Name, Nothing, Object, Operation, Qualified, Target,
        };
        match self.level.expect {
            Qualified => return self.name(word, qualified),
            // The one operation that is reserved everywhere: no name, wherever it stands.
            _ if word.is_word("SELECT") => return self.operation(word),
            Operation => return self.operation(word),
            Expression | Target if word.is_one_of(&["WITH", "VALUES"]) => {
                return self.operation(word);
            }
            Inner => {
                if word.is_one_of(DATA) || word.is_one_of(DEFINITION) {
                    self.operation(word);
                }
                return;
            }
            Object => return self.object(word),
            Target if !word.is_one_of(BEFORE_TARGET) => return self.name(word, qualified),
            Target => return,
            Name if word.is_word("RECURSIVE") => return,
            Name => return self.expression(word.text),
            As if word.is_word("AS") => self.level.expect = Body,
            As | Body => return,
            Expression => self.level.expect = Nothing,
            Nothing => {}
        }
        self.clause(word);
    }

    /// An operation, and what may follow it.
    fn operation(&mut self, word: Token<'a>) {
        if word.is_word("WITH") {
            self.level = Level {
                expect: Expect::Name,
                ..Level::default()
            };
            return;
        }
        let expect = if word.is_one_of(&["SELECT", "DELETE", "VALUES"]) {
            Expect::Nothing
        } else if word.is_one_of(DATA) || word.is_one_of(TARGETED) {
            Expect::Target
        } else if word.is_one_of(DEFINITION) {
            Expect::Object
        } else if word.is_word("EXPLAIN") {
            Expect::Inner
        } else if word.is_one_of(BARE) {
            Expect::Nothing
        } else {
            self.level.expect = Expect::Nothing;
            return;
        };
        self.level = Level {
            expect,
            query: word.is_one_of(DATA),
            tables: word.is_word("UPDATE"),
            using: word.is_one_of(&["DELETE", "MERGE"]),
        };
        self.push(" ", word.text);
    }

    /// The kind of object that a definition is about. `CREATE TEMPORARY TABLE IF NOT EXISTS users`
    fn object(&mut self, word: Token<'a>) {
        if word.is_word("TRIGGER") {
            // Its body holds statements that are not run now.
            self.push(" ", word.text);
            self.full = true;
        } else if word.is_one_of(OBJECTS) {
            self.push(" ", word.text);
            self.level.expect = Expect::Target;
        }
    }

    /// Keywords inside a statement that bring tables, or end their list.
    fn clause(&mut self, word: Token<'a>) {
        // `a IS DISTINCT FROM b`
        let is_comparison = self.after(|last| last.is_word("DISTINCT"));
        let level = &mut self.level;
        if !level.query {
            return;
        }
        if word.is_word("FROM") && !is_comparison {
            (level.expect, level.tables) = (Expect::Target, true);
        } else if word.is_one_of(&["JOIN", "STRAIGHT_JOIN", "APPLY"]) {
            level.expect = Expect::Target;
        } else if word.is_word("USING") && level.using {
            (level.expect, level.tables, level.using) = (Expect::Target, true, false);
        } else if word.is_one_of(AFTER_TABLES) {
            level.tables = false;
        }
    }

    /// A name where a table may stand, or the next part of one.
    fn name(&mut self, name: Token<'a>, qualified: bool) {
        let separator = match self.level.expect {
            Expect::Target => " ",
            Expect::Qualified => ".",
            Expect::Name => return self.expression(name.text),
            _ => return self.nothing_named(),
        };
        // What stands for a sub-select is no table.
        let known = || {
            self.expressions
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name.text))
        };
        if separator == "." || qualified || !known() {
            self.push(separator, name.text);
        }
        self.level.expect = if qualified {
            Expect::Qualified
        } else {
            Expect::Nothing
        };
    }

    fn expression(&mut self, name: &'a str) {
        if self.expressions.len() < MAX_EXPRESSIONS {
            self.expressions.push(name);
        }
        self.level.expect = Expect::As;
    }

    /// Something that is no name stands where one was expected.
    fn nothing_named(&mut self) {
        if matches!(
            self.level.expect,
            Expect::Target | Expect::Qualified | Expect::Expression | Expect::Object
        ) {
            self.level.expect = Expect::Nothing;
        }
    }

    fn push(&mut self, separator: &str, piece: &str) {
        let separator = if self.text.is_empty() { "" } else { separator };
        if self.text.len() + separator.len() + piece.len() > MAX_LENGTH {
            self.full = true;
            if separator == "." {
                self.text.truncate(self.last_piece);
            }
            return;
        }
        if separator != "." {
            self.last_piece = self.text.len();
        }
        self.text.push_str(separator);
        self.text.push_str(piece);
    }

    /// Ready for another statement. One that repeats the one before it adds nothing: a script that inserts a thousand
    /// rows is `INSERT users`.
    fn end_of_statement(&mut self) {
        let (before, this) = self.text.split_at(self.statement);
        if !self.full && !this.is_empty() && before[self.previous..].trim() == this.trim() {
            self.text.truncate(self.statement);
        } else if !this.is_empty() {
            self.previous = self.statement;
            self.statement = self.text.len();
        }
        self.level = Level::default();
        self.outer.clear();
        self.expressions.clear();
    }
}

#[cfg(test)]
mod tests;
