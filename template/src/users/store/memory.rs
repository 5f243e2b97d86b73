//! Users in memory.

use super::NewUser;
use crate::{error::AppError, state::AppState};

pub use crate::memory::User;

pub(super) async fn find(state: &AppState, id: i64) -> Result<Option<User>, AppError> {
    Ok(state.memory.user(id))
}

pub(super) async fn insert(state: &AppState, user: NewUser) -> Result<User, AppError> {
    let added = state.memory.add_user(&user.name, &user.email);
    added.ok_or(AppError::Conflict(super::TAKEN))
}
