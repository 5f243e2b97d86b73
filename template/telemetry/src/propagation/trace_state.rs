//! The `tracestate` header: what tracing systems say to themselves, which passes through here as it is.
//! <https://www.w3.org/TR/trace-context-2/#tracestate-header>

use opentelemetry::trace::TraceState;

use super::trim;

pub(super) const TRACESTATE: &str = "tracestate";

const MAX_MEMBERS: usize = 32;
const MAX_KEY: usize = 256;
const MAX_VALUE: usize = 256;

/// A list of keys and values, as it came.
#[derive(Debug, Default)]
pub(super) struct Members<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Members<'a> {
    /// Those of all headers of a request, one after the other. None where any of it is not valid: half of it could
    /// mislead.
    ///
    /// A key that comes again was not added by us; the first is the latest, and stays. Empty members do not count.
    pub(super) fn parse(headers: &[&'a str]) -> Option<Self> {
        let (mut members, mut count) = (Vec::new(), 0);
        let all = headers.iter().flat_map(|header| header.split(','));
        for member in all.map(trim).filter(|member| !member.is_empty()) {
            let (key, value) = member.split_once('=')?;
            count += 1;
            if count > MAX_MEMBERS || !is_key(key) || !is_value(value) {
                return None;
            }
            if members.iter().all(|(known, _)| *known != key) {
                members.push((key, value));
            }
        }
        Some(Self(members))
    }

    /// As a span of the SDK can have it, and beside it the header if that is more: the SDK refuses keys of level 2, which
    /// may have any number of `@`.
    pub(super) fn held(self) -> (TraceState, Option<String>) {
        if let Ok(all) = TraceState::from_key_value(self.0.iter().copied()) {
            return (all, None);
        }
        let known = |member: &(&str, &str)| TraceState::from_key_value([*member]).is_ok();
        let held = TraceState::from_key_value(self.0.iter().copied().filter(known));
        let members = self.0.iter().map(|(key, value)| format!("{key}={value}"));
        let members: Vec<_> = members.collect();
        (held.unwrap_or_default(), Some(members.join(",")))
    }
}

fn is_key(key: &str) -> bool {
    let begins = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9');
    let goes_on = |byte: u8| begins(byte) || matches!(byte, b'_' | b'-' | b'*' | b'/' | b'@');
    key.len() <= MAX_KEY && key.bytes().next().is_some_and(begins) && key.bytes().all(goes_on)
}

/// Printable, never empty; spaces behind it have been taken for those around the member.
fn is_value(value: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b' '..=b'~') && byte != b',' && byte != b'=';
    (1..=MAX_VALUE).contains(&value.len()) && value.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is sent on for these headers.
    fn round_trip(headers: &[&str]) -> Option<String> {
        let (held, more) = Members::parse(headers)?.held();
        Some(more.unwrap_or_else(|| held.header()))
    }

    /// `k1=v,k2=v,…`
    fn members(count: usize) -> String {
        let members: Vec<_> = (1..=count).map(|nth| format!("k{nth}=v")).collect();
        members.join(",")
    }

    #[test]
    fn what_is_valid_passes_through_in_its_order() {
        let printable: String = (' '..='~').filter(|c| !",=".contains(*c)).collect();
        let printable = format!("a={printable}");
        let key = format!("{}=1", "k".repeat(256));
        let value = format!("k={}", "v".repeat(256));
        // More than the 512 characters that must be possible.
        let long = format!("{key},{value}");
        let tenant = format!("{}@{}=1", "t".repeat(241), "s".repeat(14));
        let (level_2, system) = (format!("{}@s=1", "t".repeat(254)), "t@sssssssssssssss=1");
        let cases: [(&[&str], &str); _] = [
            (&[], ""),
            (&[""], ""),
            (&[" \t"], ""),
            (&["a=1"], "a=1"),
            (&["b=1,a=2"], "b=1,a=2"),
            // Several headers, some of them empty.
            (&["b=1,a=2", "d=3", "c=4"], "b=1,a=2,d=3,c=4"),
            (&["", "a=1", "", "b=2", ""], "a=1,b=2"),
            (&[",,a=1, ,\t,b=2,"], "a=1,b=2"),
            // Whitespace around members; before a value it belongs to the value.
            (&[" a=1 \t , \t b=2,\tc=3\t"], "a=1,b=2,c=3"),
            (&["a= 1"], "a= 1"),
            (&["a=1 2"], "a=1 2"),
            // Keys.
            (&["0=1,9a=2,a_-*/9=3"], "0=1,9a=2,a_-*/9=3"),
            (&[&key], &key),
            (&[&tenant], &tenant),
            // Keys that only level 2 knows.
            (&["a@=1,b=2"], "a@=1,b=2"),
            (&["b=2,a@@b=1,c=3"], "b=2,a@@b=1,c=3"),
            (&["a@b@c=1", "d=2"], "a@b@c=1,d=2"),
            (&[&level_2], &level_2),
            (&[system], system),
            // Values.
            (&[&printable], &printable),
            (&[&value], &value),
            (&[&long], &long),
            // A key that comes again.
            (&["a=1,a=1"], "a=1"),
            (&["a=1,b=2", "a=3"], "a=1,b=2"),
        ];
        for (headers, sent_on) in cases {
            assert_eq!(round_trip(headers).as_deref(), Some(sent_on), "{headers:?}");
        }
    }

    #[test]
    fn what_is_not_valid_goes_whole() {
        let key = format!("{}=1", "k".repeat(257));
        let value = format!("k={}", "v".repeat(257));
        for broken in [
            "a", "=1", "a=", "a= ", "a=1=2", "a==1", // Keys.
            "A=1", "aB=1", "_a=1", "@a=1", "a =1", "a.b=1", "é=1", &key, // Values.
            "a=é", "a=\u{7f}", "a=1\t2", &value, "\u{fffd}",
        ] {
            let before = format!("{broken},good=1");
            for headers in [&[broken][..], &["good=1", broken], &[&*before]] {
                assert_eq!(round_trip(headers), None, "{headers:?}");
            }
        }
    }

    #[test]
    fn thirty_two_members_are_allowed_in_all() {
        let (all, one) = (members(32), members(1));
        assert_eq!(round_trip(&[&all]), Some(all.clone()));
        assert_eq!(round_trip(&[&members(33)]), None);
        assert_eq!(round_trip(&[&all, "more=1"]), None);
        assert_eq!(round_trip(&[&all, &one]), None);
        let with_gaps = format!(",,,{all},,,");
        assert_eq!(round_trip(&[&with_gaps]), Some(all));
    }
}
