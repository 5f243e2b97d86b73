//! Which traces are recorded: <https://opentelemetry.io/docs/specs/otel/trace/sdk/#sampling>.

use std::sync::OnceLock;

use opentelemetry::{
    Context, TraceId,
    trace::{SpanKind, TraceContextExt as _},
};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, ShouldSample as _};

use crate::env::Env;

/// Samplers that ask a server, as `jaeger_remote` does, are none of these.
const NAMES: &[&str] = &[
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
];

/// What `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` say; the argument counts only with the first.
pub(crate) fn read(env: &mut Env) -> Sampler {
    let names = env.words("OTEL_TRACES_SAMPLER", NAMES, "parentbased_always_on");
    let name = names.first().copied().unwrap_or_default();
    let root = match name.trim_start_matches("parentbased_") {
        "always_off" => Sampler::AlwaysOff,
        "traceidratio" => {
            Sampler::TraceIdRatioBased(env.ratio("OTEL_TRACES_SAMPLER_ARG").unwrap_or(1.0))
        }
        _ => Sampler::AlwaysOn,
    };
    if name.starts_with("parentbased_") {
        Sampler::ParentBased(Box::new(root))
    } else {
        root
    }
}

static RECORDS_ROOTS: OnceLock<bool> = OnceLock::new();

/// Remembers what holds of the process's sampler. Only the first call counts.
pub(crate) fn apply(sampler: &Sampler) {
    RECORDS_ROOTS.get_or_init(|| records_roots(sampler));
}

/// Whether all traces that begin here are recorded: of a part, the last of all ids is none.
fn records_roots(sampler: &Sampler) -> bool {
    let last = TraceId::from(u128::MAX);
    let result = sampler.should_sample(None, last, "", &SpanKind::Server, &[], &[]);
    result.decision == SamplingDecision::RecordAndSample
}

/// Whether a span below `parent` is recorded for sure. Who knows it before can give it its attributes as it begins.
pub(crate) fn records_below(parent: &Context) -> bool {
    let span = parent.span();
    let span = span.span_context();
    RECORDS_ROOTS.get() == Some(&true) && (span.is_sampled() || !span.is_valid())
}

/// Whether a span below `parent` can be recorded: none of these samplers records one below a span of this process that
/// is not. Who knows it before spares itself the attributes.
pub(crate) fn may_record_below(parent: &Context) -> bool {
    let span = parent.span();
    let span = span.span_context();
    span.is_sampled() || span.is_remote() || !span.is_valid()
}

#[cfg(test)]
mod tests {
    use opentelemetry::{
        SpanId, TraceFlags,
        trace::{SpanContext, TraceState},
    };

    use super::*;

    /// What becomes of four traces whose ids are spread evenly, `+` recorded and `-` not; then of one whose caller does
    /// not record it; and what was warned about.
    fn sampled(name: &'static str, argument: &'static str) -> (String, Vec<String>) {
        let mut env = Env::new(move |variable| match variable {
            "OTEL_TRACES_SAMPLER" => Some(name.to_owned()),
            "OTEL_TRACES_SAMPLER_ARG" => Some(argument.to_owned()),
            _ => None,
        });
        let sampler = read(&mut env);
        let ids = [0x1, 0x5, 0x9, 0xd].map(|quarter: u128| TraceId::from(quarter << 60));
        let caller = SpanContext::new(
            ids[0],
            SpanId::from(1),
            TraceFlags::default(),
            true,
            TraceState::NONE,
        );
        let caller = Context::new().with_remote_span_context(caller);
        let roots = ids.iter().map(|id| (None, *id));
        let all = roots.chain([(Some(&caller), ids[0])]);
        let marks = all.map(|(parent, id)| {
            let result = sampler.should_sample(parent, id, "", &SpanKind::Server, &[], &[]);
            match result.decision {
                SamplingDecision::RecordAndSample => '+',
                _ => '-',
            }
        });
        (marks.collect(), env.warnings)
    }

    #[test]
    fn below_a_span_of_this_process_that_is_not_recorded_nothing_is() {
        let within = |flags, is_remote| {
            let (trace, span) = (TraceId::from(1), SpanId::from(1));
            let span = SpanContext::new(trace, span, flags, is_remote, TraceState::NONE);
            may_record_below(&Context::new().with_remote_span_context(span))
        };
        assert!(may_record_below(&Context::new()));
        assert!(within(TraceFlags::SAMPLED, false));
        assert!(within(TraceFlags::SAMPLED, true));
        assert!(within(TraceFlags::default(), true), "of another process");
        assert!(!within(TraceFlags::default(), false));
    }

    #[test]
    fn each_sampler_does_what_its_name_says() {
        for (name, argument, marks) in [
            ("", "", "++++-"),
            ("always_on", "", "+++++"),
            ("always_off", "", "-----"),
            ("traceidratio", "0.5", "++--+"),
            ("traceidratio", "", "+++++"),
            ("parentbased_always_on", "", "++++-"),
            ("parentbased_always_off", "", "-----"),
            ("parentbased_traceidratio", "0.25", "+----"),
            // Only a ratio takes an argument.
            ("always_on", "nonsense", "+++++"),
        ] {
            assert_eq!(
                sampled(name, argument),
                (marks.to_owned(), vec![]),
                "{name} {argument}"
            );
        }
    }

    #[test]
    fn whether_all_roots_are_recorded_is_found_out() {
        for (name, argument, all) in [
            ("", "", true),
            ("always_on", "", true),
            ("always_off", "", false),
            ("traceidratio", "1", true),
            ("traceidratio", "0.999999", false),
            ("parentbased_always_off", "", false),
            ("parentbased_traceidratio", "0.01", false),
        ] {
            let mut env = Env::new(move |variable| match variable {
                "OTEL_TRACES_SAMPLER" => Some(name.to_owned()),
                "OTEL_TRACES_SAMPLER_ARG" => Some(argument.to_owned()),
                _ => None,
            });
            assert_eq!(records_roots(&read(&mut env)), all, "{name} {argument}");
        }
    }

    #[test]
    fn what_is_not_understood_is_said_and_the_default_used() {
        let (marks, warnings) = sampled("jaeger_remote", "");
        assert_eq!((marks.as_str(), warnings.len()), ("++++-", 1));
        assert!(warnings[0].ends_with("allowed: always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, parentbased_traceidratio"), "{warnings:?}");
        for ratio in ["half", "1.5", "-1", "NaN"] {
            let (marks, warnings) = sampled("traceidratio", ratio);
            assert_eq!(marks, "+++++", "{ratio}");
            assert_eq!(
                warnings,
                [format!(
                    "OTEL_TRACES_SAMPLER_ARG={ratio:?} is not understood and ignored; allowed: a number from 0.0 to 1.0"
                )]
            );
        }
    }
}
