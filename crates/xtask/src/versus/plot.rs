//! The ratios as a picture.

use anyhow::{Context, Result};
use plotters::prelude::*;

use super::outcome::{Outcome, Ratio};

const WIDTH: u32 = 960;
const ROW: u32 = 28;
/// Height that is not rows: the caption, the axis.
const REST: u32 = 110;
const LABELS: u32 = 330;
const FONT: (&str, u32) = ("sans-serif", 15);
/// Half a mark's height, in rows.
const HALF: f64 = 0.3;
const GREY: RGBColor = RGBColor(150, 150, 150);

/// An SVG with a row for each ratio: its rounds, its median, and what it should be at least.
pub(super) fn draw(outcomes: &[Outcome]) -> Result<String> {
    let rows: Vec<(String, &Ratio)> = outcomes
        .iter()
        .flat_map(|outcome| outcome.ratios.iter().map(move |ratio| (label(outcome, ratio), ratio)))
        .collect();
    let mut svg = String::new();
    draw_rows(&rows, &mut svg).context("cannot draw the plot")?;
    Ok(svg)
}

fn label(outcome: &Outcome, ratio: &Ratio) -> String {
    format!("{}: {}", outcome.case, ratio.comparison.name)
}

fn draw_rows(
    rows: &[(String, &Ratio)],
    svg: &mut String,
) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
    let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let area = SVGBackend::with_string(svg, (WIDTH, count * ROW + REST)).into_drawing_area();
    area.fill(&WHITE)?;
    let largest = rows.iter().map(|(_, ratio)| ratio.range().1.max(ratio.comparison.aim.unwrap_or(1.0)));
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .caption("Ratios: rounds grey, median black, aim red", FONT)
        .x_label_area_size(40)
        .y_label_area_size(LABELS)
        // The first row on top.
        .build_cartesian_2d(0.0..largest.fold(1.0, f64::max) * 1.05, f64::from(count)..0.0)?;
    let mut mesh = chart.configure_mesh();
    mesh.disable_y_mesh().disable_y_axis().x_max_light_lines(0).x_desc("ratio").label_style(FONT).draw()?;

    for (place, (label, ratio)) in (0..).zip(rows) {
        let middle = f64::from(place) + 0.5;
        let mark = |at: f64, color: RGBColor, width| {
            PathElement::new([(at, middle - HALF), (at, middle + HALF)], color.stroke_width(width))
        };
        let style = FONT.into_font().into_text_style(&area);
        let (_, y) = chart.backend_coord(&(0.0, middle));
        area.draw_text(label, &style, (16, y - 8))?;
        chart.draw_series(ratio.rounds.iter().map(|at| Circle::new((*at, middle), 4, GREY.filled())))?;
        chart.draw_series(ratio.comparison.aim.map(|aim| mark(aim, RED, 2)))?;
        chart.draw_series([mark(ratio.median, BLACK, 3)])?;
    }
    area.present()
}

#[cfg(test)]
mod tests {
    use super::super::case::CASES;
    use super::super::outcome::Measured;
    use super::*;

    #[test]
    fn every_ratio_has_a_row() {
        let measured = Measured { pps: 1e7, handed_over: 0.0, dropped: 0.0, waited: 0.0 };
        let outcomes: Vec<_> = CASES
            .iter()
            .map(|case| {
                Outcome::new(
                    case,
                    &[vec![measured; case.contestants.len()], vec![measured; case.contestants.len()]],
                )
            })
            .collect();
        let svg = draw(&outcomes).unwrap();
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"), "{svg}");
        let ratios: usize = CASES.iter().map(|case| case.comparisons.len()).sum();
        assert_eq!(svg.matches("<circle ").count(), 2 * ratios);
        assert!(svg.contains("insert-64k: pdmline / csum"), "{svg}");
    }
}
