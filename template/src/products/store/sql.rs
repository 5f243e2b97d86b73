//! Products in the database.

use serde::Serialize;
use telemetry::ResultExt as _;

use super::Search;
use crate::{db, error::AppError, state::AppState};

#[derive(Debug, Serialize, sqlx::FromRow)]
pub struct Product {
    pub id: i64,
    pub name: String,
    pub category: String,
    pub price_cents: i64,
}

pub(super) async fn find(state: &AppState, search: &Search) -> Result<Vec<Product>, AppError> {
    let query = sqlx::query_as::<_, Product>(db::SEARCH_PRODUCTS)
        .bind(&search.q)
        .bind(&search.category)
        .bind(i64::from(search.limit));
    Ok(query.fetch_all(&state.db.pool).await.record_err()?)
}
