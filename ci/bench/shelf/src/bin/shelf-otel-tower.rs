use opentelemetry_instrumentation_tower::http::server::Layer;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    shelf::run(|routes| routes.layer(Layer::new())).await
}
