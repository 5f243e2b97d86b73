use std::{collections::BTreeMap, fs, future::pending, hint::black_box, iter, sync::mpsc, thread};

use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, SdkMeterProvider,
    data::{AggregatedMetrics, MetricData},
};

use super::{Runtimes, process, tokio_runtime};

/// What was observed: `name unit attributes` → value.
type Observed = BTreeMap<String, f64>;

struct Rig {
    exporter: InMemoryMetricExporter,
    provider: SdkMeterProvider,
    meter: Meter,
}

impl Rig {
    fn new() -> Self {
        let exporter = InMemoryMetricExporter::default();
        let provider = SdkMeterProvider::builder()
            .with_periodic_exporter(exporter.clone())
            .build();
        let meter = provider.meter("test");
        Self {
            exporter,
            provider,
            meter,
        }
    }

    fn collect(&self) -> Observed {
        self.exporter.reset();
        self.provider.force_flush().expect("the reader works");
        let collections = self.exporter.get_finished_metrics();
        let mut observed = Observed::new();
        for metric in collections
            .expect("the exporter works")
            .iter()
            .flat_map(|collection| collection.scope_metrics())
            .flat_map(|scope| scope.metrics())
        {
            let mut note = |attributes: Vec<String>, value| {
                let key = iter::once(metric.name().to_owned())
                    .chain(iter::once(metric.unit().to_owned()))
                    .chain(attributes);
                observed.insert(key.collect::<Vec<_>>().join(" "), value);
            };
            macro_rules! points {
                ($data:expr) => {
                    for point in $data.data_points() {
                        let attributes = point.attributes();
                        let shown = attributes.map(|pair| format!("{}={}", pair.key, pair.value));
                        note(shown.collect(), point.value() as f64);
                    }
                };
            }
            match metric.data() {
                AggregatedMetrics::F64(MetricData::Sum(sum)) if sum.is_monotonic() => points!(sum),
                AggregatedMetrics::F64(MetricData::Gauge(gauge)) => points!(gauge),
                AggregatedMetrics::U64(MetricData::Sum(sum)) if sum.is_monotonic() => points!(sum),
                AggregatedMetrics::I64(MetricData::Sum(sum)) if !sum.is_monotonic() => points!(sum),
                other => panic!("unexpected data of {}: {other:?}", metric.name()),
            }
        }
        observed
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_process_tells_all_that_linux_knows_of_it() {
    let rig = Rig::new();
    process::observe(&rig.meter);
    let observed = rig.collect();
    let names: Vec<&str> = observed.keys().map(String::as_str).collect();
    let expected = [
        "process.context_switches {context_switch} process.context_switch.type=involuntary",
        "process.context_switches {context_switch} process.context_switch.type=voluntary",
        "process.cpu.time s cpu.mode=system",
        "process.cpu.time s cpu.mode=user",
        "process.disk.io By disk.io.direction=read",
        "process.disk.io By disk.io.direction=write",
        "process.memory.usage By",
        "process.memory.virtual By",
        "process.paging.faults {fault} system.paging.fault.type=major",
        "process.paging.faults {fault} system.paging.fault.type=minor",
        "process.thread.count {thread}",
        "process.unix.file_descriptor.count {file_descriptor}",
        "process.uptime s",
    ];
    // A sandbox may hide what was read and written.
    let hidden = fs::read_to_string("/proc/self/io").is_err();
    let expected = expected.into_iter();
    let expected = expected.filter(|name| !(hidden && name.starts_with("process.disk.io")));
    assert_eq!(names, expected.collect::<Vec<_>>());

    let value = |name: &str| observed[name];
    assert!(value("process.memory.usage By") > 500e3, "not in kilobytes");
    assert!(value("process.memory.virtual By") >= value("process.memory.usage By"));
    // This test's and the reader's.
    assert!(value("process.thread.count {thread}") >= 2.0);
    assert!(value("process.uptime s") > 0.0);
}

#[test]
#[cfg(target_os = "linux")]
fn work_takes_processor_time_and_memory_causes_faults() {
    let rig = Rig::new();
    process::observe(&rig.meter);
    let before = rig.collect();
    let grew = |observed: &Observed, name: &str| observed[name] > before[name];
    loop {
        black_box(vec![1_u8; 1 << 20]);
        let now = rig.collect();
        if grew(&now, "process.cpu.time s cpu.mode=user")
            && grew(
                &now,
                "process.paging.faults {fault} system.paging.fault.type=minor",
            )
        {
            break;
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn context_switches_of_threads_that_ended_still_count() {
    let rig = Rig::new();
    process::observe(&rig.meter);
    let switches =
        "process.context_switches {context_switch} process.context_switch.type=voluntary";
    let (wake, woken) = mpsc::channel();
    let (answer, answered) = mpsc::channel();
    let thread = thread::spawn(move || {
        while woken.recv().is_ok() {
            answer.send(()).expect("the test waits");
        }
    });
    let before = rig.collect()[switches];
    // The thread sleeps between any two of these, or the test does.
    for _ in 0..1000 {
        wake.send(()).expect("the thread waits");
        answered.recv().expect("an answer");
    }
    let during = rig.collect()[switches];
    assert!(during > before);
    drop(wake);
    thread.join().expect("ended");
    assert!(rig.collect()[switches] >= during);
}

#[test]
#[cfg(target_os = "linux")]
fn an_open_file_is_counted() {
    let rig = Rig::new();
    process::observe(&rig.meter);
    let open = "process.unix.file_descriptor.count {file_descriptor}";
    // More than the other tests of this process can close meanwhile.
    let files: Vec<_> = iter::repeat_with(|| fs::File::open("/dev/null").expect("opened"))
        .take(500)
        .collect();
    assert!(rig.collect()[open] >= 500.0);
    drop(files);
}

#[test]
fn tasks_and_workers_of_all_runtimes_count_together_and_each_once() {
    static TWO: Runtimes = Runtimes::none();
    let runtime = |workers| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .build()
            .expect("threads")
    };
    let (one, other) = (runtime(1), runtime(2));
    for runtime in [&one, &other, &one] {
        let _entered = runtime.enter();
        TWO.add_current();
        tokio::spawn(pending::<()>());
    }
    let rig = Rig::new();
    tokio_runtime::observe(&rig.meter, &TWO);
    let observed = rig.collect();
    assert_eq!(observed["tokio.worker.count {thread}"], 3.0);
    assert_eq!(observed["tokio.task.count {task}"], 3.0);
    let keys: Vec<&str> = observed.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "tokio.global_queue.size {task}",
            "tokio.task.count {task}",
            "tokio.worker.busy_time s",
            "tokio.worker.count {thread}",
            "tokio.worker.parks {park}",
        ]
    );
}

#[test]
fn a_task_that_waits_for_a_worker_is_in_the_queue() {
    static ONE: Runtimes = Runtimes::none();
    // Its one worker is this thread, so nothing runs while it looks.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let entered = runtime.enter();
    ONE.add_current();
    drop(entered);
    let rig = Rig::new();
    tokio_runtime::observe(&rig.meter, &ONE);
    runtime.spawn(async {});
    assert_eq!(rig.collect()["tokio.global_queue.size {task}"], 1.0);
    runtime.block_on(tokio::task::yield_now());
    assert_eq!(rig.collect()["tokio.global_queue.size {task}"], 0.0);
    assert_eq!(rig.collect()["tokio.task.count {task}"], 0.0);
}

#[test]
fn outside_of_a_runtime_there_is_nothing_to_tell() {
    static NONE: Runtimes = Runtimes::none();
    NONE.add_current();
    let rig = Rig::new();
    tokio_runtime::observe(&rig.meter, &NONE);
    assert_eq!(rig.collect(), Observed::new());
}
