//! Products: the search example.

mod store;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use tracing::{Span, field::Empty, instrument};

use crate::{error::AppError, state::AppState};

pub use store::Product;

/// What is looked for. Empty text matches everything.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub struct Search {
    /// Part of the name, in any case.
    pub q: String,
    pub category: String,
    /// How many products at most, 1 to 100.
    pub limit: u8,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            q: String::new(),
            category: String::new(),
            limit: 20,
        }
    }
}

impl Search {
    fn check(&self) -> Result<(), AppError> {
        // Among them is NUL, which no text in PostgreSQL can hold.
        let has_control = self.q.contains(char::is_control);
        let detail = if has_control || self.category.contains(char::is_control) {
            "q and category must have no control characters"
        } else if !(1..=100).contains(&self.limit) {
            "limit must be 1 to 100"
        } else {
            return Ok(());
        };
        Err(AppError::Rejected {
            status: StatusCode::BAD_REQUEST,
            detail: detail.to_owned(),
        })
    }

    fn filters(&self) -> String {
        match self.category.as_str() {
            "" => format!("limit={}", self.limit),
            category => format!("category={category},limit={}", self.limit),
        }
    }
}

/// What is found.
#[derive(Debug, Serialize)]
pub struct Found {
    pub count: usize,
    pub products: Vec<Product>,
}

/// The products that match, by id.
///
/// # Errors
/// 400 when the limit or a text is not allowed.
pub async fn search(state: &AppState, search: Search) -> Result<Found, AppError> {
    search.check()?;
    find(state, search).await
}

#[instrument(
    name = "product.search",
    skip_all,
    fields(search.query = search.q, search.filters = search.filters(), search.result_count = Empty)
)]
async fn find(state: &AppState, search: Search) -> Result<Found, AppError> {
    let products = store::find(state, &search).await?;
    let count = products.len();
    Span::current().record("search.result_count", count as i64);
    Ok(Found { count, products })
}
