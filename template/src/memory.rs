//! Example data in memory: stands in for a database until there is one. What is added is gone when the process ends, and
//! two instances do not share it.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Context as _;
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::config::Config;

/// Settings of the example data.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Settings {
    /// JSON file to begin with instead of the built-in data: {"users": [{id, name, email}], "products": [{id, name, category, price_cents}]}.
    #[arg(
        id = "data_file",
        long = "data-file",
        env = "DATA_FILE",
        value_name = "FILE"
    )]
    pub file: Option<PathBuf>,
}

/// The data.
#[derive(Debug, Clone)]
pub struct Memory {
    data: Arc<Mutex<Data>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    users: Vec<User>,
    products: Vec<Product>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct User {
    pub id: i64,
    pub name: String,
    pub email: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Product {
    pub id: i64,
    pub name: String,
    pub category: String,
    pub price_cents: i64,
}

impl Memory {
    /// Loads the data.
    ///
    /// # Errors
    /// When the file cannot be read or is not understood.
    pub async fn connect(config: &Config) -> anyhow::Result<Self> {
        let mut data: Data = match &config.memory.file {
            None => {
                serde_json::from_str(include_str!("memory.json")).context("the built-in data")?
            }
            Some(path) => {
                let problem = || format!("DATA_FILE {} cannot be used", path.display());
                let text = fs::read_to_string(path).with_context(problem)?;
                serde_json::from_str(&text).with_context(problem)?
            }
        };
        data.products.sort_by_key(|product| product.id);
        Ok(Self {
            data: Arc::new(Mutex::new(data)),
        })
    }

    /// The user with this id.
    pub fn user(&self, id: i64) -> Option<User> {
        let data = self.data();
        data.users.iter().find(|user| user.id == id).cloned()
    }

    /// Adds a user; none when the e-mail address is taken.
    pub fn add_user(&self, name: &str, email: &str) -> Option<User> {
        let mut data = self.data();
        if data.users.iter().any(|user| user.email == email) {
            return None;
        }
        let last = data.users.iter().map(|user| user.id).max();
        let user = User {
            id: last.unwrap_or_default() + 1,
            name: name.to_owned(),
            email: email.to_owned(),
        };
        data.users.push(user.clone());
        Some(user)
    }

    /// At most `limit` products with `text` in their name, in any case, and of this category; empty text matches all.
    pub fn find_products(&self, text: &str, category: &str, limit: usize) -> Vec<Product> {
        let text = text.to_lowercase();
        let data = self.data();
        let matching = data.products.iter().filter(|product| {
            product.name.to_lowercase().contains(&text)
                && (category.is_empty() || product.category == category)
        });
        matching.take(limit).cloned().collect()
    }

    /// Memory is always there.
    ///
    /// # Errors
    /// Never.
    pub async fn check(&self) -> Result<(), std::convert::Infallible> {
        Ok(())
    }

    /// Nothing is held open.
    pub async fn close(self) {}

    fn data(&self) -> MutexGuard<'_, Data> {
        // Whoever panicked in here left whole users and products behind.
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
