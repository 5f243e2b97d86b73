//! Just enough of URLs: who, where, which database.

use anyhow::{Context as _, Result};

/// `scheme://user:password@host:port/database?parameters`, taken apart. Text is kept as it is written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Url<'a> {
    pub(super) scheme: &'a str,
    /// Empty if there is none.
    pub(super) user: &'a str,
    pub(super) password: &'a str,
    /// With the port, if there is one.
    pub(super) host: &'a str,
    pub(super) database: &'a str,
    /// With the question mark.
    pub(super) parameters: &'a str,
}

impl<'a> Url<'a> {
    /// # Errors
    /// When it is no URL. The error does not quote it: it may hold a password.
    pub(super) fn parse(text: &'a str) -> Result<Self> {
        let (scheme, rest) = text
            .split_once("://")
            .context("the variable holds no URL: there is no `://`")?;
        let (rest, parameters) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (userinfo, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        Ok(Self {
            scheme,
            user,
            password,
            host,
            database,
            parameters,
        })
    }

    /// The same server for somebody else.
    pub(super) fn with(self, user: &str, password: &str, database: &str) -> String {
        let Self {
            scheme,
            host,
            parameters,
            ..
        } = self;
        format!("{scheme}://{user}:{password}@{host}/{database}{parameters}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_not_replaced() {
        let url = Url::parse("postgres://me:p@ss@[::1]:5433/main?sslmode=require").unwrap();
        assert_eq!(
            (url.user, url.password, url.database),
            ("me", "p@ss", "main")
        );
        assert_eq!(
            url.with("you", "x", "other"),
            "postgres://you:x@[::1]:5433/other?sslmode=require"
        );
        let bare = Url::parse("redis://localhost").unwrap();
        assert_eq!((bare.user, bare.host, bare.database), ("", "localhost", ""));
        assert!(Url::parse("localhost:6379").is_err());
    }
}
