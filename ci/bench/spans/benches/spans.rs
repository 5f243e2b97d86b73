//! How long a span takes its caller, and the same work without it. The exporter runs beside it, on what is left of the
//! machine, and drops what it cannot keep up with: instructions tell more.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use spans::{Form, Work};

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let _telemetry = telemetry::init(telemetry::Service {
        name: "spans",
        version: "0",
        environment: "bench",
    })
    .expect("telemetry");
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
        .configure_from_args();
    for case in spans::TIMED {
        let mut group = criterion.benchmark_group(case);
        for (name, form) in [("bare", Form::Bare), ("sampled", Form::Sampled)] {
            group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
                bencher.iter_custom(|count| {
                    let work = spans::run(case, Work { form, count });
                    runtime.block_on(work).expect("work that can be done")
                });
            });
        }
        group.finish();
    }
    criterion.final_summary();
}
