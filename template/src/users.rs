//! Users: the database example.

use serde::{Deserialize, Serialize};
use telemetry::ResultExt as _;
use tracing::{Span, field::Empty, instrument};

use crate::{
    db,
    error::{AppError, FieldError},
    state::AppState,
};

#[derive(Debug, Serialize, sqlx::FromRow)]
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
        if !(1..=100).contains(&self.name.trim().chars().count()) {
            errors.push(FieldError {
                field: "name",
                detail: "must have 1 to 100 characters",
            });
        }
        // Whether an address exists shows only when mail is sent to it.
        let (local, domain) = self.email.split_once('@').unwrap_or_default();
        if local.is_empty()
            || domain.is_empty()
            || self.email.len() > 254
            || self.email.contains(char::is_whitespace)
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

/// The user with this id.
///
/// # Errors
/// 404 when there is none.
#[instrument(name = "db.get_user", skip_all, fields(user.id = %id, db.result = Empty))]
pub async fn get(state: &AppState, id: i64) -> Result<User, AppError> {
    let query = sqlx::query_as::<_, User>(db::SELECT_USER).bind(id);
    let user = query.fetch_optional(&state.db.pool).await.record_err()?;
    Span::current().record(
        "db.result",
        if user.is_some() { "found" } else { "not_found" },
    );
    user.ok_or(AppError::NotFound("user"))
}

/// Adds a user.
///
/// # Errors
/// 422 when a field is not valid, 409 when the e-mail address is taken.
pub async fn create(state: &AppState, user: NewUser) -> Result<User, AppError> {
    user.validate()?;
    let NewUser { name, email } = user;
    let id = db::insert_user(&state.db.pool, &name, &email)
        .await
        .map_err(|error| match error {
            sqlx::Error::Database(error) if error.is_unique_violation() => {
                AppError::Conflict("a user with this e-mail address exists")
            }
            error => error.into(),
        })?;
    Ok(User { id, name, email })
}
