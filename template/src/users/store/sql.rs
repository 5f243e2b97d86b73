//! Users in the database.

use serde::{Deserialize, Serialize};
use telemetry::ResultExt as _;

use super::NewUser;
use crate::{db, error::AppError, state::AppState};

#[derive(Debug, Clone, Serialize, Deserialize, sqlx::FromRow)]
pub struct User {
    pub id: i64,
    pub name: String,
    pub email: String,
}

pub(super) async fn find(state: &AppState, id: i64) -> Result<Option<User>, AppError> {
    let query = sqlx::query_as::<_, User>(db::SELECT_USER).bind(id);
    Ok(query.fetch_optional(&state.db.pool).await.record_err()?)
}

pub(super) async fn insert(state: &AppState, user: NewUser) -> Result<User, AppError> {
    let NewUser { name, email } = user;
    let id = db::insert_user(&state.db.pool, &name, &email)
        .await
        .map_err(|error| match error {
            sqlx::Error::Database(error) if error.is_unique_violation() => {
                AppError::Conflict(super::TAKEN)
            }
            error => error.into(),
        })?;
    Ok(User { id, name, email })
}
