//! W3C Baggage: <https://www.w3.org/TR/baggage/>.

use std::sync::LazyLock;

use opentelemetry::{
    Context,
    baggage::{BaggageExt as _, KeyValueMetadata},
    propagation::{Extractor, Injector, TextMapPropagator, text_map_propagator::FieldIter},
};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::trim;

pub(super) const BAGGAGE: &str = "baggage";

static FIELDS: LazyLock<[String; 1]> = LazyLock::new(|| [BAGGAGE.to_owned()]);

/// Of all headers together: <https://www.w3.org/TR/baggage/#limits>.
const MAX_MEMBERS: usize = 64;
const MAX_BYTES: usize = 8192;

/// What a value must not hold as it is: <https://www.w3.org/TR/baggage/#value>. `=` may, but not all readers know that.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'%')
    .add(b',')
    .add(b';')
    .add(b'=')
    .add(b'\\');

/// Propagates baggage by the `baggage` header.
#[derive(Debug)]
pub(super) struct W3cBaggage;

impl TextMapPropagator for W3cBaggage {
    fn inject_context(&self, context: &Context, headers: &mut dyn Injector) {
        let baggage = context.baggage();
        if baggage.is_empty() {
            return;
        }
        let mut members: Vec<_> = baggage
            .iter()
            .map(|(key, (value, metadata))| {
                let value = utf8_percent_encode(value.as_str(), ENCODED);
                let properties = properties(metadata.as_str()).unwrap_or_default();
                format!("{key}={value}{properties}")
            })
            .collect();
        // The SDK's order is anyone's guess.
        members.sort();
        let members = members.into_iter().map(|member| (member.len(), member));
        let header = within_limits(members).collect::<Vec<_>>().join(",");
        if !header.is_empty() {
            headers.set(BAGGAGE, header);
        }
    }

    fn extract_with_context(&self, context: &Context, headers: &dyn Extractor) -> Context {
        let Some(all) = headers.get_all(BAGGAGE) else {
            return context.clone();
        };
        let texts = all.iter().flat_map(|header| header.split(',')).map(trim);
        let members = texts.filter_map(|text| Some((text.len(), member(text)?)));
        // Of a key that comes again, the last counts.
        context.with_baggage(within_limits(members))
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&*FIELDS)
    }
}

/// As many of `members`, whole ones, as a header may have by their lengths, commas included.
fn within_limits<T>(members: impl Iterator<Item = (usize, T)>) -> impl Iterator<Item = T> {
    let mut left = MAX_BYTES + 1;
    let fitting = members.filter_map(move |(length, member)| {
        left = left.checked_sub(length + 1)?;
        Some(member)
    });
    fitting.take(MAX_MEMBERS)
}

/// `key=value;property;key=value`. One that is not valid is left out; the others cannot help it.
fn member(text: &str) -> Option<KeyValueMetadata> {
    let (member, metadata) = text.split_once(';').unwrap_or((text, ""));
    let (key, value) = pair(member)?;
    let properties = properties(metadata)?;
    // What is no UTF-8 becomes U+FFFD, as the specification has it.
    let value = percent_decode_str(value?).decode_utf8_lossy();
    let properties = properties.strip_prefix(';').unwrap_or_default();
    Some(KeyValueMetadata::new(
        key.to_owned(),
        value.into_owned(),
        properties,
    ))
}

/// Properties as a header has them, each with its `;`. They mean nothing to us and stay encoded: decoded, a comma in one
/// would begin a member.
fn properties(metadata: &str) -> Option<String> {
    let all = metadata.split(';').map(trim);
    all.filter(|property| !property.is_empty())
        .map(|property| {
            let (key, value) = pair(property)?;
            Some(match value {
                Some(value) => format!(";{key}={value}"),
                None => format!(";{key}"),
            })
        })
        .collect()
}

/// `key = value` or `key`, without the whitespace. A value may hold `=` too.
fn pair(text: &str) -> Option<(&str, Option<&str>)> {
    let (key, value) = match text.split_once('=') {
        Some((key, value)) => (trim(key), Some(trim(value))),
        None => (trim(text), None),
    };
    let is_valid = is_token(key) && value.into_iter().all(is_value);
    is_valid.then_some((key, value))
}

/// <https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2>
fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

fn is_value(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
    text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use http::{HeaderMap, HeaderValue};
    use opentelemetry::baggage::{Baggage, BaggageMetadata};

    use super::{super::headers::Carrier, *};

    fn received(headers: &[&str]) -> Context {
        let mut map = HeaderMap::new();
        for header in headers {
            let value = HeaderValue::from_bytes(header.as_bytes());
            map.append(BAGGAGE, value.expect("a value of HTTP"));
        }
        W3cBaggage.extract(&Carrier(&map))
    }

    fn sent(context: &Context) -> Option<String> {
        let mut headers = HashMap::new();
        W3cBaggage.inject_context(context, &mut headers);
        headers.remove(BAGGAGE)
    }

    /// What is sent on for these headers.
    fn round_trip(headers: &[&str]) -> String {
        sent(&received(headers)).unwrap_or_default()
    }

    #[test]
    fn what_is_valid_is_sent_on() {
        let cases: [(&[&str], &str); _] = [
            (&[], ""),
            (&[""], ""),
            (&["a=1"], "a=1"),
            (&["a=1,b=2"], "a=1,b=2"),
            (&["b=2", "a=1,c=3"], "a=1,b=2,c=3"),
            (&[" a \t=\t 1 , ,b=2,"], "a=1,b=2"),
            (&["a="], "a="),
            (&["a=1,a=2", "a=3"], "a=3"),
            // All characters of a key: they are not decoded.
            (&["!#$%&'*+-.^_`|~09azAZ=1"], "!#$%&'*+-.^_`|~09azAZ=1"),
            (&["%41=1"], "%41=1"),
            // Properties, which stay encoded.
            (&["a=1;p;q=2"], "a=1;p;q=2"),
            (&["a = 1 ; p ; q = 2 ;p=%2C3"], "a=1;p;q=2;p=%2C3"),
            (&["a=1;"], "a=1"),
            (&["a=1;p=x=y"], "a=1;p=x=y"),
        ];
        for (headers, sent_on) in cases {
            assert_eq!(round_trip(headers), sent_on, "{headers:?}");
        }
    }

    #[test]
    fn values_are_decoded_and_encoded() {
        for (sent_in, value, sent_on) in [
            ("1", "1", "1"),
            ("DF%2028", "DF 28", "DF%2028"),
            ("Am%C3%A9lie", "Amélie", "Am%C3%A9lie"),
            ("%41%2c%3B%5C%22", "A,;\\\"", "A%2C%3B%5C%22"),
            ("100%25", "100%", "100%25"),
            ("%2541", "%41", "%2541"),
            ("x=y==", "x=y==", "x%3Dy%3D%3D"),
            ("%20x%20", " x ", "%20x%20"),
            // Not encoded as it should be.
            ("100%", "100%", "100%25"),
            ("%zz", "%zz", "%25zz"),
            // No UTF-8.
            ("a%FFb", "a\u{fffd}b", "a%EF%BF%BDb"),
            ("%0A", "\n", "%0A"),
        ] {
            let context = received(&[&format!("k={sent_in}")]);
            let got = context.baggage().get("k").map(ToString::to_string);
            assert_eq!(got.as_deref(), Some(value), "{sent_in}");
            assert_eq!(sent(&context), Some(format!("k={sent_on}")), "{sent_in}");
        }
    }

    #[test]
    fn what_is_not_valid_is_left_out_alone() {
        for broken in [
            "k",
            "=v",
            " = ",
            "k k=v",
            "k@=v",
            "(k)=v",
            "é=v",
            "k=v v",
            "k=\"v\"",
            "k=v\\v",
            "k=é",
            "k=v;p p",
            "k=v;p=\"1\"",
            "k=v;=1",
            ";k=v",
            "k;p=v",
        ] {
            let among = format!("a=1,{broken},b=2");
            let sent_on = round_trip(&[&among, "c=3", broken]);
            assert_eq!(sent_on, "a=1,b=2,c=3", "{broken:?}");
        }
    }

    #[test]
    fn the_limits_are_those_of_all_headers_together() {
        let members = |count| (0..count).map(|nth| format!("k{nth:02}=v"));
        let all: Vec<_> = members(64).collect();
        let all = all.join(",");
        assert_eq!(round_trip(&[&all]), all);
        assert_eq!(round_trip(&["broken", &all, "k64=v"]), all);

        // To the byte, comma included; what comes later and fits is kept.
        let (half, rest) = (format!("a={}", "v".repeat(4094)), "v".repeat(4093));
        let fits = format!("{half},b={rest}");
        assert_eq!(fits.len(), MAX_BYTES);
        assert_eq!(round_trip(&[&half, &format!("b={rest}")]), fits);
        let too_long = format!("b={rest}v");
        let sent_on = round_trip(&[&half, &too_long, "c=1"]);
        assert_eq!(sent_on, format!("{half},c=1"));
    }

    #[test]
    fn encoding_does_not_break_the_limit() {
        let long = ",".repeat(3000);
        let baggage: Baggage = [("a", "1".to_owned()), ("b", long), ("c", "3".to_owned())]
            .map(|(key, value)| KeyValueMetadata::new(key, value, ""))
            .into_iter()
            .collect();
        let context = Context::new().with_baggage(baggage);
        assert_eq!(sent(&context).as_deref(), Some("a=1,c=3"));
    }

    #[test]
    fn metadata_cannot_become_a_member() {
        let mut baggage = Baggage::new();
        for (key, metadata) in [("a", "p=1,evil=2"), ("b", "p\r\nevil"), ("c", "p;q=2")] {
            let metadata = BaggageMetadata::from(metadata);
            baggage.insert_with_metadata(key, "v", metadata);
        }
        let context = Context::new().with_baggage(baggage);
        assert_eq!(sent(&context).as_deref(), Some("a=v,b=v,c=v;p;q=2"));
    }

    #[test]
    fn without_baggage_nothing_is_sent() {
        assert_eq!(sent(&Context::new()), None);
    }
}
