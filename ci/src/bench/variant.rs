//! What is compared, and on what.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Variant {
    /// `ci/bench/bare`.
    Bare,
    /// The stack with everything on.
    Service,
    /// The same, with `fast-export`.
    ServiceFast,
    /// The stack that records one trace of a hundred.
    #[value(name = "service_1pct")]
    #[serde(rename = "service_1pct")]
    ServiceSampled,
    /// The stack with telemetry switched off by a variable.
    ServiceDisabled,
    /// The twin's handlers below axum-tracing-opentelemetry.
    ShelfAxumTracingOtel,
    /// The same below opentelemetry-instrumentation-tower.
    ShelfOtelTower,
    /// FastAPI, SQLAlchemy and httpx, instrumented.
    Python,
    /// The same without telemetry.
    PythonBare,
}

impl Variant {
    pub const ALL: [Self; 9] = [
        Self::Bare,
        Self::Service,
        Self::ServiceFast,
        Self::ServiceSampled,
        Self::ServiceDisabled,
        Self::ShelfAxumTracingOtel,
        Self::ShelfOtelTower,
        Self::Python,
        Self::PythonBare,
    ];

    /// For people who have not read this file.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Bare => "twin without telemetry",
            Self::Service => "service, everything on",
            Self::ServiceFast => "… with fast-export",
            Self::ServiceSampled => "… sampling 1 %",
            Self::ServiceDisabled => "… disabled",
            Self::ShelfAxumTracingOtel => "twin, axum-tracing-opentelemetry",
            Self::ShelfOtelTower => "twin, opentelemetry-instrumentation-tower",
            Self::Python => "FastAPI, instrumented",
            Self::PythonBare => "FastAPI without telemetry",
        }
    }

    /// The settings that make it this one.
    pub(super) fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::ServiceSampled => &[
                ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
                ("OTEL_TRACES_SAMPLER_ARG", "0.01"),
            ],
            Self::ServiceDisabled => &[("OTEL_SDK_DISABLED", "true")],
            Self::PythonBare => &[("TELEMETRY", "off")],
            _ => &[],
        }
    }

    /// How many spans a request of any of the routes ends. `None` where that is not the same for each.
    pub(super) fn spans_a_request(self) -> Option<usize> {
        match self {
            Self::Bare | Self::ServiceDisabled | Self::PythonBare => Some(0),
            // One of the server, one of the function and one of what it calls.
            Self::Service | Self::ServiceFast => Some(3),
            Self::ShelfAxumTracingOtel | Self::ShelfOtelTower => Some(3),
            Self::ServiceSampled | Self::Python => None,
        }
    }

    /// Whether it is the generated service.
    pub(super) fn is_service(self) -> bool {
        matches!(
            self,
            Self::Service | Self::ServiceFast | Self::ServiceSampled | Self::ServiceDisabled
        )
    }

    pub(super) fn is_python(self) -> bool {
        matches!(self, Self::Python | Self::PythonBare)
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.pad(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Route {
    Users,
    Search,
    External,
}

impl Route {
    pub const ALL: [Self; 3] = [Self::Users, Self::Search, Self::External];

    pub(super) fn request(self) -> (&'static str, &'static str) {
        match self {
            Self::Users => ("GET", "/users/1"),
            Self::Search => ("GET", "/products?q=lamp"),
            Self::External => ("POST", "/external"),
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.pad(value.as_ref().map_or("", |value| value.get_name()))
    }
}
