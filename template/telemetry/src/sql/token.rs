//! The lexical layer that the summary and the sanitizer share: SQL text as tokens, in one pass, for any input.
//!
//! It errs on one side only. What might be a value (an unterminated quote, a double-quoted word where the database
//! accepts those as text) is a [`Kind::Value`], so that a misread never puts a value into a signal.

/// Where the lexical rules of databases differ.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    /// Bytes that open a text value.
    pub(super) text_quotes: &'static [u8],
    /// Bytes that open a quoted name.
    pub(super) name_quotes: &'static [u8],
    /// `'it\'s'` is one value.
    pub(super) backslash_escapes: bool,
    /// `$tag$…$tag$` and `E'it\'s'` are values, and block comments nest.
    pub(super) dollar_quotes: bool,
    /// `#` begins a comment.
    pub(super) hash_comments: bool,
    /// `--` begins a comment before white space only: `5--1` is 6.
    pub(super) dashes_need_space: bool,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword or a bare name.
    Word,
    /// A name in quotes, which are part of the token.
    QuotedName,
    /// A literal: text, number, blob.
    Value,
    /// `?`, `?1`, `$1`, `:name`, `@name`.
    Placeholder,
    /// One byte of punctuation or of an operator.
    Symbol(u8),
    /// White space and comments between two tokens.
    Gap,
}

/// A piece of the text. The tokens of a text, put together, are the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
}

impl Token<'_> {
    pub(super) fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    pub(super) fn is_one_of(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is_word(word))
    }
}

/// The tokens of `sql`. Never fails; every byte is looked at a constant number of times.
pub(super) fn tokens(sql: &str, dialect: Dialect) -> impl Iterator<Item = Token<'_>> {
    let mut scanner = Scanner {
        bytes: sql.as_bytes(),
        at: 0,
        dialect,
    };
    std::iter::from_fn(move || {
        let start = scanner.at;
        let kind = scanner.advance()?;
        // Tokens begin and end beside ASCII bytes, hence always between characters.
        Some(Token {
            kind,
            text: sql.get(start..scanner.at).unwrap_or_default(),
        })
    })
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    dialect: Dialect,
}

impl Scanner<'_> {
    /// Moves behind the next token.
    fn advance(&mut self) -> Option<Kind> {
        let byte = self.peek(0)?;
        Some(match byte {
            _ if self.begins_gap(byte) => {
                while self.peek(0).is_some_and(|byte| self.begins_gap(byte)) {
                    self.skip_gap();
                }
                Kind::Gap
            }
            b'0'..=b'9' => self.number(),
            b'.' if self.peek(1).is_some_and(|next| next.is_ascii_digit()) => self.number(),
            b'?' | b'$' | b':' | b'@' => self.placeholder(byte),
            _ if self.dialect.text_quotes.contains(&byte) => {
                self.quoted(byte, self.dialect.backslash_escapes);
                Kind::Value
            }
            _ if self.dialect.name_quotes.contains(&byte) => {
                let close = if byte == b'[' { b']' } else { byte };
                // Without its end it could be anything, a value too.
                if self.quoted(close, false) {
                    Kind::QuotedName
                } else {
                    Kind::Value
                }
            }
            _ if is_name(byte) => self.word(),
            _ => {
                self.at += 1;
                Kind::Symbol(byte)
            }
        })
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) {
        while self.peek(0).is_some_and(&wanted) {
            self.at += 1;
        }
    }

    fn begins_gap(&self, byte: u8) -> bool {
        byte.is_ascii_whitespace()
            || (byte == b'-' && self.peek(1) == Some(b'-') && self.dashes_comment())
            || (byte == b'/' && self.peek(1) == Some(b'*'))
            || (byte == b'#' && self.dialect.hash_comments)
    }

    fn dashes_comment(&self) -> bool {
        let next = self.peek(2);
        !self.dialect.dashes_need_space
            || next.is_none_or(|next| next.is_ascii_whitespace() || next.is_ascii_control())
    }

    fn skip_gap(&mut self) {
        match self.peek(0) {
            Some(b'-' | b'#') => self.skip_while(|byte| byte != b'\n'),
            Some(b'/') => self.skip_block_comment(),
            _ => self.at += 1,
        }
    }

    fn skip_block_comment(&mut self) {
        self.at += 2;
        let mut depth = 1;
        while depth > 0 && self.at < self.bytes.len() {
            match (self.peek(0), self.peek(1)) {
                (Some(b'*'), Some(b'/')) => {
                    depth -= 1;
                    self.at += 2;
                }
                (Some(b'/'), Some(b'*')) if self.dialect.dollar_quotes => {
                    depth += 1;
                    self.at += 2;
                }
                _ => self.at += 1,
            }
        }
    }

    /// Moves behind `close`, which doubled (or, with `escapes`, after a backslash) stands for itself. False: no end.
    fn quoted(&mut self, close: u8, escapes: bool) -> bool {
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            self.at += 1;
            if byte == b'\\' && escapes {
                self.at = (self.at + 1).min(self.bytes.len());
            } else if byte == close {
                if self.peek(0) != Some(close) {
                    return true;
                }
                self.at += 1;
            }
        }
        false
    }

    /// `1`, `1.5`, `.5`, `1e-9`, `0xff`, `1_000`.
    fn number(&mut self) -> Kind {
        let hexadecimal = self.peek(0) == Some(b'0') && matches!(self.peek(1), Some(b'x' | b'X'));
        loop {
            self.skip_while(|byte| is_name(byte) || byte == b'.');
            let after_exponent = matches!(self.bytes[self.at - 1], b'e' | b'E') && !hexadecimal;
            let signed = matches!(self.peek(0), Some(b'+' | b'-'))
                && self.peek(1).is_some_and(|next| next.is_ascii_digit());
            if !(after_exponent && signed) {
                return Kind::Value;
            }
            self.at += 1;
        }
    }

    fn placeholder(&mut self, sigil: u8) -> Kind {
        if sigil == b'$' && self.dialect.dollar_quotes && self.dollar_quoted() {
            return Kind::Value;
        }
        let begin = self.at;
        self.at += 1;
        if sigil == b':' && self.peek(0) == Some(b':') {
            self.at += 1; // `::`, a cast
            return Kind::Symbol(sigil);
        }
        if matches!(sigil, b':' | b'@') && self.peek(0).is_some_and(|next| next.is_ascii_digit()) {
            return Kind::Symbol(sigil); // `array[1:2]`: the number is a value
        }
        // `@@variable` of MySQL
        self.skip_while(|byte| byte == b'@' && sigil == b'@');
        self.skip_while(is_name);
        if self.at - begin > 1 || sigil == b'?' {
            Kind::Placeholder
        } else {
            Kind::Symbol(sigil)
        }
    }

    /// Moves behind `$tag$…$tag$` if that is what begins here; without its end it reaches to the end of the text.
    fn dollar_quoted(&mut self) -> bool {
        let rest = &self.bytes[self.at..];
        let tag = rest[1..]
            .iter()
            .take_while(|&&byte| is_name(byte) && byte != b'$')
            .count();
        if rest.get(tag + 1) != Some(&b'$') || rest[1].is_ascii_digit() {
            return false;
        }
        let (delimiter, body) = rest.split_at(tag + 2);
        // A search that restarts at the next `$` looks at no byte more than twice: a tag holds no `$`.
        let mut from = 0;
        let end = loop {
            let Some(dollar) = body[from..].iter().position(|&byte| byte == b'$') else {
                break body.len();
            };
            if body[from + dollar..].starts_with(delimiter) {
                break from + dollar + delimiter.len();
            }
            from += dollar + 1;
        };
        self.at += delimiter.len() + end;
        true
    }

    /// A word, or the value whose prefix it is: `E'…'`, `x'…'`, `N'…'`, `_utf8'…'`.
    fn word(&mut self) -> Kind {
        let begin = self.at;
        self.skip_while(is_name);
        if self.peek(0) != Some(b'\'') {
            return Kind::Word;
        }
        let escapes = match &self.bytes[begin..self.at] {
            b"e" | b"E" => self.dialect.dollar_quotes || self.dialect.backslash_escapes,
            b"b" | b"B" | b"n" | b"N" | b"x" | b"X" => self.dialect.backslash_escapes,
            charset if charset[0] == b'_' => self.dialect.backslash_escapes,
            _ => return Kind::Word, // the quote opens a token of its own
        };
        self.quoted(b'\'', escapes);
        Kind::Value
    }
}

/// What a bare name consists of. All of UTF-8 beyond ASCII counts: databases accept it in names.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

#[cfg(test)]
mod tests;

/// The rules of all databases, so that each service tests the whole lexer.
#[cfg(test)]
pub(super) mod samples {
    use super::Dialect;

    pub(in super::super) const SQLITE: Dialect = Dialect {
        text_quotes: b"'\"",
        name_quotes: b"`[",
        backslash_escapes: false,
        dollar_quotes: false,
        hash_comments: false,
        dashes_need_space: false,
    };
    pub(in super::super) const POSTGRES: Dialect = Dialect {
        text_quotes: b"'",
        name_quotes: b"\"",
        backslash_escapes: false,
        dollar_quotes: true,
        hash_comments: false,
        dashes_need_space: false,
    };
    pub(in super::super) const MYSQL: Dialect = Dialect {
        text_quotes: b"'\"",
        name_quotes: b"`",
        backslash_escapes: true,
        dollar_quotes: false,
        hash_comments: true,
        dashes_need_space: true,
    };
}
