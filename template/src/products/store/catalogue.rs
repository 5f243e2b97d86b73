//! Products from the built-in catalogue.

use super::Search;
use crate::{error::AppError, state::AppState};

pub use crate::catalogue::Product;

pub(super) async fn find(state: &AppState, search: &Search) -> Result<Vec<Product>, AppError> {
    let limit = usize::from(search.limit);
    Ok(state.catalogue.find(&search.q, &search.category, limit))
}
