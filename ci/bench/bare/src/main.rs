use std::sync::Arc;

use bare::{AppState, config::Config, serve, web};
use clap::Parser as _;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = Config::parse();
    let state = Arc::new(AppState::connect(&config).await?);
    let routes = web::domain().merge(web::rest()).with_state(state.clone());
    serve::serve(&config, web::around(routes, &config)).await?;
    state.pool.close().await;
    Ok(())
}
