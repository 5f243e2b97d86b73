//! Products in memory.

use super::Search;
use crate::{error::AppError, state::AppState};

pub use crate::memory::Product;

pub(super) async fn find(state: &AppState, search: &Search) -> Result<Vec<Product>, AppError> {
    let limit = usize::from(search.limit);
    Ok(state
        .memory
        .find_products(&search.q, &search.category, limit))
}
