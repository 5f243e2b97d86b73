//! What was measured, as a picture: a line for each variant, in it a bar for each route, side by side what it takes and what it
//! gives, both as parts of the first variant's.

use super::Variant;
use super::report::{Ratio, Row};
use super::tables::routes;

const NAMES: f64 = 290.0;
const PANEL: f64 = 300.0;
const GAP: f64 = 70.0;
const BAR: f64 = 9.0;
const TOP: f64 = 84.0;
/// Colours that are told apart by those who do not see all of them, on light and on dark.
const COLOURS: [&str; 3] = ["#3b82c4", "#e08a1e", "#2f9e77"];
/// Of its own, since the page around it may be of another shade than its reader's system.
const STYLE: &str = "
    .ground { fill: #ffffff; stroke: #d0d7de } text { fill: #1f2328; font: 12px system-ui, sans-serif }
    .title { font-size: 13px; font-weight: 600 } .value, .note { fill: #59636e; font-size: 10px } .one { stroke: #8c959f; stroke-dasharray: 3 3 }
    @media (prefers-color-scheme: dark) {
      .ground { fill: #0d1117; stroke: #3d444d } text { fill: #f0f6fc } .value, .note { fill: #9198a1 } .one { stroke: #656c76 }
    }";

struct Panel {
    title: &'static str,
    of: fn(&Row) -> Option<Ratio>,
}

const PANELS: [Panel; 2] = [
    Panel {
        title: "instructions a request: less is better",
        of: |row| row.spread.instructions,
    },
    Panel {
        title: "requests a second: more is better",
        of: |row| row.spread.rps,
    },
];

/// A picture of what was measured; of what was not there is no panel.
pub fn svg(rows: &[Row]) -> String {
    let mut variants: Vec<Variant> = Vec::new();
    for row in rows {
        if !variants.contains(&row.variant) {
            variants.push(row.variant);
        }
    }
    let routes = routes(rows);
    let panels: Vec<&Panel> = PANELS
        .iter()
        .filter(|panel| rows.iter().any(|row| (panel.of)(row).is_some()))
        .collect();
    let group = BAR * routes.len() as f64 + 12.0;
    let width = NAMES + panels.len() as f64 * (PANEL + GAP);
    let bottom = TOP + group * variants.len() as f64;
    let height = bottom + 30.0;

    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\n<title>What telemetry costs</title>\n<style>{STYLE}\n</style>\n<rect class=\"ground\" x=\"0.5\" y=\"0.5\" width=\"{:.0}\" height=\"{:.0}\" rx=\"6\"/>\n",
        width - 1.0,
        height - 1.0
    );
    let mut x = 20.0;
    for (route, colour) in routes.iter().zip(COLOURS) {
        text.push_str(&format!(
            "<rect x=\"{x:.0}\" y=\"17\" width=\"12\" height=\"12\" rx=\"2\" fill=\"{colour}\"/><text x=\"{:.0}\" y=\"27\">{route}</text>\n",
            x + 18.0
        ));
        x += 90.0;
    }
    for (index, variant) in variants.iter().enumerate() {
        let y = TOP + group * (index as f64 + 0.5) - 2.0;
        text.push_str(&format!(
            "<text x=\"20\" y=\"{y:.1}\">{}</text>\n",
            variant.words()
        ));
    }
    for (index, panel) in panels.iter().enumerate() {
        let left = NAMES + index as f64 * (PANEL + GAP);
        let values = rows.iter().filter_map(panel.of);
        let most = values.map(|times| times.high).fold(1.0, f64::max);
        let scale = PANEL / most;
        text.push_str(&format!(
            "<text class=\"title\" x=\"{left:.0}\" y=\"{:.0}\">{}</text>\n",
            TOP - 24.0,
            panel.title
        ));
        let one = left + scale;
        text.push_str(&format!(
            "<line class=\"one\" x1=\"{one:.1}\" y1=\"{:.0}\" x2=\"{one:.1}\" y2=\"{bottom:.0}\"/>\n",
            TOP - 8.0
        ));
        for row in rows {
            let place = variants.iter().position(|variant| *variant == row.variant);
            let bar = routes.iter().position(|route| *route == row.route);
            if let (Some(times), Some(place), Some(bar)) = ((panel.of)(row), place, bar) {
                let y = TOP + group * place as f64 + BAR * bar as f64;
                text.push_str(&drawn(times, left, y, scale, COLOURS[bar % COLOURS.len()]));
            }
        }
    }
    text.push_str(&format!(
        "<text class=\"note\" x=\"20\" y=\"{:.0}\">{}</text>\n</svg>\n",
        height - 12.0,
        variants.first().map_or_else(String::new, |first| format!(
            "as a multiple of the first: {}",
            first.words()
        ))
    ));
    text
}

fn drawn(times: Ratio, left: f64, y: f64, scale: f64, colour: &str) -> String {
    let (length, ratio) = (times.ratio * scale, times.ratio);
    let digits = if ratio < 0.1 { 3 } else { 2 };
    format!(
        "<rect x=\"{left:.0}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.0}\" fill=\"{colour}\"/><text class=\"value\" x=\"{:.1}\" y=\"{:.1}\">{ratio:.digits$}</text>\n",
        length.max(1.0),
        BAR - 1.5,
        left + length + 4.0,
        y + BAR - 1.5,
    )
}

#[cfg(test)]
mod tests {
    use super::super::Route;
    use super::super::report::{Measured, rows};
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_ratio_and_what_was_not_measured_has_no_panel() {
        let mut results =
            [Variant::Bare, Variant::Service].map(|variant| Measured::new(variant, Route::Users));
        for (result, count) in results.iter_mut().zip([100, 150]) {
            result.instructions = Some(count);
        }
        let text = svg(&rows(&results));
        let bars: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("\"value\""))
            .collect();
        assert_eq!(bars.len(), 2, "{text}");
        assert!(bars[0].contains("width=\"200.0\"") && bars[0].ends_with(">1.00</text>"));
        assert!(bars[1].contains("width=\"300.0\"") && bars[1].ends_with(">1.50</text>"));
        assert!(!text.contains("requests a second"), "{text}");
    }
}
