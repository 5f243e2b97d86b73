//! The example job: a new user is welcomed.

use serde::{Deserialize, Serialize};

use crate::{error::AppError, state::AppState, users};

/// Ids only: what belongs to the user may have changed, or be gone, by the time the job runs.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Welcome {
    pub user_id: i64,
}

impl Welcome {
    /// Welcomes the user.
    pub(super) async fn run(self, state: &AppState) -> Result<(), AppError> {
        match users::get(state, self.user_id).await {
            // Here a mail would be sent.
            Ok(user) => tracing::info!(user.id = %user.id, "welcome"),
            Err(AppError::NotFound(_)) => {
                tracing::info!(user.id = %self.user_id, "left before the welcome")
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
