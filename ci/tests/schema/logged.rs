//! The names of fields that log records have: in the source, for most are of what the scenario does not bring about.

use ci::specimens::Specimen;

const MACROS: [&str; 4] = ["error!(", "warn!(", "info!(", "event!("];

/// Every field's name that the sources of a service give to a log record, with the place.
pub fn fields(specimen: &Specimen) -> Vec<(String, String)> {
    let sources = specimen.files.iter().filter_map(|(path, content)| {
        let path = path.to_str()?;
        let is_source = path.starts_with("src/") || path.starts_with("telemetry/src/");
        let is_source = is_source && path.ends_with(".rs");
        Some((path, std::str::from_utf8(content).ok()?)).filter(|_| is_source)
    });
    let named = |(path, text)| of_source(text).map(move |name| (path, name));
    let all = sources.flat_map(named);
    all.map(|(path, name)| (name.to_owned(), path.to_owned()))
        .collect()
}

fn of_source(text: &str) -> impl Iterator<Item = &str> {
    // What a test logs leaves no service.
    let text = text.split("#[cfg(test)]\nmod tests {").next();
    MACROS.into_iter().flat_map(move |name| {
        let calls = text.unwrap_or_default().split(name).skip(1);
        calls.flat_map(of_call)
    })
}

/// `name: …, Level::X, { a = 1, %b, c.d = ?e }` or the same without braces, up to the message.
fn of_call(call: &str) -> impl Iterator<Item = &str> {
    let end = call
        .find(");")
        .or_else(|| call.find("),"))
        .unwrap_or(call.len());
    let parts = call[..end].split([',', '{', '}']).map(str::trim);
    let fields = parts.take_while(|part| !part.starts_with('"'));
    let fields = fields.filter(|part| {
        !part.is_empty()
            && !["name:", "target:", "Level::"]
                .iter()
                .any(|it| part.starts_with(it))
    });
    fields.map(|part| {
        let name = part.split_once('=').map_or(part, |(name, _)| name);
        name.trim().trim_start_matches(['%', '?'])
    })
}

#[test]
fn fields_are_read_off_the_source() {
    let text = r#"
        tracing::info!(%address, "listening");
        Ok(n) => tracing::warn!("{n} left, a = 1"),
        tracing::warn!(
            error.type = kind,
            "broken: {why}"
        );
        tracing::event!(name: "exception", target: T, Level::ERROR, { exception.type = a, exception.message = b });
    "#;
    let mut found: Vec<_> = of_source(text).collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            "address",
            "error.type",
            "exception.message",
            "exception.type"
        ]
    );
}
