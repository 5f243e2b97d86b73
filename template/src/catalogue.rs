//! A catalogue of products in memory: what the search example searches where there is no database.

use std::{fs, path::PathBuf, sync::Arc};

use anyhow::Context as _;
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::config::Config;

/// Settings of the catalogue.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Settings {
    /// JSON file of products to offer instead of the built-in ones: a list of {id, name, category, price_cents}.
    #[arg(
        id = "catalogue_file",
        long = "catalogue",
        env = "CATALOGUE_FILE",
        value_name = "FILE"
    )]
    pub file: Option<PathBuf>,
}

/// The products on offer.
#[derive(Debug, Clone)]
pub struct Catalogue {
    products: Arc<[Product]>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Product {
    pub id: i64,
    pub name: String,
    pub category: String,
    pub price_cents: i64,
}

impl Catalogue {
    /// Loads the products.
    ///
    /// # Errors
    /// When the file cannot be read or is not a list of products.
    pub async fn connect(config: &Config) -> anyhow::Result<Self> {
        let products = match &config.catalogue.file {
            None => parse(include_str!("catalogue.json")).context("the built-in catalogue")?,
            Some(path) => {
                let problem = || format!("CATALOGUE_FILE {} cannot be used", path.display());
                let text = fs::read_to_string(path).with_context(problem)?;
                parse(&text).with_context(problem)?
            }
        };
        Ok(Self { products })
    }

    /// At most `limit` products with `text` in their name, in any case, and of this category; empty text matches all.
    pub fn find(&self, text: &str, category: &str, limit: usize) -> Vec<Product> {
        let text = text.to_lowercase();
        let matching = self.products.iter().filter(|product| {
            product.name.to_lowercase().contains(&text)
                && (category.is_empty() || product.category == category)
        });
        matching.take(limit).cloned().collect()
    }

    /// Whether there is anything to offer.
    ///
    /// # Errors
    /// When the catalogue is empty.
    pub async fn check(&self) -> Result<(), &'static str> {
        if self.products.is_empty() {
            Err("the catalogue is empty")
        } else {
            Ok(())
        }
    }

    /// Nothing is held open.
    pub async fn close(self) {}
}

fn parse(text: &str) -> serde_json::Result<Arc<[Product]>> {
    let mut products: Vec<Product> = serde_json::from_str(text)?;
    products.sort_by_key(|product| product.id);
    Ok(products.into())
}
