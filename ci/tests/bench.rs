//! The bench is run by hand. What it builds must compile all the same.

#[test]
fn the_program_that_measures_spans_fits_the_telemetry_of_today() {
    ci::bench::micro::build::check(&mut |_| ()).unwrap();
}
