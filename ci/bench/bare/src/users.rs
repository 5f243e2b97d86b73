//! Users.

use serde::{Deserialize, Serialize};
use sqlx::SqlitePool;

use crate::error::{AppError, FieldError};

pub const SELECT: &str = "SELECT id, name, email FROM users WHERE id = ?";
const INSERT: &str = "INSERT INTO users (name, email) VALUES (?, ?) RETURNING id";

#[derive(Debug, Clone, Serialize, Deserialize, sqlx::FromRow)]
pub struct User {
    pub id: i64,
    pub name: String,
    pub email: String,
}

#[derive(Debug, Deserialize)]
pub struct NewUser {
    pub name: String,
    pub email: String,
}

impl NewUser {
    fn validate(&self) -> Result<(), AppError> {
        let mut errors = Vec::new();
        let name = &self.name;
        if name.trim().is_empty() || name.chars().count() > 100 || name.contains(char::is_control) {
            errors.push(FieldError {
                field: "name",
                detail: "must have 1 to 100 characters, none of them a control character",
            });
        }
        let (local, domain) = self.email.split_once('@').unwrap_or_default();
        if local.is_empty()
            || domain.is_empty()
            || self.email.chars().count() > 254
            || self.email.contains(char::is_whitespace)
            || self.email.contains(char::is_control)
        {
            errors.push(FieldError {
                field: "email",
                detail: "must be an e-mail address",
            });
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(AppError::Invalid(errors))
        }
    }
}

pub async fn find(pool: &SqlitePool, id: i64) -> sqlx::Result<Option<User>> {
    let query = sqlx::query_as::<_, User>(SELECT).bind(id);
    query.fetch_optional(pool).await
}

pub async fn get(pool: &SqlitePool, id: i64) -> Result<User, AppError> {
    find(pool, id).await?.ok_or(AppError::NotFound("user"))
}

pub async fn create(pool: &SqlitePool, user: NewUser) -> Result<User, AppError> {
    user.validate()?;
    let NewUser { name, email } = user;
    let query = sqlx::query_scalar(INSERT).bind(&name).bind(&email);
    let id = query.fetch_one(pool).await.map_err(|error| match error {
        sqlx::Error::Database(error) if error.is_unique_violation() => {
            AppError::Conflict("a user with this e-mail address exists")
        }
        error => error.into(),
    })?;
    Ok(User { id, name, email })
}
