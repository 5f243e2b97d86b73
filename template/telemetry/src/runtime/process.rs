//! `process.*`: <https://opentelemetry.io/docs/specs/semconv/system/process-metrics/>.
//!
//! Read off Linux's `/proc` when metrics are collected, and only then. Where it is missing the metrics are absent, not
//! zero. `process.network.io` is missing, for no system counts it by process; the opt-in `process.cpu.utilization` too, for
//! it is the rate of `process.cpu.time`.

use std::{
    collections::HashMap,
    fs,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use opentelemetry::{KeyValue, metrics::Meter};
use opentelemetry_semantic_conventions::{attribute, metric};

/// When the process was created: by Linux, which counts from its boot, and elsewhere now, which is soon after.
pub(crate) fn created() -> SystemTime {
    SystemTime::now() - age().unwrap_or_default()
}

fn age() -> Option<Duration> {
    let text = fs::read_to_string("/proc/uptime").ok()?;
    let uptime: f64 = text.split_whitespace().next()?.parse().ok()?;
    let start = stat::read(stat::START)? as f64 / stat::TICKS_PER_SECOND;
    Duration::try_from_secs_f64(uptime - start).ok()
}

/// Registers what is observed. Call it as early as possible: the uptime counts from here.
pub(super) fn observe(meter: &Meter) {
    uptime(meter);
    processor(meter);
    switches(meter);
    memory(meter);
    count(
        meter,
        metric::PROCESS_THREAD_COUNT,
        "{thread}",
        "Threads of the process.",
        || status("Threads"),
    );
    count(
        meter,
        metric::PROCESS_UNIX_FILE_DESCRIPTOR_COUNT,
        "{file_descriptor}",
        "Open file descriptors of the process.",
        open_files,
    );
    disk(meter);
}

fn uptime(meter: &Meter) {
    let since = Instant::now();
    meter
        .f64_observable_gauge(metric::PROCESS_UPTIME)
        .with_unit("s")
        .with_description("The time the process has been running.")
        .with_callback(move |observer| observer.observe(since.elapsed().as_secs_f64(), &[]))
        .build();
}

fn memory(meter: &Meter) {
    count(
        meter,
        metric::PROCESS_MEMORY_USAGE,
        "By",
        "Physical memory in use.",
        || status("VmRSS"),
    );
    count(
        meter,
        metric::PROCESS_MEMORY_VIRTUAL,
        "By",
        "Committed virtual memory.",
        || status("VmSize"),
    );
}

/// An instrument for `read`, unless this system has no such number.
fn count(
    meter: &Meter,
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    read: fn() -> Option<i64>,
) {
    if read().is_none() {
        return;
    }
    meter
        .i64_observable_up_down_counter(name)
        .with_unit(unit)
        .with_description(description)
        .with_callback(move |observer| {
            if let Some(value) = read() {
                observer.observe(value, &[]);
            }
        })
        .build();
}

fn disk(meter: &Meter) {
    if io("read_bytes").is_none() {
        return; // no such file, or a sandbox that hides it
    }
    meter
        .u64_observable_counter(metric::PROCESS_DISK_IO)
        .with_unit("By")
        .with_description("Disk bytes transferred.")
        .with_callback(|observer| {
            for (direction, field) in [("read", "read_bytes"), ("write", "write_bytes")] {
                if let Some(bytes) = io(field) {
                    let direction = KeyValue::new(attribute::DISK_IO_DIRECTION, direction);
                    observer.observe(bytes, &[direction]);
                }
            }
        })
        .build();
}

/// Where `/proc/self/stat` has its numbers, counted from the one behind the program's name: proc_pid_stat(5).
mod stat {
    pub(super) const MINOR_FAULTS: usize = 7;
    pub(super) const MAJOR_FAULTS: usize = 9;
    pub(super) const USER_TIME: usize = 11;
    pub(super) const SYSTEM_TIME: usize = 12;
    pub(super) const START: usize = 19;

    /// The unit of times: USER_HZ, which is 100 on every architecture that Rust runs on with Linux.
    pub(super) const TICKS_PER_SECOND: f64 = 100.0;

    /// A total over all threads, those that ended included.
    pub(super) fn read(index: usize) -> Option<u64> {
        let text = std::fs::read_to_string("/proc/self/stat").ok()?;
        // The name is in brackets, and may hold any character.
        let (_, numbers) = text.rsplit_once(')')?;
        numbers.split_whitespace().nth(index)?.parse().ok()
    }
}

fn processor(meter: &Meter) {
    if stat::read(stat::USER_TIME).is_none() {
        return;
    }
    meter
        .f64_observable_counter(metric::PROCESS_CPU_TIME)
        .with_unit("s")
        .with_description("Processor time used, by mode.")
        .with_callback(|observer| {
            for (mode, index) in [("user", stat::USER_TIME), ("system", stat::SYSTEM_TIME)] {
                if let Some(ticks) = stat::read(index) {
                    let seconds = ticks as f64 / stat::TICKS_PER_SECOND;
                    observer.observe(seconds, &[KeyValue::new(attribute::CPU_MODE, mode)]);
                }
            }
        })
        .build();
    meter
        .u64_observable_counter(metric::PROCESS_PAGING_FAULTS)
        .with_unit("{fault}")
        .with_description("Page faults; a major one had to wait for a disk.")
        .with_callback(|observer| {
            for (kind, index) in [("major", stat::MAJOR_FAULTS), ("minor", stat::MINOR_FAULTS)] {
                if let Some(faults) = stat::read(index) {
                    let kind = KeyValue::new(attribute::SYSTEM_PAGING_FAULT_TYPE, kind);
                    observer.observe(faults, &[kind]);
                }
            }
        })
        .build();
}

fn switches(meter: &Meter) {
    let switches = Mutex::<Switches>::default();
    if status("voluntary_ctxt_switches").is_none() {
        return;
    }
    meter
        .u64_observable_counter(metric::PROCESS_CONTEXT_SWITCHES)
        .with_unit("{context_switch}")
        .with_description("Times that a thread gave up the processor, or had to.")
        .with_callback(move |observer| {
            let mut switches = switches.lock().unwrap_or_else(PoisonError::into_inner);
            switches.look();
            for (kind, total) in [
                ("voluntary", switches.total[0]),
                ("involuntary", switches.total[1]),
            ] {
                let kind = KeyValue::new(attribute::PROCESS_CONTEXT_SWITCH_TYPE, kind);
                observer.observe(total, &[kind]);
            }
        })
        .build();
}

/// Linux tells the context switches of each thread, not those of the process. What a thread did since the last look is
/// added to a total, so that the total does not fall when threads end; what they did between that look and their end is
/// lost.
#[derive(Debug, Default)]
struct Switches {
    of_threads: HashMap<String, [u64; 2]>,
    total: [u64; 2],
}

impl Switches {
    fn look(&mut self) {
        let mut now = HashMap::new();
        for thread in fs::read_dir("/proc/self/task")
            .into_iter()
            .flatten()
            .flatten()
        {
            let file = thread.path().join("status");
            let read = |field| line_of(&file, field)?.parse::<u64>().ok();
            // A thread may end meanwhile.
            let counts = (
                read("voluntary_ctxt_switches"),
                read("nonvoluntary_ctxt_switches"),
            );
            if let (Some(voluntary), Some(involuntary)) = counts {
                let name = thread.file_name().to_string_lossy().into_owned();
                now.insert(name, [voluntary, involuntary]);
            }
        }
        for (thread, counts) in &now {
            let before = self.of_threads.get(thread).copied().unwrap_or_default();
            for ((total, count), before) in self.total.iter_mut().zip(counts).zip(before) {
                // A thread's number is given to another one after its end.
                *total += count.checked_sub(before).unwrap_or(*count);
            }
        }
        self.of_threads = now;
    }
}

/// A number out of `/proc/self/status`, memory in bytes: proc_pid_status(5).
fn status(field: &str) -> Option<i64> {
    let value = line_of("/proc/self/status", field)?;
    match value.strip_suffix(" kB") {
        Some(kibibytes) => kibibytes.parse::<i64>().ok()?.checked_mul(1024),
        None => value.parse().ok(),
    }
}

/// Bytes that reached a disk, or came from one: proc_pid_io(5).
fn io(field: &str) -> Option<u64> {
    line_of("/proc/self/io", field)?.parse().ok()
}

/// What stands behind `field:` in a file of such lines.
fn line_of(file: impl AsRef<Path>, field: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let mut values = text.lines().filter_map(|line| line.strip_prefix(field));
    let value = values.find_map(|rest| rest.strip_prefix(':'))?;
    Some(value.trim().to_owned())
}

fn open_files() -> Option<i64> {
    let open = fs::read_dir("/proc/self/fd").ok()?.count();
    // The one that this very look has open is none of the service's.
    i64::try_from(open).ok()?.checked_sub(1)
}
