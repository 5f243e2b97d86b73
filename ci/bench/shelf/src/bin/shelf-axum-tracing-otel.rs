use axum_tracing_opentelemetry::middleware::{OtelAxumLayer, OtelInResponseLayer};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let layers = |routes: axum::Router| {
        routes
            .layer(OtelInResponseLayer)
            .layer(OtelAxumLayer::default())
    };
    shelf::run(layers).await
}
