//! Products.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use sqlx::SqlitePool;

use crate::error::AppError;

pub const SEARCH: &str = "
    SELECT id, name, category, price_cents FROM products
    WHERE instr(lower(name), lower(?1)) > 0 AND (?2 = '' OR category = ?2)
    ORDER BY id LIMIT ?3";

#[derive(Debug, Deserialize)]
#[serde(default)]
pub struct Search {
    pub q: String,
    pub category: String,
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
    pub fn check(&self) -> Result<(), AppError> {
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
}

#[derive(Debug, Serialize, sqlx::FromRow)]
pub struct Product {
    pub id: i64,
    pub name: String,
    pub category: String,
    pub price_cents: i64,
}

#[derive(Debug, Serialize)]
pub struct Found {
    pub count: usize,
    pub products: Vec<Product>,
}

pub async fn find(pool: &SqlitePool, search: &Search) -> sqlx::Result<Vec<Product>> {
    let query = sqlx::query_as::<_, Product>(SEARCH)
        .bind(&search.q)
        .bind(&search.category)
        .bind(i64::from(search.limit));
    query.fetch_all(pool).await
}

pub async fn search(pool: &SqlitePool, search: Search) -> Result<Found, AppError> {
    search.check()?;
    let products = find(pool, &search).await?;
    let count = products.len();
    Ok(Found { count, products })
}
